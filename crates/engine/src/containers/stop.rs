//! Stops a container: its stop signal, then a wait, then the kill.

use base::Result;

use crate::{Caller, Engine};

/// How to stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopRequest {
    /// Instead of the container's own stop signal.
    pub signal: Option<String>,
    /// Instead of the container's own; negative waits for ever.
    pub timeout_seconds: Option<i64>,
}

impl Engine {
    /// Stops the container and returns when it has exited and everything of it was torn down.
    ///
    /// # Errors
    /// `Unchanged` when it does not run.
    pub fn stop_container(&self, caller: &Caller, name: &str, request: &StopRequest) -> Result<()> {
        let _ = (caller, name, request);
        todo!()
    }
}
