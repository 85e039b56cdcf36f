//! A daemon's socket as a transport: HTTP/1.1, blocking, a connection for each request.
//!
//! It speaks the version of the API that both sides know, to berth's daemon and to Docker's. A response's body is read as it comes; dropping it ends the
//! connection, by which a daemon sees that nobody waits any more.

mod body;
pub(crate) mod head;

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use base::{Context, Error, Result};

use crate::address::Address;
use crate::message::{Method, Request, RequestBody, Response, ResponseBody};
use crate::transport::Transport;
use crate::version::Version;
use body::{Body, Failure};
use head::{Framing, Head};

/// An engine behind a socket.
#[derive(Debug)]
pub struct Socket {
    host: String,
    address: Address,
    /// What stands before every path, once the engine has told its version.
    prefix: OnceLock<String>,
}

impl Socket {
    /// An engine at `host`, as in `unix:///run/berth/berth.sock`. Connects with the first request.
    ///
    /// # Errors
    /// `Unsupported` for a host of another kind, `Invalid` for what is none.
    pub fn new(host: &str) -> Result<Self> {
        Ok(Self { host: host.to_owned(), address: Address::parse(host)?, prefix: OnceLock::new() })
    }

    /// The version that both sides speak, as in `/v1.41`; nothing where the engine does not tell its own.
    fn prefix(&self) -> Result<&str> {
        if let Some(prefix) = self.prefix.get() {
            return Ok(prefix);
        }
        let mut answer = self.exchange(Request::new(Method::Head, "/_ping"), "")?;
        if answer.headers.get("Api-Version").is_none() {
            // Engines before 1.40 answer only this.
            answer = self.exchange(Request::new(Method::Get, "/_ping"), "")?;
        }
        let prefix = match answer.headers.get("Api-Version") {
            Some(theirs) => {
                let version =
                    Version::common(theirs).map_err(|error| error.context(format!("the engine at {}", self.host)))?;
                format!("/v{version}")
            }
            None => String::new(),
        };
        Ok(self.prefix.get_or_init(|| prefix))
    }

    fn connect(&self) -> Result<UnixStream> {
        self.address.connect().map_err(|error| {
            let host = &self.host;
            match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    Error::unavailable(format!("cannot connect to the engine at {host}: is berth daemon running?"))
                }
                io::ErrorKind::PermissionDenied => Error::denied(format!(
                    "cannot connect to the engine at {host}: permission denied: be root, or a member of the socket's group"
                )),
                _ => Error::unavailable(format!("cannot connect to the engine at {host}: {error}")),
            }
        })
    }

    fn exchange(&self, mut request: Request, prefix: &str) -> Result<Response> {
        let head = head::write(&request, prefix)?;
        let stream = self.connect()?;
        let failure = Failure::default();
        let sent = send(&stream, &head, std::mem::take(&mut request.body), &failure);
        let head = head::read(&stream).map_err(|error| match (body::take(&failure), sent) {
            (Some(cause), _) => Error::invalid(format!("send the request's body: {cause}")),
            (None, Err(cause)) => cause,
            (None, Ok(())) => error,
        })?;
        let wants_stream = request.headers.get("Upgrade").is_some();
        let body = body_of(&head, (request.method, wants_stream), stream, failure)?;
        Ok(Response { status: head.status, headers: head.headers, body })
    }
}

impl Transport for Socket {
    fn send(&self, request: Request) -> Result<Response> {
        let prefix = self.prefix()?;
        self.exchange(request, prefix)
    }
}

/// Sends a request; its body from a thread of its own where it must be read first, since an engine may answer while it still reads.
fn send(mut stream: &UnixStream, head: &[u8], body: RequestBody, failure: &Failure) -> Result<()> {
    let gone = |error: io::Error| Error::unavailable(format!("send a request to the engine: {error}"));
    match body {
        RequestBody::Empty => stream.write_all(head).map_err(gone),
        RequestBody::Bytes(bytes) => stream.write_all(&[head, &bytes].concat()).map_err(gone),
        RequestBody::Reader(mut reader) => {
            stream.write_all(head).map_err(gone)?;
            let (stream, failure) = (stream.try_clone().context("share a connection")?, failure.clone());
            let work = move || body::send(&mut *reader, &stream, &failure);
            std::thread::Builder::new()
                .name("upload".to_owned())
                .spawn(work)
                .context("start a thread for a request's body")?;
            Ok(())
        }
    }
}

fn body_of(
    head: &Head,
    (method, wants_stream): (Method, bool),
    stream: UnixStream,
    failure: Failure,
) -> Result<ResponseBody> {
    if wants_stream && head.is_upgraded() {
        return Ok(ResponseBody::Upgraded(stream));
    }
    Ok(match head.framing(method)? {
        Framing::Length(0) => ResponseBody::Empty,
        framing => ResponseBody::Reader(Box::new(Body::new(stream, framing, failure))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Kind;

    #[test]
    fn nobody_listening_is_said() {
        let host = "unix:///nonexistent/berth.sock";
        let error = Socket::new(host).unwrap().send(Request::new(Method::Get, "/info")).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert_eq!(error.to_string(), format!("cannot connect to the engine at {host}: is berth daemon running?"));
    }
}
