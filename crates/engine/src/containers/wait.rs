//! Waits for a container to exit.
//!
//! While a supervisor is there, it answers. Where there is none yet, a start in this process hands the wait over, and one in another process
//! is looked for. A supervisor that ends without an answer was killed: that is an exit with 137, unless its last state says otherwise.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{Kind, Result, crash_point};
use supervisor::client::{Client, Told, Waiting};
use supervisor::protocol::Condition;
use supervisor::state::{self, Observed, State, Status};

use super::pending::{Handed, Slot};
use super::record::{Container, Desired};
use super::view::KILLED;
use crate::caller::Operation;
use crate::{Caller, Engine};

/// What is not told is looked for after this time.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitCondition {
    /// That it does not run; at once where it does not.
    #[default]
    NotRunning,
    /// The next exit, even if it does not run yet.
    NextExit,
    /// That it is gone.
    Removed,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// The process's own code, or 128 and the signal that ended it.
    pub code: i32,
    /// Why the last start failed, where it did and nothing but the present state was asked for.
    pub error: Option<String>,
}

/// A wait under way. It is in force from the moment it exists: no exit after that is missed.
#[derive(Debug)]
pub struct Wait {
    engine: Engine,
    container: Container,
    condition: WaitCondition,
    source: Source,
    /// What the container's files said when the wait began, or when it last changed hands.
    before: Before,
    /// The last exit that was told, while the container is not gone.
    exit: Option<Exit>,
}

/// Who answers a wait.
#[derive(Debug)]
enum Source {
    /// It is over.
    Over(Exit),
    /// The next start.
    Start(Arc<Slot>),
    /// The supervisor.
    Supervisor(Waiting),
    /// The container's files.
    Files,
}

/// What tells a new exit from an old one.
#[derive(Clone, Debug, Default, PartialEq)]
struct Before {
    is_supervised: bool,
    state: Option<State>,
}

