//! Changes limits and restart policy of a container, also while it runs.

use base::Result;

use super::modes::RestartPolicy;
use crate::{Caller, Engine};

impl Engine {
    /// Gives the container another restart policy.
    ///
    /// # Errors
    /// `Conflict` when it removes itself on exit.
    pub fn update_restart_policy(&self, caller: &Caller, name: &str, policy: RestartPolicy) -> Result<()> {
        let _ = (caller, name, policy);
        todo!()
    }
}
