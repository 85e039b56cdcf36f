//! Freezes and thaws a container.

use base::Result;

use crate::{Caller, Engine};

impl Engine {
    /// Freezes all processes of the container.
    ///
    /// # Errors
    /// `Conflict` when it does not run or is paused already.
    pub fn pause_container(&self, caller: &Caller, name: &str) -> Result<()> {
        let _ = (caller, name);
        todo!()
    }

    /// Lets the processes of the container go on.
    ///
    /// # Errors
    /// `Conflict` when it is not paused.
    pub fn unpause_container(&self, caller: &Caller, name: &str) -> Result<()> {
        let _ = (caller, name);
        todo!()
    }
}
