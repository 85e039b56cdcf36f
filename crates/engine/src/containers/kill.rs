//! Sends a signal to a container's process.

use base::{Error, Result, crash_point};
use supervisor::client::Client;
use supervisor::protocol::{Patience, SignalMeaning, Stop};
use supervisor::state::not_running;

use super::mend::Settled;
use super::record::{Container, Desired};
use super::start::stop_signal;
use crate::caller::Operation;
use crate::{Caller, Engine, plan};

/// `SIGKILL`.
pub(super) const KILL: i32 = 9;
/// A stop that asks nobody.
pub(super) const AT_ONCE: Stop = Stop { signal: Some(KILL), patience: Some(Patience::Seconds(0)) };

impl Engine {
    /// Sends `signal`, by name or number; empty is `SIGKILL`. After that one, it returns when the container has exited.
    ///
    /// `SIGKILL` and the container's own stop signal tell that the user wants it to end: no restart policy overrules that.
    ///
    /// # Errors
    /// `Conflict` when the container does not run, `Invalid` for an unknown signal.
    pub fn kill_container(&self, caller: &Caller, name: &str, signal: &str) -> Result<()> {
        caller.permit(Operation::Change, &format!("kill {name}"))?;
        let signal = plan::signals::parse(if signal.is_empty() { "KILL" } else { signal })?;
        let container = self.lock_container(name)?;
        let settled = self.settle(&container)?;
        let is_end = signal == KILL || signal == stop_signal(&container.record.settings)?;
        if is_end && settled != Settled::Fresh {
            container.want(Desired::Stopped)?;
            crash_point!("kill.intent-written");
        }
        match settled {
            Settled::Supervised(_) => {}
            Settled::Mended(state) if !is_end => {
                let refusal = refusal(&container);
                return self.restart_mended(container, &state).and(Err(refusal));
            }
            _ => return Err(refusal(&container)),
        }
        self.container_event("kill", &container, [("signal", signal.to_string())]);
        if signal == KILL {
            return self.stop_supervised(&container.unlock(), AT_ONCE).map(drop);
        }
        let meaning = if is_end { SignalMeaning::End } else { SignalMeaning::Message };
        match Client::connect(container.directory())? {
            Some(client) => client.signal(signal, meaning),
            None => Err(refusal(&container)),
        }
    }
}

/// Docker's words.
fn refusal(container: &Container) -> Error {
    not_running(&container.id).context(format!("Cannot kill container: {}", container.name()))
}
