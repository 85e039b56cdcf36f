//! The end that a user asks for: signal, patience, kill; and freezing, which a stop has to undo.

use super::{Phase, Supervisor};
use crate::certainty;
use crate::protocol::{Patience, Stop};
use crate::state::{self, Status};
use base::{Error, Result};
use runtime::spec::Namespace;
use std::time::{Duration, Instant};

/// `SIGKILL`.
const KILL: i32 = 9;

/// A stop under way.
#[derive(Debug)]
pub(super) struct Stopping {
    /// When it kills; `None`: never, or it has.
    pub(super) deadline: Option<Instant>,
    /// Whether it killed at once, being certain that the signal would not be noticed.
    pub(super) immediate: bool,
}

/// When a stop can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Now { immediate: bool },
    Later,
}

impl Supervisor {
    pub(super) fn stop(&mut self, stop: Stop) -> Result<Answer> {
        match self.phase {
            Phase::Over => return Err(Error::unchanged(format!("container {} does not run", self.plan.name))),
            Phase::Created => return Err(Error::conflict(format!("container {} is being started", self.plan.name))),
            Phase::Waiting { .. } => {
                self.state.stopped_by_user = true;
                self.finish();
                return Ok(Answer::Now { immediate: false });
            }
            Phase::Running => {}
        }
        self.state.stopped_by_user = true;
        let signal = stop.signal.unwrap_or(self.plan.stop_signal);
        let patience = match stop.patience {
            Some(Patience::Seconds(seconds)) => Some(seconds),
            Some(Patience::Endless) => None,
            None => self.plan.stop_timeout_seconds,
        };
        self.begin_stop(signal, patience)?;
        Ok(Answer::Later)
    }

    /// Sends the signal, or kills at once where nothing else can help.
    fn begin_stop(&mut self, signal: i32, patience_seconds: Option<u64>) -> Result<()> {
        let immediate = self.is_certain_to_ignore(signal);
        let was_paused = self.state.status == Status::Paused;
        self.state.status = Status::Stopping;
        // A state that cannot be written does not keep anything from stopping.
        let _ = self.write_state();
        base::crash_point!("stop.stopping-written");
        let deadline = patience_seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        self.stopping = Some(Stopping { deadline, immediate });
        let signalled = self.running()?.signal(signal);
        base::crash_point!("stop.signalled");
        if was_paused {
            self.thaw()?;
        }
        if immediate || signal == KILL {
            self.kill();
        }
        signalled
    }

    /// Ends the container's process without asking it. Its exit is seen by the loop.
    pub(super) fn kill(&mut self) {
        if let Some(stopping) = &mut self.stopping {
            stopping.deadline = None;
        }
        if let Some(container) = &self.container {
            let _ = container.signal(KILL);
        }
        // A frozen process of a v1 hierarchy does not even die.
        let _ = self.thaw();
        base::crash_point!("stop.killed");
    }

    fn is_certain_to_ignore(&self, signal: i32) -> bool {
        let own_namespace = self.plan.spec.namespaces.pid == Namespace::New;
        let Some(container) = self.container.as_ref().filter(|_| own_namespace) else { return false };
        let Ok(processes) = container.processes() else { return false };
        let snapshot = certainty::read(container.pid(), self.started.elapsed(), &processes);
        snapshot.is_some_and(|snapshot| certainty::is_deaf(&snapshot, signal))
    }

    pub(super) fn pause(&mut self) -> Result<()> {
        match (self.phase, self.state.status) {
            (Phase::Running, Status::Running) => {}
            (Phase::Running, Status::Paused) => {
                return Err(Error::conflict(format!("Container {} is already paused", self.plan.id)));
            }
            _ => return Err(state::not_running(&self.plan.id)),
        }
        self.running()?.freeze()?;
        base::crash_point!("pause.frozen");
        self.state.status = Status::Paused;
        self.write_state()
    }

    pub(super) fn resume(&mut self) -> Result<()> {
        if self.state.status != Status::Paused {
            return Err(Error::conflict(format!("Container {} is not paused", self.plan.id)));
        }
        self.thaw()?;
        base::crash_point!("pause.thawed");
        self.state.status = Status::Running;
        self.write_state()
    }

    fn thaw(&self) -> Result<()> {
        self.container.as_ref().map_or(Ok(()), super::process::Container::thaw)
    }

    pub(super) fn update_resources(&mut self, resources: cgroup::Resources) -> Result<()> {
        if let Some(container) = &mut self.container {
            container.update(&resources)?;
        }
        self.plan.spec.cgroup.resources = resources;
        Ok(())
    }

    /// A signal for the supervisor itself: the machine shuts down without asking the engine. The container gets its own signal and time.
    pub(super) fn serve_signal(&mut self) {
        use std::os::fd::AsFd;
        let asked = sys::process::read_signal(self.signals.as_fd()).ok().flatten().is_some();
        if !asked {
            return;
        }
        match self.phase {
            Phase::Running if self.stopping.is_none() => {
                self.plan.restart = crate::restart::Policy::No;
                let _ = self.begin_stop(self.plan.stop_signal, self.plan.stop_timeout_seconds);
            }
            Phase::Waiting { .. } => self.finish(),
            _ => {}
        }
    }
}
