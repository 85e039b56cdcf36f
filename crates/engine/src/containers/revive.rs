//! What follows when a container has lost its supervisor: its restart policy is applied to the exit that a mend recorded.
//!
//! The keeper of a container with a policy starts the helper `container-restart`, which does this at once; a command that mends on its
//! way to something else does it as well.

use std::time::Duration;

use base::id::Id;
use base::lock::Lock;
use base::time::Timestamp;
use base::{Result, crash_point};
use supervisor::protocol::{Patience, Stop};
use supervisor::restart::{self, Decision, Exit};
use supervisor::state::State;

use super::mend::Settled;
use super::modes::RestartPolicy;
use super::record::{Container, Desired, Intent, Locked};
use super::start::{Cause, policy};
use crate::caller::Operation;
use crate::{Caller, Engine, layout};

/// What a boot did to one container.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BootOutcome {
    pub(crate) mended: bool,
    pub(crate) started: bool,
}

/// A container whose supervisor dies again and again is not started more often than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Engine {
    /// Mends a container whose supervisor died, and starts it again where its policy and its user want that.
    ///
    /// One that does not exist any more, is looked after, or was meant to end, is left alone.
    ///
    /// # Errors
    /// As a start.
    pub fn container_restart(&self, caller: &Caller, id: &str) -> Result<()> {
        caller.permit(Operation::Change, &format!("bring {id} up again"))?;
        let id: Id = id.parse()?;
        let Some(container) = self.root.load_locked(&id)? else { return Ok(()) };
        let settled = self.settle(&container)?;
        let Some(last) = settled.last().cloned() else { return Ok(()) };
        crash_point!("revive.mended");
        let Decision::Again { after } = decide(&container, &container.intent()?, &last) else {
            return self.after_exit(container);
        };
        // Nobody waits for the lock that long.
        drop(container);
        std::thread::sleep(pause(after, &last));
        let Some(container) = self.root.load_locked(&id)? else { return Ok(()) };
        if self.settle(&container)?.last() != Some(&last) || container.intent()?.desired == Desired::Stopped {
            // Somebody else has started or stopped it meanwhile.
            return Ok(());
        }
        self.restart_mended(container, &last)
    }

    /// Starts a container that was mended, unless policy or user are against it, or the machine goes down.
    ///
    /// # Errors
    /// As a start.
    pub(super) fn restart_mended(&self, container: Locked, last: &State) -> Result<()> {
        match decide(&container, &container.intent()?, last) {
            Decision::Stay => self.after_exit(container),
            Decision::Again { .. } if self.is_shutting_down()? => Ok(()),
            Decision::Again { .. } => {
                self.start_settled(container, Cause::Policy { restarts: last.restart_count.saturating_add(1) })
            }
        }
    }

    /// Mends the container where it is broken, and starts it where it should run after a boot.
    ///
    /// # Errors
    /// As a start.
    pub(crate) fn boot_one(&self, id: &Id) -> Result<BootOutcome> {
        let Some(container) = self.root.load_locked(id)? else { return Ok(BootOutcome::default()) };
        let settled = self.settle(&container)?;
        let mut outcome = BootOutcome { mended: matches!(settled, Settled::Mended(_)), started: false };
        if settled.is_supervised() {
            return Ok(outcome);
        }
        let desired = container.intent()?.desired;
        if should_run_after_boot(container.record.settings.restart, desired, settled.last()) {
            self.start_settled(container, Cause::Boot)?;
            outcome.started = true;
        } else if settled.last().is_some() {
            if desired == Desired::Restarting {
                container.want(Desired::Stopped)?;
            }
            self.after_exit(container)?;
        }
        Ok(outcome)
    }

    /// Stops a container that is supervised, whatever it should be after the next boot; one that would wait for ever waits `bound_seconds`.
    ///
    /// # Errors
    /// As a stop.
    pub(crate) fn stop_for_shutdown(&self, container: &Container, bound_seconds: u64) -> Result<()> {
        let waits_for_ever = container.record.settings.stop_timeout_seconds.is_some_and(|seconds| seconds < 0);
        let patience = waits_for_ever.then_some(Patience::Seconds(bound_seconds));
        self.stop_supervised(container, Stop { signal: None, patience }).map(drop)
    }

    /// Whether the engine takes everything down for a shutdown of the machine.
    pub(super) fn is_shutting_down(&self) -> Result<bool> {
        Lock::is_held(self.root.directory(), layout::SHUTDOWN_LOCK)
    }
}

