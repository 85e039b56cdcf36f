//! Removes a container and everything of it.

use base::Result;

use crate::{Caller, Engine};

/// How to remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoveRequest {
    /// Kills it first, where it runs.
    pub force: bool,
    /// Also its anonymous volumes.
    pub volumes: bool,
}

impl Engine {
    /// Removes the container; when this returns, nothing of it is left on the host.
    ///
    /// # Errors
    /// `Conflict` when it runs and is not forced.
    pub fn remove_container(&self, caller: &Caller, name: &str, request: RemoveRequest) -> Result<()> {
        let _ = (caller, name, request);
        todo!()
    }
}
