//! Stops a container: its stop signal, then a wait, then the kill.
//!
//! The supervisor does it and keeps the certainty rules; here is what the user wants, and what follows when the supervisor dies of it.

use base::{Error, Kind, Result, crash_point};
use supervisor::client::Client;
use supervisor::protocol::{Patience, Stop};

use super::mend::Settled;
use super::record::{Container, Desired};
use crate::caller::Operation;
use crate::{Caller, Engine, plan};

/// How to stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopRequest {
    /// Instead of the container's own stop signal.
    pub signal: Option<String>,
    /// Instead of the container's own; negative waits for ever.
    pub timeout_seconds: Option<i64>,
}

impl StopRequest {
    /// As a supervisor takes it.
    ///
    /// # Errors
    /// `Invalid` for an unknown signal.
    pub(super) fn plan(&self) -> Result<Stop> {
        let signal =
            self.signal.as_deref().filter(|signal| !signal.is_empty()).map(plan::signals::parse).transpose()?;
        let patience = self.timeout_seconds.map(|seconds| match u64::try_from(seconds) {
            Ok(seconds) => Patience::Seconds(seconds),
            Err(_) => Patience::Endless,
        });
        Ok(Stop { signal, patience })
    }
}

impl Engine {
    /// Stops the container and returns when it has exited and everything of it was torn down.
    ///
    /// # Errors
    /// `Unchanged` when it does not run.
    pub fn stop_container(&self, caller: &Caller, name: &str, request: &StopRequest) -> Result<()> {
        caller.permit(Operation::Change, &format!("stop {name}"))?;
        let stop = request.plan()?;
        let container = self.lock_container(name)?;
        let settled = self.settle(&container)?;
        if settled != Settled::Fresh {
            container.want(Desired::Stopped)?;
        }
        crash_point!("stop.intent-written");
        match settled {
            Settled::Supervised(_) => {
                // Nobody waits for the lock as long as the container takes.
                let container = container.unlock();
                let immediate = self.stop_supervised(&container, stop)?;
                crash_point!("stop.stopped");
                self.container_event("stop", &container, immediate.then(|| ("immediate", "true".to_owned())));
                Ok(())
            }
            // It ran as far as the user knew.
            Settled::Mended(_) => Ok(()),
            Settled::Fresh | Settled::Down(_) => {
                Err(Error::unchanged(format!("container {} does not run", container.name())))
            }
        }
    }

    /// Has the supervisor stop the container and returns when it is down: whether it was killed at once, being certain not to notice the signal.
    /// No lock is held.
    ///
    /// # Errors
    /// When the supervisor cannot be reached, or what it left cannot be torn down.
    pub(super) fn stop_supervised(&self, container: &Container, stop: Stop) -> Result<bool> {
        let stopped = match Client::connect(container.directory())? {
            Some(client) => client.stop(stop),
            None => Err(Error::unavailable("its supervisor ends")),
        };
        match stopped {
            Ok(immediate) => Ok(immediate),
            // It exited by itself, or its supervisor was killed: whichever it was, nothing of it may run.
            Err(error) if matches!(error.kind(), Kind::Unchanged | Kind::Unavailable) => {
                let Some(locked) = self.root.load_locked(&container.id)? else { return Ok(false) };
                if self.settle(&locked)?.is_supervised() {
                    return Err(error.context(format!("stop {}", container.name())));
                }
                Ok(false)
            }
            Err(error) => Err(error.context(format!("stop {}", container.name()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let request = |signal: &str, timeout_seconds| StopRequest { signal: Some(signal.to_owned()), timeout_seconds };
        let stop = request("QUIT", Some(3)).plan().unwrap();
        assert_eq!(stop, Stop { signal: Some(3), patience: Some(Patience::Seconds(3)) });
        assert_eq!(request("", Some(-1)).plan().unwrap(), Stop { signal: None, patience: Some(Patience::Endless) });
        assert_eq!(request("", None).plan().unwrap(), Stop::default());
        assert!(request("NONE", None).plan().is_err());
    }
}
