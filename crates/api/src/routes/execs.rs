//! Execs.

use std::io::Write;
use std::os::unix::net::UnixStream;

use base::{Context, Error, Kind, Result};
use engine::containers::{Attached, ExecRequest, ExecStart, LogSource};
use engine::{Caller, Engine};

use super::containers::terminal_size;
use super::streams::{refuse_detach_keys, upgraded};
use crate::convert;
use crate::message::Response;
use crate::router::Call;
use crate::types::{self, ExecConfig, ExecCreated};

pub(crate) fn create(engine: &Engine, caller: &Caller, mut call: Call) -> Result<Response> {
    let body: ExecConfig = call.request.json()?;
    if body.cmd.is_empty() {
        return Err(Error::invalid("No exec command specified"));
    }
    refuse_detach_keys(&body.detach_keys)?;
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
        console_size: convert::create::console_size(body.console_size),
    };
    let id = engine.create_exec(caller, &call.name, request)?;
    Response::json(201, &ExecCreated { id: id.to_string() })
}

pub(crate) fn start(engine: &Engine, caller: &Caller, mut call: Call) -> Result<Response> {
    let body: types::ExecStart = call.request.json()?;
    let start = ExecStart { detach: body.detach, console_size: convert::create::console_size(body.console_size) };
    let framing = if body.tty { Framing::Terminal } else { Framing::Frames };
    match engine.start_exec(caller, &call.name, start) {
        Ok(Some(attached)) => Ok(upgraded(attached, call.version)),
        Ok(None) => Ok(Response::empty(200)),
        // Docker's clients have taken over the connection by then, read why from it, and ask for the exit code.
        Err(error) if is_of_command(&error) && !body.detach => Ok(upgraded(told(&error, framing)?, call.version)),
        Err(error) => Err(error),
    }
}

fn is_of_command(error: &Error) -> bool {
    matches!(error.kind(), Kind::CommandNotFound | Kind::CommandNotRunnable)
}

/// A stream that says why and ends.
fn told(error: &Error, framing: Framing) -> Result<Attached> {
    let (mut ours, stream) = UnixStream::pair().context("make a stream")?;
    let mut text = format!("{error}\r\n").into_bytes();
    // What a stream holds without a reader.
    text.truncate(4096);
    let terminal = framing == Framing::Terminal;
    if !terminal {
        text.splice(..0, LogSource::Stderr.frame_header(text.len()));
    }
    ours.write_all(&text).context("say why the command does not run")?;
    Ok(Attached { stream, terminal })
}

/// What a stream carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Terminal,
    Frames,
}

pub(crate) fn resize(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let (height, width) = terminal_size(&call)?;
    engine.resize_exec(caller, &call.name, height, width)?;
    Ok(Response::empty(200))
}

pub(crate) fn inspect(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    Response::json(200, &convert::inspect::exec(engine.inspect_exec(caller, &call.name)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_command_that_is_missing_is_told_on_the_stream() {
        let error = Error::command_not_found("no x");
        for (framing, expected) in
            [(Framing::Frames, b"\x02\0\0\0\0\0\0\x06no x\r\n".as_slice()), (Framing::Terminal, b"no x\r\n")]
        {
            let mut attached = told(&error, framing).unwrap();
            let mut bytes = Vec::new();
            attached.stream.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, expected);
        }
        assert!(is_of_command(&error) && !is_of_command(&Error::conflict("x")));
    }
}
