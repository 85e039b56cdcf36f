//! Starts a container.

use base::Result;

use crate::{Caller, Engine};

impl Engine {
    /// Starts the container that `name` names, by name, id or prefix, and returns when its process runs.
    ///
    /// # Errors
    /// `Unchanged` when it runs already; `CommandNotFound` and `CommandNotRunnable` when its command cannot be executed.
    pub fn start_container(&self, caller: &Caller, name: &str) -> Result<()> {
        let _ = (caller, name);
        todo!()
    }
}
