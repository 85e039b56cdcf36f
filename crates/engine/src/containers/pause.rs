//! Freezes and thaws a container.

use base::Result;
use supervisor::client::Client;
use supervisor::state::{Status, not_running, restarting};

use super::mend::Settled;
use super::record::Locked;
use crate::caller::Operation;
use crate::{Caller, Engine};

impl Engine {
    /// Freezes all processes of the container.
    ///
    /// # Errors
    /// `Conflict` when it does not run or is paused already.
    pub fn pause_container(&self, caller: &Caller, name: &str) -> Result<()> {
        caller.permit(Operation::Change, &format!("pause {name}"))?;
        let (container, client) = self.lock_running(name)?;
        client.pause()?;
        self.container_event("pause", &container, []);
        Ok(())
    }

    /// Lets the processes of the container go on.
    ///
    /// # Errors
    /// `Conflict` when it is not paused.
    pub fn unpause_container(&self, caller: &Caller, name: &str) -> Result<()> {
        caller.permit(Operation::Change, &format!("unpause {name}"))?;
        let (container, client) = self.lock_running(name)?;
        client.resume()?;
        self.container_event("unpause", &container, []);
        Ok(())
    }

    /// A container that has a process, its lock held, and its supervisor.
    fn lock_running(&self, name: &str) -> Result<(Locked, Client)> {
        let container = self.lock_container(name)?;
        let client = match self.settle(&container)? {
            Settled::Supervised(state) if state.status == Status::Restarting => return Err(restarting(&container.id)),
            Settled::Supervised(_) => Client::connect(container.directory())?,
            Settled::Mended(state) => {
                let refusal = not_running(&container.id);
                return self.restart_mended(container, &state).and(Err(refusal));
            }
            Settled::Fresh | Settled::Down(_) => None,
        };
        match client {
            Some(client) => Ok((container, client)),
            None => Err(not_running(&container.id)),
        }
    }
}
