//! Connects a client to a container's streams.
//!
//! The client gets one end of a stream; the other one goes to the supervisor, at once or with the next start. Nothing is copied in between.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use base::{Context, Error, Result};
use supervisor::client::Client;
use supervisor::protocol::{Attach, Pace};
use supervisor::state::{self, Observed};

use super::logs::{self, LogRequest};
use super::record::Container;
use crate::caller::Operation;
use crate::{Caller, Engine, Polled};

/// A supervisor that begins listens within milliseconds, one that ends lets go within milliseconds.
const ATTEMPTS: u32 = 500;
const PAUSE: Duration = Duration::from_millis(2);

/// What to connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttachRequest {
    /// The client's bytes become standard input.
    pub stdin: bool,
    /// Standard output comes back.
    pub stdout: bool,
    /// Standard error comes back.
    pub stderr: bool,
    /// What was logged so far comes first.
    pub logs: bool,
    /// Goes on with what is written from now on; without it, only `logs`.
    pub stream: bool,
}

/// A connection to a container's or an exec's streams.
#[derive(Debug)]
pub struct Attached {
    /// Raw bytes with a terminal, else Docker's frames of an eight-byte header and the bytes. What the client writes is standard
    /// input; shutting down the writing half ends it. Ends when the process has.
    pub stream: UnixStream,
    /// Whether the process has a terminal.
    pub terminal: bool,
}

impl Engine {
    /// Attaches to a container. One that was not started yet may be attached to: the stream then carries from its very first byte.
    ///
    /// # Errors
    /// `Conflict` when it is paused or restarting.
    pub fn attach_container(&self, caller: &Caller, name: &str, request: AttachRequest) -> Result<Attached> {
        caller.permit(Operation::Change, &format!("attach to {name}"))?;
        let container = self.root.find(name)?;
        let terminal = container.record.settings.terminal;
        let (ours, theirs) = sys::unix::stream_pair().context("make a stream")?;
        let attached = Attached { stream: UnixStream::from(theirs), terminal };
        if !request.logs {
            if request.stream {
                self.connect_streams(&container, request, ours)?;
            }
            return Ok(attached);
        }
        let wanted = LogRequest { stdout: request.stdout, stderr: request.stderr, ..LogRequest::default() };
        let log = logs::open(&container, &wanted)?;
        let engine = self.clone();
        // The log may be longer than what a stream holds before its client reads.
        std::thread::Builder::new()
            .name("attach".to_owned())
            .spawn(move || {
                // A client that goes away meanwhile, or a container, ends it.
                let written = write_log(log, &UnixStream::from(ours));
                if let (Ok(stream), true) = (written, request.stream) {
                    let _ = engine.connect_streams(&container, request, stream);
                }
            })
            .context("begin to attach")?;
        Ok(attached)
    }

    /// Gives one end of a stream to the container's supervisor, or keeps it until there is one.
    fn connect_streams(&self, container: &Container, request: AttachRequest, ours: OwnedFd) -> Result<()> {
        let attach = Attach { stdin: request.stdin, stdout: request.stdout, stderr: request.stderr, pace: Pace::Wait };
        for _ in 0..ATTEMPTS {
            let observed = state::observe(container.directory.as_fd())?;
            let Observed::Supervised(_) = observed else {
                return self.root.pending.attach(&container.id, attach, ours);
            };
            if let Some(client) = Client::connect(container.directory.as_fd())? {
                return client.attach_stream(attach, ours.as_fd()).map(|_| ());
            }
            std::thread::sleep(PAUSE);
        }
        Err(Error::unavailable(format!("the supervisor of container {} does not answer", container.name())))
    }
}

/// Writes what was logged so far, framed unless it is a terminal's, and returns the stream.
fn write_log(mut log: logs::ContainerLogs, mut stream: &UnixStream) -> Result<OwnedFd> {
    let failed = "send what was logged";
    while let Polled::Item(entry) = log.poll_entry(Duration::ZERO)? {
        if !log.terminal() {
            stream.write_all(&entry.source.frame_header(entry.line.len())).context(failed)?;
        }
        stream.write_all(&entry.line).context(failed)?;
    }
    stream.as_fd().try_clone_to_owned().context(failed)
}
