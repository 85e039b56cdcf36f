//! Stops a container, where it runs, and starts it again.

use base::Result;

use super::stop::StopRequest;
use crate::{Caller, Engine};

impl Engine {
    /// Stops the container if it runs, then starts it.
    ///
    /// # Errors
    /// As stop and start.
    pub fn restart_container(&self, caller: &Caller, name: &str, request: &StopRequest) -> Result<()> {
        let _ = (caller, name, request);
        todo!()
    }
}