impl Wait {
    /// Blocks until the condition holds, or until `patience` is over: `None`. Who serves a client looks in between whether it is still there.
    ///
    /// # Errors
    /// When the container vanished in a way that left no exit code.
    pub fn poll(&mut self, patience: Duration) -> Result<Option<Exit>> {
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match &mut self.source {
                Source::Over(exit) => return Ok(Some(told(exit, self.condition))),
                Source::Start(slot) => match slot.take(left.min(LOOK_AGAIN)) {
                    Handed::Nothing => self.look()?,
                    Handed::Waiting(waiting) => {
                        self.before.is_supervised = true;
                        self.source = Source::Supervisor(waiting);
                    }
                    Handed::NotStarted => self.start_failed()?,
                },
                Source::Supervisor(waiting) => match waiting.poll(left) {
                    Ok(None) => {}
                    Ok(Some(Told::Exited(code, error))) => self.answered(Exit::new(code, &error))?,
                    Ok(Some(Told::Undertake(code, error))) => self.undertake(Exit::new(code, &error))?,
                    Err(error) if error.kind() == Kind::Unavailable => self.source = Source::Files,
                    Err(error) => return Err(error),
                },
                Source::Files => {
                    self.look()?;
                    if matches!(self.source, Source::Files) {
                        std::thread::sleep(left.min(LOOK_AGAIN));
                    }
                }
            }
            if Instant::now() >= end && !matches!(self.source, Source::Over(_)) {
                return Ok(None);
            }
        }
    }

    /// The supervisor leaves to this process what follows the exit. Where that fails, the helper tries again.
    fn undertake(&mut self, exit: Exit) -> Result<()> {
        crash_point!("exited.undertaken");
        // The container's own setting asks for it, whoever waits.
        let outcome = self.engine.container_exited(&Caller::engine(), self.container.id.as_str());
        match (outcome, &self.source) {
            (Err(_), Source::Supervisor(waiting)) if waiting.give_up().is_ok() => Ok(()),
            _ => self.answered(exit),
        }
    }

    /// The supervisor has told an exit.
    fn answered(&mut self, exit: Exit) -> Result<()> {
        if self.condition != WaitCondition::Removed {
            self.source = Source::Over(exit);
            return Ok(());
        }
        // Of a container that goes with its exit nothing is left by now, or what was to remove it has failed.
        let is_restarted = self.container.intent().is_ok_and(|intent| intent.desired == Desired::Restarting);
        if self.container.record.settings.auto_remove && !is_restarted {
            self.source = Source::Over(exit);
            return Ok(());
        }
        self.exit = Some(exit);
        self.source = Source::Files;
        self.look()
    }

    /// A start in this process did not come to a running container.
    fn start_failed(&mut self) -> Result<()> {
        self.source = Source::Files;
        self.look()?;
        if matches!(self.source, Source::Files) && self.condition != WaitCondition::Removed {
            let code = i32::from(Kind::Internal.exit_code());
            self.source = Source::Over(Exit::new(code, "the container could not be started"));
        }
        Ok(())
    }

    /// Looks at the container's files; a supervisor that is found there answers from then on.
    fn look(&mut self) -> Result<()> {
        if self.engine.root.container_directory(&self.container.id)?.is_none() {
            let last = State::read(self.container.directory()).ok().flatten().or(self.before.state.take());
            let exit = self.exit.take().or(last.as_ref().map(Exit::of)).unwrap_or_default();
            self.source = Source::Over(exit);
            return Ok(());
        }
        let observed = state::observe(self.container.directory())?;
        if let Observed::Supervised(state) = &observed {
            return self.supervised(state.as_ref());
        }
        let state = match &observed {
            Observed::Exited(state) | Observed::Broken(Some(state)) => Some(state),
            _ => None,
        };
        let exit = match (&observed, state) {
            (Observed::NeverStarted, _) => Exit::default(),
            (_, Some(state)) => Exit::of(state),
            (_, None) => Exit::new(KILLED, ""),
        };
        let is_new = match &observed {
            Observed::NeverStarted => false,
            // Its supervisor was killed since.
            Observed::Broken(_) => self.before.is_supervised,
            _ => state.map(|state| state.finished_at) != self.before.state.as_ref().map(|state| state.finished_at),
        };
        let is_over = match self.condition {
            WaitCondition::NotRunning => true,
            WaitCondition::NextExit => is_new,
            // Nobody is left who would remove it: the next command that changes it does.
            WaitCondition::Removed => {
                self.container.record.settings.auto_remove && is_new && matches!(observed, Observed::Broken(_))
            }
        };
        if is_over {
            self.source = Source::Over(exit);
        } else if is_new {
            self.exit.get_or_insert(exit);
        }
        Ok(())
    }

    /// A supervisor is there: it answers from now on, unless it is not the one of before, which then has ended.
    fn supervised(&mut self, state: Option<&State>) -> Result<()> {
        let pid = |state: &State| state.supervisor_pid;
        let other = match (self.before.is_supervised, self.before.state.as_ref().map(pid), state.map(pid)) {
            (true, Some(before), Some(now)) => before != now,
            _ => false,
        };
        if other && self.condition != WaitCondition::Removed {
            self.source = Source::Over(Exit::new(KILLED, ""));
            return Ok(());
        }
        self.before = Before { is_supervised: true, state: state.cloned() };
        self.exit = None;
        // It may have ended in between, or refuse one client more: the files tell.
        if let Some(client) = Client::connect(self.container.directory())? {
            match wait_at(client, self.condition.into()) {
                Ok(waiting) => self.source = Source::Supervisor(waiting),
                Err(error) if error.kind() == Kind::Unavailable => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Exit {
    fn new(code: i32, error: &str) -> Self {
        Self { code, error: (!error.is_empty()).then(|| error.to_owned()) }
    }

    /// The exit that the last state of a supervisor tells; one that tells none was killed.
    fn of(state: &State) -> Self {
        match state.status {
            Status::Exited => Self::new(state.exit_code, &state.error),
            _ => Self::new(KILLED, ""),
        }
    }
}

/// Begins a wait at the supervisor; whoever waits for the removal offers to do it.
pub(super) fn wait_at(client: Client, condition: Condition) -> Result<Waiting> {
    match condition {
        Condition::Removed => client.undertake(),
        other => client.wait(other),
    }
}

/// Why a start failed is told by the start. Who waited for an exit or a removal got what was waited for, and Docker's clients would take the reason
/// for a failure of the wait.
fn told(exit: &Exit, condition: WaitCondition) -> Exit {
    let error = exit.error.clone().filter(|_| condition == WaitCondition::NotRunning);
    Exit { code: exit.code, error }
}

impl From<WaitCondition> for Condition {
    fn from(condition: WaitCondition) -> Self {
        match condition {
            WaitCondition::NotRunning => Self::NotRunning,
            WaitCondition::NextExit => Self::NextExit,
            WaitCondition::Removed => Self::Removed,
        }
    }
}

impl Engine {
    /// Begins to wait. With `NextExit` and `Removed` a container that was not started yet may be waited for.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn wait_container(&self, caller: &Caller, name: &str, condition: WaitCondition) -> Result<Wait> {
        caller.permit(Operation::Read, &format!("wait for {name}"))?;
        let container = self.root.find(name)?;
        // Before the files are looked at: a start that comes in between finds it.
        let slot = self.root.pending.wait(&container.id, condition.into());
        let before = match state::observe(container.directory.as_fd())? {
            Observed::NeverStarted => Before::default(),
            Observed::Supervised(state) => Before { is_supervised: true, state },
            Observed::Exited(state) => Before { is_supervised: false, state: Some(state) },
            Observed::Broken(state) => Before { is_supervised: false, state },
        };
        let source = if before.is_supervised { Source::Files } else { Source::Start(slot) };
        let mut wait = Wait { engine: self.clone(), container, condition, source, before, exit: None };
        wait.begin()?;
        Ok(wait)
    }
}

impl Wait {
    /// Returns when the wait is in force.
    fn begin(&mut self) -> Result<()> {
        self.look()?;
        // A supervisor that begins does not listen yet, one that ends does not listen any more; both take a moment.
        let end = Instant::now() + Duration::from_secs(1);
        while matches!(self.source, Source::Files) && Instant::now() < end && self.before.is_supervised {
            std::thread::sleep(Duration::from_millis(2));
            self.look()?;
            if self.exit.is_some() {
                break;
            }
        }
        Ok(())
    }
}
