//! Execs.

use base::{Error, Result};
use engine::containers::{ExecRequest, ExecStart};
use engine::{Caller, Engine};

use super::containers::terminal_size;
use super::streams::upgraded;
use crate::convert;
use crate::message::Response;
use crate::router::Call;
use crate::types::{self, ExecConfig, ExecCreated};

pub(crate) fn create(engine: &Engine, caller: &Caller, mut call: Call) -> Result<Response> {
    let body: ExecConfig = call.request.json()?;
    if body.cmd.is_empty() {
        return Err(Error::invalid("No exec command specified"));
    }
    let request = ExecRequest {
        command: body.cmd,
        environment: body.env,
        user: body.user,
        working_directory: body.working_dir,
        privileged: body.privileged,
        terminal: body.tty,
        attach_stdin: body.attach_stdin,
        attach_stdout: body.attach_stdout,
        attach_stderr: body.attach_stderr,
        detach_keys: body.detach_keys,
        console_size: convert::create::console_size(body.console_size),
    };
    let id = engine.create_exec(caller, &call.name, request)?;
    Response::json(201, &ExecCreated { id: id.to_string() })
}

pub(crate) fn start(engine: &Engine, caller: &Caller, mut call: Call) -> Result<Response> {
    let body: types::ExecStart = call.request.json()?;
    let start = ExecStart { detach: body.detach, console_size: convert::create::console_size(body.console_size) };
    match engine.start_exec(caller, &call.name, start)? {
        Some(attached) => Ok(upgraded(attached, call.version)),
        None => Ok(Response::empty(200)),
    }
}

pub(crate) fn resize(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let (height, width) = terminal_size(&call)?;
    engine.resize_exec(caller, &call.name, height, width)?;
    Ok(Response::empty(200))
}

pub(crate) fn inspect(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    Response::json(200, &convert::inspect::exec(engine.inspect_exec(caller, &call.name)?))
}
