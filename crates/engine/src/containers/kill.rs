//! Sends a signal to a container's process.

use base::Result;

use crate::{Caller, Engine};

impl Engine {
    /// Sends `signal`, by name or number; empty is `SIGKILL`.
    ///
    /// # Errors
    /// `Conflict` when the container does not run, `Invalid` for an unknown signal.
    pub fn kill_container(&self, caller: &Caller, name: &str, signal: &str) -> Result<()> {
        let _ = (caller, name, signal);
        todo!()
    }
}
