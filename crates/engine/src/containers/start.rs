//! Starts a container.
//!
//! The container's lock is held until its process runs. What the user wants is written first: a crash in between leaves a container that should
//! run and does not, which the next start or boot brings up. A start that fails leaves the container as it was, with the reason.

mod etc;
mod join;
mod prepare;
mod unsynced;

use base::file::{self, Durability};
use base::lock::{Lock, Sharing};
use base::time::Timestamp;
use base::{Error, Result, crash_point};
use supervisor::client::{CreateRequest, Process, ProcessRequest};
use supervisor::state::{State, Status};

pub(super) use prepare::{policy, stop_signal};

use super::mend::Settled;
use super::pending::Early;
use super::record::{Desired, Intent, Locked};
use super::remove::AnonymousVolumes;
use crate::caller::Operation;
use crate::{Caller, Engine, layout, names};

/// The code of a container whose start failed for a reason that has none of its own.
const NOT_STARTED: u8 = 128;

/// Who starts a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A user: what the policy did before does not count any more.
    User,
    /// The boot, which does what the user wants.
    Boot,
    /// Its restart policy, for the so many-th time.
    Policy {
        /// This start included.
        restarts: u32,
    },
}

impl Engine {
    /// Starts the container that `name` names, by name, id or prefix, and returns when its process runs.
    ///
    /// # Errors
    /// `Unchanged` when it runs already; `CommandNotFound` and `CommandNotRunnable` when its command cannot be executed.
    pub fn start_container(&self, caller: &Caller, name: &str) -> Result<()> {
        caller.permit(Operation::Change, &format!("start {name}"))?;
        let container = self.lock_container(name)?;
        match self.settle(&container)? {
            Settled::Supervised(state) if state.status == Status::Paused => {
                Err(Error::conflict("cannot start a paused container, try unpause instead"))
            }
            Settled::Supervised(_) => Err(Error::unchanged(format!("container {} runs already", container.name()))),
            _ => self.start_settled(container, Cause::User),
        }
    }

    /// Starts a container that is down.
    ///
    /// # Errors
    /// As [`Engine::start_container`]; a container that is meant for one run is then gone.
    pub(super) fn start_settled(&self, container: Locked, cause: Cause) -> Result<()> {
        let mut early = Some(self.root.pending.take(&container.id));
        match self.bring_up(&container, cause, &mut early) {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = error.context(format!("start {}", container.name()));
                match self.take_back(container, cause, &error) {
                    Ok(()) => Err(error),
                    Err(left) => {
                        Err(error.context(format!("(and what is left of it could not be cleared away: {left})")))
                    }
                }
            }
        }
    }

    fn bring_up(&self, container: &Locked, cause: Cause, early: &mut Option<Early>) -> Result<()> {
        let boot = self.root.claim_host()?;
        names::keep(&self.root, container.name(), &container.id)?;
        // What a run that nobody has cleared away after still has.
        self.detach_all(container)?;
        let is_unsynced = container.record.durability() == Durability::Lazy;
        if is_unsynced {
            unsynced::allow_again(container, boot)?;
        }
        let mut sandbox = self.resolve_sandbox(container, is_unsynced.then(|| boot.to_owned()))?;
        // One endpoint was noted as it is: who tears down knows by this what to take back.
        if sandbox.endpoints.len() != 1 {
            file::replace_json(container.directory(), layout::SANDBOX, &sandbox, Durability::Lazy)?;
        }
        let process = self.start_supervisor(container)?;
        let prepared = self.prepare(container, &sandbox, cause)?;
        crash_point!("start.sandbox-written");
        container.want(Desired::Running)?;
        crash_point!("start.intent-written");
        let (plan, joined) = (&prepared.plan, &prepared.joined);
        let starting = process.create(&CreateRequest { plan, directory: container.directory(), joined })?;
        crash_point!("start.supervisor-ready");
        if let Some(early) = early.take() {
            early.hand_over(&starting)?;
        }
        crash_point!("start.clients-attached");
        let rules = self.connect_starting(container, &mut sandbox, &starting)?;
        crash_point!("start.connected");
        starting.release(rules)?;
        crash_point!("start.runs");
        Ok(())
    }

    /// The process comes into being while this one plans.
    fn start_supervisor(&self, container: &Locked) -> Result<Process> {
        let record = &container.record;
        Process::start(&ProcessRequest {
            id: &container.id,
            cgroup_parent: &self.root.cgroup_parent(),
            restart: policy(record.settings.restart),
            binary: &record.binary,
            root: self.root.layout.root(),
            runroot: self.root.layout.runroot(),
            configuration: self.root.options.configuration_file.as_deref(),
        })
    }

    /// After a failed start: nothing of it stays but the reason, and of a container for one run nothing at all.
    fn take_back(&self, container: Locked, cause: Cause, error: &Error) -> Result<()> {
        if self.settle(&container)?.is_supervised() {
            // It runs: only the news of it was lost.
            return Ok(());
        }
        self.tear_down(&container)?;
        if let Some(_alive) = Lock::try_acquire(container.directory(), layout::ALIVE, Sharing::Exclusive)? {
            record_failure(&container, error)?;
        }
        crash_point!("start.failure-recorded");
        if container.record.settings.auto_remove {
            return self.remove_settled(container, AnonymousVolumes::Remove);
        }
        if cause == Cause::User {
            container.want(Desired::Stopped)?;
        }
        Ok(())
    }
}

/// The state of a container whose start failed, as its supervisor would have written it, had there been one.
fn record_failure(container: &Locked, error: &Error) -> Result<()> {
    let last = State::read(container.directory()).unwrap_or_default();
    let code = match error.exit_code() {
        125 => NOT_STARTED,
        code => code,
    };
    let state = State {
        status: Status::Exited,
        supervisor_pid: 0,
        exit_code: i32::from(code),
        error: error.to_string(),
        started_at: last.as_ref().map_or(Timestamp::ZERO, |state| state.started_at),
        finished_at: Timestamp::now(),
        torn_down: true,
        ..State::starting()
    };
    state.write(container.directory(), container.record.durability())
}

impl Locked {
    /// Notes what the user wants of it, where that is news.
    pub(super) fn want(&self, desired: Desired) -> Result<()> {
        let intent = Intent { desired, restart: self.record.settings.restart };
        // One that is damaged is replaced.
        if self.intent().is_ok_and(|known| known == intent) {
            return Ok(());
        }
        self.write_intent(&intent)
    }
}
