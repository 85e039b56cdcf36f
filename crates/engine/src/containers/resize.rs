//! Resizes a container's terminal.

use base::Result;
use supervisor::client::Client;
use supervisor::state::not_running;

use crate::caller::Operation;
use crate::{Caller, Engine};

impl Engine {
    /// Sets the size of the container's terminal, in characters.
    ///
    /// # Errors
    /// `Conflict` when it does not run or has no terminal.
    pub fn resize_container(&self, caller: &Caller, name: &str, height: u16, width: u16) -> Result<()> {
        caller.permit(Operation::Change, &format!("resize the terminal of {name}"))?;
        let container = self.root.find(name)?;
        match Client::connect(container.directory())? {
            Some(client) => client.resize(None, height, width),
            None => Err(not_running(&container.id)),
        }
    }
}
