//! Execs.

use std::os::unix::net::UnixStream;

use base::Result;

use super::Client;
use crate::message::{Method, Request};
use crate::types::{ExecConfig, ExecCreated, ExecInspect, ExecStart};

/// Operations on execs. Each fails with `NotFound` without such an exec.
#[allow(clippy::missing_errors_doc, reason = "the errors are the engine's, and its operations name them")]
impl Client {
    /// Prepares a further process in a running container.
    pub fn create_exec(&self, container: &str, config: &ExecConfig) -> Result<ExecCreated> {
        self.json(Request::new(Method::Post, super::containers::address(container, "/exec")).with_json(config)?)
    }

    /// Starts a prepared exec and connects to its streams, as `attach_container` does.
    pub fn start_exec(&self, exec: &str, start: &ExecStart) -> Result<UnixStream> {
        self.upgrade(Request::new(Method::Post, format!("/exec/{exec}/start")).with_json(start)?)
    }

    /// Starts a prepared exec without a client.
    pub fn start_exec_detached(&self, exec: &str, start: &ExecStart) -> Result<()> {
        let start = ExecStart { detach: true, ..start.clone() };
        self.act(Request::new(Method::Post, format!("/exec/{exec}/start")).with_json(&start)?)
    }

    /// Everything of an exec.
    pub fn inspect_exec(&self, exec: &str) -> Result<ExecInspect> {
        self.json(Request::new(Method::Get, format!("/exec/{exec}/json")))
    }

    /// Sets the size of an exec's terminal, in characters.
    pub fn resize_exec(&self, exec: &str, height: u16, width: u16) -> Result<()> {
        let mut request = Request::new(Method::Post, format!("/exec/{exec}/resize"));
        request.query.add("h", height.to_string());
        request.query.add("w", width.to_string());
        self.act(request)
    }
}
