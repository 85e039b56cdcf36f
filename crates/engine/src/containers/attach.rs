//! Connects a client to a container's streams.

use std::os::unix::net::UnixStream;

use base::Result;

use crate::{Caller, Engine};

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
        let _ = (caller, name, request);
        todo!()
    }
}
