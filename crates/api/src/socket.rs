//! A daemon's socket as a transport.

use base::{Error, Result};

use crate::message::{Request, Response};
use crate::transport::Transport;

/// An engine behind a socket.
#[derive(Debug)]
pub struct Socket {
    host: String,
}

impl Socket {
    /// An engine at `host`, as in `unix:///run/berth/berth.sock`.
    ///
    /// # Errors
    /// `Unsupported` for what is no such address.
    pub fn new(host: &str) -> Result<Self> {
        Ok(Self { host: host.to_owned() })
    }
}

impl Transport for Socket {
    fn send(&self, _: Request) -> Result<Response> {
        Err(Error::unsupported(format!("connect to {}: not yet", self.host)))
    }
}