/// What the policy says to the last exit.
fn decide(container: &Container, intent: &Intent, last: &State) -> Decision {
    let is_wanted = intent.desired != Desired::Stopped && !last.stopped_by_user;
    let exit = Exit {
        code: last.exit_code,
        cause: if is_wanted { restart::Cause::Itself } else { restart::Cause::User },
        ran: ran(last),
        restarts: last.restart_count,
        last_delay: None,
    };
    restart::decide(policy(container.record.settings.restart), &exit)
}

fn ran(last: &State) -> Duration {
    if last.started_at.is_zero() || last.finished_at < last.started_at {
        return Duration::ZERO;
    }
    last.finished_at.since(last.started_at)
}

/// The pause before the start: longer with each one that did not last.
fn pause(first: Duration, last: &State) -> Duration {
    if ran(last) >= Duration::from_secs(10) {
        return first;
    }
    first.saturating_mul(1 << last.restart_count.min(16)).min(LONGEST_PAUSE)
}

/// Whether a container that is down should run after the machine has booted, `last` being its last state.
///
/// As with Docker, `always` means also what the user had stopped.
pub(crate) fn should_run_after_boot(policy: RestartPolicy, desired: Desired, last: Option<&State>) -> bool {
    let Some(last) = last else { return false };
    let was_wanted = desired != Desired::Stopped;
    // One that never ran has nothing to be brought back to.
    if last.started_at == Timestamp::ZERO {
        return false;
    }
    match policy {
        RestartPolicy::No => false,
        RestartPolicy::Always => true,
        RestartPolicy::UnlessStopped => was_wanted,
        RestartPolicy::OnFailure { maximum_retries } => {
            was_wanted && last.exit_code != 0 && (maximum_retries == 0 || last.restart_count < maximum_retries)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(exit_code: i32, restart_count: u32) -> State {
        let started_at = Timestamp::from_unix(100, 0);
        State { exit_code, restart_count, started_at, finished_at: Timestamp::from_unix(101, 0), ..State::starting() }
    }

    #[test]
    fn who_runs_after_a_boot() {
        let thrice = RestartPolicy::OnFailure { maximum_retries: 3 };
        let (running, stopped, restarting) = (Desired::Running, Desired::Stopped, Desired::Restarting);
        let table = [
            (RestartPolicy::No, running, Some(state(137, 0)), false),
            (RestartPolicy::Always, running, Some(state(0, 0)), true),
            (RestartPolicy::Always, stopped, Some(state(0, 0)), true),
            (RestartPolicy::Always, stopped, None, false),
            (RestartPolicy::Always, running, Some(State { started_at: Timestamp::ZERO, ..state(127, 0) }), false),
            (RestartPolicy::UnlessStopped, running, Some(state(0, 0)), true),
            (RestartPolicy::UnlessStopped, restarting, Some(state(0, 0)), true),
            (RestartPolicy::UnlessStopped, stopped, Some(state(0, 0)), false),
            (thrice, running, Some(state(1, 2)), true),
            (thrice, running, Some(state(1, 3)), false),
            (thrice, running, Some(state(0, 0)), false),
            (thrice, stopped, Some(state(1, 0)), false),
        ];
        for (policy, desired, last, expected) in table {
            assert_eq!(
                should_run_after_boot(policy, desired, last.as_ref()),
                expected,
                "{policy:?} {desired:?} {last:?}"
            );
        }
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let first = Duration::from_millis(100);
        assert_eq!(pause(first, &state(1, 0)), first);
        assert_eq!(pause(first, &state(1, 3)), Duration::from_millis(800));
        assert_eq!(pause(first, &state(1, u32::MAX)), LONGEST_PAUSE);
        let long = State { finished_at: Timestamp::from_unix(200, 0), ..state(1, 9) };
        assert_eq!((pause(first, &long), ran(&long)), (first, Duration::from_secs(100)));
    }
}
