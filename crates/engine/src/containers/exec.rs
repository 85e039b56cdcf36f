//! Runs a further process in a running container.

use base::Result;
use base::id::Id;

use super::attach::Attached;
use crate::{Caller, Engine};

/// A further process that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// Command and arguments.
    pub command: Vec<String>,
    /// `NAME=value`, beyond the container's.
    pub environment: Vec<String>,
    /// Empty takes the container's.
    pub user: String,
    /// Empty takes the container's.
    pub working_directory: String,
    /// All capabilities, whatever the container has.
    pub privileged: bool,
    /// Whether it has a terminal.
    pub terminal: bool,
    /// Whether standard input is connected.
    pub attach_stdin: bool,
    /// Whether standard output is connected.
    pub attach_stdout: bool,
    /// Whether standard error is connected.
    pub attach_stderr: bool,
    /// What the client detaches with; only reported.
    pub detach_keys: String,
    /// Height and width of the terminal at start; zero: unknown.
    pub console_size: (u16, u16),
}

/// How to start it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecStart {
    /// Runs without a client.
    pub detach: bool,
    /// Height and width of the terminal; zero: as created.
    pub console_size: (u16, u16),
}

/// What inspect shows of an exec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecDetails {
    /// Its id.
    pub id: Id,
    /// The container.
    pub container: Id,
    /// As asked for.
    pub request: ExecRequest,
    /// Whether it runs.
    pub running: bool,
    /// Once it has exited.
    pub exit_code: Option<i32>,
    /// On the host; 0 before the start and after the exit.
    pub pid: u32,
}

impl Engine {
    /// Prepares an exec and returns its id.
    ///
    /// # Errors
    /// `Conflict` when the container does not run or is paused.
    pub fn create_exec(&self, caller: &Caller, container: &str, request: ExecRequest) -> Result<Id> {
        let _ = (caller, container, request);
        todo!()
    }

    /// Starts a prepared exec; without `detach`, its streams are returned.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it was started before, `CommandNotFound`, `CommandNotRunnable`.
    pub fn start_exec(&self, caller: &Caller, exec: &str, start: ExecStart) -> Result<Option<Attached>> {
        let _ = (caller, exec, start);
        todo!()
    }

    /// Shows an exec, also some time after its exit.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn inspect_exec(&self, caller: &Caller, exec: &str) -> Result<ExecDetails> {
        let _ = (caller, exec);
        todo!()
    }

    /// Sets the size of an exec's terminal, in characters.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it does not run.
    pub fn resize_exec(&self, caller: &Caller, exec: &str, height: u16, width: u16) -> Result<()> {
        let _ = (caller, exec, height, width);
        todo!()
    }
}

impl super::record::Container {
    /// Execs that run.
    pub(crate) fn running_execs(&self) -> Result<Vec<Id>> {
        todo!("needs supervisor")
    }
}
