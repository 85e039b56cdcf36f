//! Runs a further process in a running container.
//!
//! Creation and start may come from different processes, so what was asked for lies in the container's directory in between. From the start on the
//! exec is the supervisor's.

mod prepared;

use base::id::Id;
use base::{Error, Result, crash_point};
use serde::{Deserialize, Serialize};
use std::os::fd::AsFd;
use supervisor::client::Client;
use supervisor::protocol::{Attach, Exec, Pace};
use supervisor::state::{self, Observed, Status};

use super::attach::Attached;
use super::record::Container;
use super::view::KILLED;
use crate::caller::Operation;
use crate::plan::capabilities::Capabilities;
use crate::plan::{self, effective};
use crate::{Caller, Engine};

/// A further process that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
        caller.permit(Operation::Change, &format!("run a process in {container}"))?;
        check(&request)?;
        let container = self.root.find(container)?;
        check_runs(&container)?;
        let what = format!("exec_create: {}", request.command.join(" "));
        let id = prepared::keep(&container, request)?;
        crash_point!("exec.prepared");
        self.container_event(&what, &container, [("execID", id.to_string())]);
        Ok(id)
    }

    /// Starts a prepared exec; without `detach`, its streams are returned.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it was started before, `CommandNotFound`, `CommandNotRunnable`.
    pub fn start_exec(&self, caller: &Caller, exec: &str, start: ExecStart) -> Result<Option<Attached>> {
        caller.permit(Operation::Change, &format!("start exec {exec}"))?;
        let found = prepared::find(&self.root, exec)?;
        check_runs(&found.container)?;
        let process = self.exec_process(&found.container, &found.kept.request, start)?;
        let client = Client::connect(found.container.directory.as_fd())?;
        let client = client.ok_or_else(|| state::not_running(&found.container.id))?;
        prepared::claim(&found)?;
        crash_point!("exec.claimed");
        let request = &found.kept.request;
        let attach = (!start.detach).then_some(Attach {
            stdin: request.attach_stdin,
            stdout: request.attach_stdout,
            stderr: request.attach_stderr,
            pace: Pace::Wait,
        });
        let streams = client.exec(Exec { id: found.id.clone(), process, attach }).inspect_err(|error| {
            prepared::note_failure(&found, i32::from(error.exit_code()));
        })?;
        crash_point!("exec.started");
        let what = format!("exec_start: {}", request.command.join(" "));
        self.container_event(&what, &found.container, [("execID", found.id.to_string())]);
        Ok(streams.map(|streams| Attached { stream: streams.stream, terminal: streams.terminal }))
    }

    /// Shows an exec, also some time after its exit.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn inspect_exec(&self, caller: &Caller, exec: &str) -> Result<ExecDetails> {
        caller.permit(Operation::Read, &format!("inspect exec {exec}"))?;
        let found = prepared::find(&self.root, exec)?;
        let is_supervised = is_supervised(&found.container)?;
        let record = found.record.as_ref();
        let running = is_supervised && record.is_some_and(|record| record.running);
        let exit_code = match record {
            // It has ended with the supervisor that would have noted it.
            Some(record) if record.running && !running => Some(KILLED),
            Some(record) => record.exit_code,
            None => found.kept.failed,
        };
        let pid = record.filter(|_| running).map_or(0, |record| u32::try_from(record.pid).unwrap_or(0));
        Ok(ExecDetails {
            id: found.id,
            container: found.container.id,
            request: found.kept.request,
            running,
            exit_code,
            pid,
        })
    }

    /// Sets the size of an exec's terminal, in characters.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it does not run.
    pub fn resize_exec(&self, caller: &Caller, exec: &str, height: u16, width: u16) -> Result<()> {
        caller.permit(Operation::Change, &format!("resize the terminal of exec {exec}"))?;
        let found = prepared::find(&self.root, exec)?;
        let client = Client::connect(found.container.directory.as_fd())?;
        let client = client.ok_or_else(|| state::not_running(&found.container.id))?;
        client.resize(Some(found.id), height, width)
    }

    /// The process as the container's own settings confine it.
    fn exec_process(
        &self,
        container: &Container,
        request: &ExecRequest,
        start: ExecStart,
    ) -> Result<runtime::spec::Process> {
        let mut settings = container.record.settings.clone();
        settings.terminal = request.terminal;
        settings.console_size = match start.console_size {
            (0, 0) => request.console_size,
            size => size,
        };
        let hostname = container.record.hostname();
        let mut process = plan::process::plan(&settings, hostname, self.configuration(), &self.root.layout)?;
        process.arguments.clone_from(&request.command);
        effective::overlay_environment(&mut process.environment, &request.environment);
        if !request.working_directory.is_empty() {
            process.working_directory.clone_from(&request.working_directory);
        }
        if !request.user.is_empty() {
            process.user.clone_from(&request.user);
        }
        if request.privileged {
            process.capabilities = Capabilities::EVERY.bits();
        }
        Ok(process)
    }
}

fn check(request: &ExecRequest) -> Result<()> {
    if request.command.first().is_none_or(String::is_empty) {
        return Err(Error::invalid("No exec command specified"));
    }
    if !request.working_directory.is_empty() && !request.working_directory.starts_with('/') {
        return Err(Error::invalid(format!(
            "the working directory {:?} is invalid, it needs to be an absolute path",
            request.working_directory
        )));
    }
    let texts = request.command.iter().chain(&request.environment).chain([&request.user, &request.working_directory]);
    if texts.into_iter().any(|text| text.contains('\0')) {
        return Err(Error::invalid("a command, a variable, a user or a directory cannot have a zero byte"));
    }
    if let Some(variable) = request.environment.iter().find(|variable| variable.is_empty() || variable.starts_with('='))
    {
        return Err(Error::invalid(format!("invalid environment variable: {variable:?}")));
    }
    Ok(())
}

/// Whether processes can enter the container now.
///
/// # Errors
/// `Conflict` in Docker's words.
fn check_runs(container: &Container) -> Result<()> {
    match state::observe(container.directory.as_fd())? {
        Observed::Supervised(Some(state)) => match state.status {
            Status::Running | Status::Stopping => Ok(()),
            Status::Paused => {
                Err(Error::conflict(format!("Container {} is paused, unpause the container before exec", container.id)))
            }
            Status::Restarting => Err(state::restarting(&container.id)),
            Status::Starting | Status::Exited => Err(state::not_running(&container.id)),
        },
        _ => Err(state::not_running(&container.id)),
    }
}

/// Whether a supervisor stands behind it: it runs, or will without anybody asking.
fn is_supervised(container: &Container) -> Result<bool> {
    Ok(matches!(state::observe(container.directory.as_fd())?, Observed::Supervised(_)))
}

impl Container {
    /// Execs that run.
    pub(crate) fn running_execs(&self) -> Result<Vec<Id>> {
        let running = prepared::running(self)?;
        // A record that says so is not true any more when nobody is left who would correct it.
        if running.is_empty() || !is_supervised(self)? { Ok(Vec::new()) } else { Ok(running) }
    }
}
