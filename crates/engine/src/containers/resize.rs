//! Resizes a container's terminal.

use base::Result;

use crate::{Caller, Engine};

impl Engine {
    /// Sets the size of the container's terminal, in characters.
    ///
    /// # Errors
    /// `Conflict` when it does not run.
    pub fn resize_container(&self, caller: &Caller, name: &str, height: u16, width: u16) -> Result<()> {
        let _ = (caller, name, height, width);
        todo!()
    }
}
