//! What the helper `container-exited` does, or an engine that waits for the container anyway: what is left to do after its last exit that its
//! supervisor cannot.
//!
//! Idempotent, and asks for nothing but the container's own state: a supervisor of any age may call it, at any time.

use base::id::Id;
use base::{Result, crash_point};

use super::mend::Settled;
use super::record::{Desired, Locked};
use super::remove::AnonymousVolumes;
use crate::caller::Operation;
use crate::{Caller, Engine};

impl Engine {
    /// Clears away what a container's run has left; a container that is meant for one run goes with its volumes.
    ///
    /// One that does not exist any more, or runs again, is left alone.
    ///
    /// # Errors
    /// What could not be cleared away.
    pub fn container_exited(&self, caller: &Caller, id: &str) -> Result<()> {
        caller.permit(Operation::Change, &format!("clear away after {id}"))?;
        let id: Id = id.parse()?;
        let Some(container) = self.root.load_locked(&id)? else {
            // Whoever removed it may not have come to the end.
            return self.clear_one(&id);
        };
        match self.settle(&container)? {
            Settled::Supervised(_) | Settled::Fresh => Ok(()),
            Settled::Down(_) | Settled::Mended(_) => {
                crash_point!("exited.locked");
                self.after_exit(container)
            }
        }
    }

    /// What follows the last exit of a container that is down.
    ///
    /// # Errors
    /// As [`Engine::container_exited`].
    pub(super) fn after_exit(&self, container: Locked) -> Result<()> {
        self.tear_down(&container)?;
        crash_point!("exited.torn-down");
        // Who restarts it will start it, or say that it cannot.
        if container.record.settings.auto_remove && container.intent()?.desired != Desired::Restarting {
            return self.remove_torn_down(container, AnonymousVolumes::Remove);
        }
        Ok(())
    }
}
