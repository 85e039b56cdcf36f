//! The typed client: a method for each operation of the API.
//!
//! It speaks the newest version, and to an older engine that one's: the first answer of a socket says which. What an operation streams is returned
//! as a reader or a connection; dropping it ends the operation on the engine's side.

mod containers;
mod execs;
mod images;
mod networks;
mod system;
mod volumes;

use std::fmt;
use std::io::Read;
use std::os::unix::net::UnixStream;

use base::{Error, Kind, Result};
use serde::de::DeserializeOwned;

use crate::message::{Method, Request, Response, ResponseBody};
use crate::transport::Transport;
use crate::types::ErrorMessage;

pub use containers::{AttachOptions, ListOptions, LogOptions, RemoveOptions, StopOptions, WaitCondition, Waiting};
pub use images::{ImportOptions, PullOptions, PushOptions, RemoveImageOptions};
pub use system::EventOptions;

/// The kind of an error that its status does not tell: a client on the same side of the world as the engine need not guess.
pub(crate) const KIND_HEADER: &str = "Berth-Error-Kind";

/// A client of an engine.
pub struct Client {
    transport: Box<dyn Transport>,
}

impl Client {
    /// A client that speaks through `transport`.
    #[must_use]
    pub fn new(transport: Box<dyn Transport>) -> Self {
        Self { transport }
    }

    /// Sends a request; an answer with an error status is an error of the kind that it says.
    ///
    /// # Errors
    /// What the engine answers, and `Unavailable` without one.
    pub fn send(&self, request: Request) -> Result<Response> {
        let response = self.transport.send(request)?;
        match response.status {
            100..=299 => Ok(response),
            304 => Err(Error::unchanged("the state already is as asked for")),
            _ => Err(error_of(response)),
        }
    }

    /// The answer to a request as JSON.
    ///
    /// # Errors
    /// As [`Client::send`], and `Corrupt` for an answer that is none.
    pub fn json<T: DeserializeOwned>(&self, request: Request) -> Result<T> {
        let bytes = self.send(request)?.into_bytes()?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::corrupt(format!("the engine's answer is not understood: {error}")))
    }

    /// The bytes that the engine answers to a GET of `path`: JSON as the engine wrote it.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn raw(&self, path: &str) -> Result<Vec<u8>> {
        self.send(Request::new(Method::Get, path))?.into_bytes()
    }

    /// Sends a request of which only the success is of interest.
    fn act(&self, request: Request) -> Result<()> {
        self.send(request)?.into_bytes()?;
        Ok(())
    }

    fn stream(&self, request: Request) -> Result<Box<dyn Read + Send>> {
        self.send(request)?.into_reader()
    }

    /// Sends a request whose answer takes over the connection.
    fn upgrade(&self, mut request: Request) -> Result<UnixStream> {
        request.headers.add("Connection", "Upgrade");
        request.headers.add("Upgrade", "tcp");
        match self.send(request)?.body {
            ResponseBody::Upgraded(stream) => Ok(stream),
            _ => Err(Error::corrupt("the engine did not answer with a stream")),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Client")
    }
}

fn error_of(response: Response) -> Error {
    let status = response.status;
    let kind = response.headers.get(KIND_HEADER).map_or_else(|| Kind::of_http_status(status), Kind::named);
    let bytes = response.into_bytes().unwrap_or_default();
    let message = match serde_json::from_slice::<ErrorMessage>(&bytes) {
        Ok(error) if !error.message.is_empty() => error.message,
        _ => format!("the engine answered with status {status}: {}", String::from_utf8_lossy(&bytes).trim()),
    };
    Error::new(kind, message)
}
