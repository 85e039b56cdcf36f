//! Answers that go on: logs, waits, attached streams.
//!
//! A body that waits for something is looked at again every [`PATIENCE`]: its reader fails with `Interrupted` meanwhile, which every loop around a
//! reader repeats and the daemon uses to see whether the client is still there.

use std::io::{self, ErrorKind, Read};
use std::time::Duration;

use base::{Error, Result};
use engine::containers::{AttachRequest, Attached, LogRequest, WaitCondition};
use engine::{Caller, Engine, Polled};

use crate::convert;
use crate::message::{Response, ResponseBody};
use crate::router::Call;
use crate::types::{WaitError, WaitResponse};
use crate::version::Version;

/// How long a body waits before it asks whether anybody still wants it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

const RAW_STREAM: &str = "application/vnd.docker.raw-stream";
const MULTIPLEXED_STREAM: &str = "application/vnd.docker.multiplexed-stream";

/// A body that is made piece by piece.
pub(crate) struct Pieces<F> {
    next: F,
    piece: Vec<u8>,
    written: usize,
}

impl<F: FnMut() -> Result<Polled<Vec<u8>>>> Pieces<F> {
    /// Reads what `next` returns; it waits no longer than [`PATIENCE`].
    pub(crate) fn new(next: F) -> Self {
        Self { next, piece: Vec::new(), written: 0 }
    }
}

impl<F: FnMut() -> Result<Polled<Vec<u8>>>> Read for Pieces<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.written == self.piece.len() {
            match (self.next)().map_err(|error| io::Error::other(error.to_string()))? {
                Polled::Item(piece) => (self.piece, self.written) = (piece, 0),
                Polled::Nothing => return Err(ErrorKind::Interrupted.into()),
                Polled::End => return Ok(0),
            }
        }
        let rest = &self.piece[self.written..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.written += length;
        Ok(length)
    }
}

pub(crate) fn logs(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let query = call.query();
    let request = LogRequest {
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        follow: query.flag("follow"),
        since: convert::time(query.get("since"))?,
        until: convert::time(query.get("until"))?,
        // Docker takes whatever is no number for all lines.
        tail: query.get("tail").and_then(|tail| tail.parse().ok()),
        details: query.flag("details"),
    };
    if !request.stdout && !request.stderr {
        return Err(Error::invalid("Bad parameters: you must choose at least one stream"));
    }
    let style = convert::logs::Style { timestamps: query.flag("timestamps"), details: request.details };
    let mut logs = engine.container_logs(caller, &call.name, &request)?;
    let terminal = logs.terminal();
    let lines = Pieces::new(move || {
        Ok(match logs.poll_entry(PATIENCE)? {
            Polled::Item(entry) if terminal => Polled::Item(style.line(&entry)),
            Polled::Item(entry) => Polled::Item(style.frame(&entry)),
            Polled::Nothing => Polled::Nothing,
            Polled::End => Polled::End,
        })
    });
    let reader: Box<dyn Read + Send> = Box::new(lines);
    Ok(Response::new(
        200,
        stream_type(if terminal { Framing::Raw } else { Framing::Frames }, call.version),
        ResponseBody::Reader(reader),
    ))
}

pub(crate) fn wait(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let condition = match call.query().get("condition") {
        None | Some("not-running") => WaitCondition::NotRunning,
        Some("next-exit") => WaitCondition::NextExit,
        Some("removed") => WaitCondition::Removed,
        Some(other) => {
            return Err(Error::invalid(format!(
                "invalid condition: {other:?}: use one of not-running, next-exit, removed"
            )));
        }
    };
    let mut wait = Some(engine.wait_container(caller, &call.name, condition)?);
    // The head goes out at once: it tells the client that no exit is missed from now on.
    let answer = Pieces::new(move || {
        let Some(under_way) = &mut wait else { return Ok(Polled::End) };
        let Some(exit) = under_way.poll(PATIENCE)? else { return Ok(Polled::Nothing) };
        wait = None;
        let error = exit.error.map(|message| WaitError { message });
        let answer = WaitResponse { status_code: exit.code.into(), error };
        Ok(Polled::Item(convert::line(&answer)?))
    });
    let reader: Box<dyn Read + Send> = Box::new(answer);
    Ok(Response::new(200, "application/json", ResponseBody::Reader(reader)))
}

pub(crate) fn attach(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let query = call.query();
    refuse_detach_keys(query.get("detachKeys").unwrap_or_default())?;
    let request = AttachRequest {
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        logs: query.flag("logs"),
        stream: query.flag("stream"),
    };
    Ok(upgraded(engine.attach_container(caller, &call.name, request)?, call.version))
}

/// Streams are handed over as they are: who wants to detach by keys looks for them where they are typed.
///
/// # Errors
/// `Unsupported` where keys are named.
pub(super) fn refuse_detach_keys(keys: &str) -> Result<()> {
    match keys {
        "" => Ok(()),
        keys => Err(Error::unsupported(format!(
            "not supported: detachKeys {keys:?}: the client has to look for them; berth attach and berth exec do"
        ))),
    }
}

/// The answer that hands over a container's streams.
pub(crate) fn upgraded(attached: Attached, version: Version) -> Response {
    let content_type = stream_type(if attached.terminal { Framing::Raw } else { Framing::Frames }, version);
    Response::new(101, content_type, ResponseBody::Upgraded(attached.stream))
}

/// How a stream carries output.
#[derive(Clone, Copy)]
enum Framing {
    /// A terminal's bytes.
    Raw,
    /// With a header for each piece, which says whether it is output or errors.
    Frames,
}

/// The media type of a process's streams: frames, which old clients call raw as well, or a terminal's bytes.
fn stream_type(framing: Framing, version: Version) -> &'static str {
    match framing {
        Framing::Frames if version.names_multiplexed_streams() => MULTIPLEXED_STREAM,
        Framing::Frames | Framing::Raw => RAW_STREAM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_clients() {
        assert!(refuse_detach_keys("").is_ok());
        assert_eq!(refuse_detach_keys("ctrl-a,d").unwrap_err().kind(), base::Kind::Unsupported);
    }

    #[test]
    fn pieces_come_whole_and_in_order() {
        let mut steps = vec![
            Polled::End,
            Polled::Item(b"lo".to_vec()),
            Polled::Nothing,
            Polled::Item(Vec::new()),
            Polled::Item(b"hel".to_vec()),
        ];
        let mut pieces = Pieces::new(move || Ok(steps.pop().unwrap_or(Polled::End)));
        let mut buffer = [0; 2];
        assert_eq!((pieces.read(&mut buffer).unwrap(), &buffer), (2, b"he"));
        assert_eq!((pieces.read(&mut buffer).unwrap(), buffer[0]), (1, b'l'));
        assert_eq!(pieces.read(&mut buffer).unwrap_err().kind(), ErrorKind::Interrupted);
        let mut rest = String::new();
        pieces.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "lo");
    }

    #[test]
    fn streams_say_whether_they_carry_frames() {
        let old = Version::parse("1.41").unwrap();
        assert_eq!(stream_type(Framing::Frames, crate::NEWEST_VERSION), MULTIPLEXED_STREAM);
        assert_eq!(stream_type(Framing::Raw, crate::NEWEST_VERSION), RAW_STREAM);
        assert_eq!(stream_type(Framing::Frames, old), RAW_STREAM);
    }
}
