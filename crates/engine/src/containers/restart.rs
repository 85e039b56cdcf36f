//! Stops a container, where it runs, and starts it again.

use base::{Result, crash_point};

use super::record::{Desired, no_such};
use super::start::Cause;
use super::stop::StopRequest;
use crate::caller::Operation;
use crate::{Caller, Engine};

impl Engine {
    /// Stops the container if it runs, then starts it.
    ///
    /// # Errors
    /// As stop and start.
    pub fn restart_container(&self, caller: &Caller, name: &str, request: &StopRequest) -> Result<()> {
        caller.permit(Operation::Change, &format!("restart {name}"))?;
        let stop = request.plan()?;
        let mut container = self.lock_container(name)?;
        if self.settle(&container)?.is_supervised() {
            // This exit is not the one that ends a container for one run, and no reason to stay down after a crash.
            container.want(Desired::Restarting)?;
            crash_point!("restart.intent-written");
            let stopping = container.unlock();
            self.stop_supervised(&stopping, stop)?;
            crash_point!("restart.stopped");
            container = self.root.load_locked(&stopping.id)?.ok_or_else(|| no_such(name))?;
        }
        // Somebody else may have started it meanwhile, which is as good.
        if !self.settle(&container)?.is_supervised() {
            let id = container.id.clone();
            self.start_settled(container, Cause::User)?;
            container = self.root.load_locked(&id)?.ok_or_else(|| no_such(name))?;
        }
        self.container_event("restart", &container, []);
        Ok(())
    }
}
