//! Mends all that is broken, for a host of the engine that stays and may as well look.

use base::id::Id;
use base::{Context, Result};
use supervisor::state::{self, Observed};

use crate::caller::Operation;
use crate::{Caller, Engine};

/// Enough for a start.
const STACK_BYTES: usize = 1 << 20;

impl Engine {
    /// Clears away what is half made or half removed, mends every container that has lost its supervisor, and starts those again that their restart
    /// policy wants to run. Others are not touched, whatever their policy says: this is no boot. Returns what failed.
    ///
    /// Blocks as long as the policies want to wait before their starts.
    ///
    /// # Errors
    /// When the state cannot be read; what fails for one container is in the result.
    pub fn mend_all(&self, caller: &Caller) -> Result<Vec<(Id, base::Error)>> {
        caller.permit(Operation::Change, "mend")?;
        self.clear_unfinished()?;
        let broken = self.broken_containers()?;
        // Each may wait; none waits for another.
        std::thread::scope(|scope| {
            let mut mending = Vec::new();
            for id in broken {
                let mend = || self.container_restart(caller, id.as_str()).err().map(|error| (id, error));
                let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, mend);
                mending.push(thread.context("start a thread to mend a container")?);
            }
            Ok(mending.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect())
        })
    }

    fn broken_containers(&self) -> Result<Vec<Id>> {
        let mut broken = Vec::new();
        for id in self.root.container_ids()? {
            // One that is damaged is told of by whoever names it.
            if let Ok(Some(container)) = self.root.load(&id)
                && let Ok(Observed::Broken(_)) = state::observe(container.directory())
            {
                broken.push(id);
            }
        }
        Ok(broken)
    }
}
