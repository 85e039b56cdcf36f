//! Containers.

use std::io::Read;
use std::os::unix::net::UnixStream;

use base::{Error, Result};
pub use engine::containers::WaitCondition;

use super::Client;
use crate::filters::Filters;
use crate::message::{Method, Request};
use crate::types::{
    ContainerInspect, ContainerPrune, ContainerSummary, CreateContainer, CreateResponse, HostConfig, UpdateResponse,
    WaitResponse,
};

/// Which containers to list.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Also those that do not run.
    pub all: bool,
    /// Only the last so many made, in any state.
    pub limit: Option<u64>,
    /// With sizes.
    pub size: bool,
    /// Only what passes.
    pub filters: Filters,
}

/// How to stop or restart.
#[derive(Clone, Debug, Default)]
pub struct StopOptions {
    /// Instead of the container's own.
    pub signal: Option<String>,
    /// Instead of the container's own; negative waits for ever.
    pub timeout_seconds: Option<i64>,
}

/// How to remove.
#[derive(Clone, Copy, Debug, Default)]
pub struct RemoveOptions {
    /// Kills it first.
    pub force: bool,
    /// Also its anonymous volumes.
    pub volumes: bool,
    /// Only a link, which berth has none of.
    pub link: bool,
}

/// What of a log to read. Times as Docker takes them: RFC 3339, seconds since 1970 with or without a fraction, or a duration before now.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// Goes on until the container has exited.
    pub follow: bool,
    /// Only from then on.
    pub since: Option<String>,
    /// Only before.
    pub until: Option<String>,
    /// Each line with its time.
    pub timestamps: bool,
    /// `all` or a number.
    pub tail: Option<String>,
    /// Each line with its attributes.
    pub details: bool,
}

/// What to attach.
#[derive(Clone, Debug, Default)]
pub struct AttachOptions {
    /// What is written becomes standard input.
    pub stdin: bool,
    /// Standard output comes back.
    pub stdout: bool,
    /// Standard error comes back.
    pub stderr: bool,
    /// What was logged so far comes first.
    pub logs: bool,
    /// Goes on with what is written from now on.
    pub stream: bool,
}

/// A wait under way: it is in force, and no exit after now is missed.
pub struct Waiting(Box<dyn Read + Send>);

impl Waiting {
    /// Blocks until the condition holds.
    ///
    /// # Errors
    /// `Unavailable` when the engine goes away meanwhile.
    pub fn finish(self) -> Result<WaitResponse> {
        let mut bytes = Vec::new();
        let read = self.0.take(1 << 20).read_to_end(&mut bytes);
        read.map_err(|error| Error::unavailable(format!("wait: {error}")))?;
        if bytes.trim_ascii().is_empty() {
            return Err(Error::unavailable("wait: the engine went away"));
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::corrupt(format!("the engine's answer is not understood: {error}")))
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Waiting")
    }
}

/// The address of something of a container; `/web` is the name that lists and inspect show.
pub(super) fn address(name: &str, part: &str) -> String {
    format!("/containers/{}{part}", name.strip_prefix('/').unwrap_or(name))
}

fn post(name: &str, verb: &str) -> Request {
    Request::new(Method::Post, address(name, &format!("/{verb}")))
}

fn stop_request(name: &str, verb: &str, options: &StopOptions) -> Request {
    let mut request = post(name, verb);
    request.query.add_some("signal", options.signal.as_ref());
    request.query.add_some("t", options.timeout_seconds);
    request
}

/// Operations on containers; a name is a name, an id or the beginning of one. Each fails with `NotFound` without such a container.
#[allow(clippy::missing_errors_doc, reason = "the errors are the engine's, and its operations name them")]
impl Client {
    /// Lists containers, the newest first.
    pub fn list_containers(&self, options: &ListOptions) -> Result<Vec<ContainerSummary>> {
        let mut request = Request::new(Method::Get, "/containers/json");
        request.query.add_flag("all", options.all);
        request.query.add_flag("size", options.size);
        request.query.add_some("limit", options.limit);
        request.query.add_filters(&options.filters);
        self.json(request)
    }

    /// Makes a container.
    pub fn create_container(
        &self,
        name: Option<&str>,
        platform: Option<&str>,
        body: &CreateContainer,
    ) -> Result<CreateResponse> {
        let mut request = Request::new(Method::Post, "/containers/create").with_json(body)?;
        request.query.add_some("name", name);
        request.query.add_some("platform", platform);
        self.json(request)
    }

    /// Everything of a container.
    pub fn inspect_container(&self, name: &str) -> Result<ContainerInspect> {
        self.json(Request::new(Method::Get, address(name, "/json")))
    }

    /// Everything of a container, as the engine writes it.
    pub fn inspect_container_json(&self, name: &str) -> Result<Vec<u8>> {
        self.raw(&address(name, "/json"))
    }

    /// The same with sizes.
    pub fn inspect_container_json_with_size(&self, name: &str) -> Result<Vec<u8>> {
        let mut request = Request::new(Method::Get, address(name, "/json"));
        request.query.add("size", "1");
        self.send(request)?.into_bytes()
    }

    /// Starts a container; one that runs already is `Unchanged`.
    pub fn start_container(&self, name: &str) -> Result<()> {
        self.act(post(name, "start"))
    }

    /// Stops a container; one that does not run is `Unchanged`.
    pub fn stop_container(&self, name: &str, options: &StopOptions) -> Result<()> {
        self.act(stop_request(name, "stop", options))
    }

    /// Stops and starts a container.
    pub fn restart_container(&self, name: &str, options: &StopOptions) -> Result<()> {
        self.act(stop_request(name, "restart", options))
    }

    /// Sends a signal, by name or number; empty is `SIGKILL`.
    pub fn kill_container(&self, name: &str, signal: &str) -> Result<()> {
        let mut request = post(name, "kill");
        if !signal.is_empty() {
            request.query.add("signal", signal);
        }
        self.act(request)
    }

    /// Begins to wait. When this returns, the wait is in force.
    pub fn wait_container(&self, name: &str, condition: WaitCondition) -> Result<Waiting> {
        let mut request = post(name, "wait");
        match condition {
            WaitCondition::NotRunning => {}
            WaitCondition::NextExit => request.query.add("condition", "next-exit"),
            WaitCondition::Removed => request.query.add("condition", "removed"),
        }
        Ok(Waiting(self.stream(request)?))
    }

    /// Removes a container.
    pub fn remove_container(&self, name: &str, options: RemoveOptions) -> Result<()> {
        let mut request = Request::new(Method::Delete, address(name, ""));
        request.query.add_flag("force", options.force);
        request.query.add_flag("v", options.volumes);
        request.query.add_flag("link", options.link);
        self.act(request)
    }

    /// Gives a container another name.
    pub fn rename_container(&self, name: &str, new_name: &str) -> Result<()> {
        let mut request = post(name, "rename");
        request.query.add("name", new_name);
        self.act(request)
    }

    /// Changes what may change while a container runs.
    pub fn update_container(&self, name: &str, change: &HostConfig) -> Result<UpdateResponse> {
        self.json(post(name, "update").with_json(change)?)
    }

    /// Freezes a container.
    pub fn pause_container(&self, name: &str) -> Result<()> {
        self.act(post(name, "pause"))
    }

    /// Lets a frozen container go on.
    pub fn unpause_container(&self, name: &str) -> Result<()> {
        self.act(post(name, "unpause"))
    }

    /// What a container has written: raw bytes where it has a terminal, else Docker's frames.
    pub fn container_logs(&self, name: &str, options: &LogOptions) -> Result<Box<dyn Read + Send>> {
        let mut request = Request::new(Method::Get, address(name, "/logs"));
        let query = &mut request.query;
        query.add_flag("stdout", options.stdout);
        query.add_flag("stderr", options.stderr);
        query.add_flag("follow", options.follow);
        query.add_flag("timestamps", options.timestamps);
        query.add_flag("details", options.details);
        query.add_some("since", options.since.as_ref());
        query.add_some("until", options.until.as_ref());
        query.add_some("tail", options.tail.as_ref());
        self.stream(request)
    }

    /// Attaches to a container: raw bytes where it has a terminal, else Docker's frames; what is written is standard input, and shutting down the
    /// writing half ends it.
    pub fn attach_container(&self, name: &str, options: &AttachOptions) -> Result<UnixStream> {
        let mut request = post(name, "attach");
        let query = &mut request.query;
        query.add_flag("stdin", options.stdin);
        query.add_flag("stdout", options.stdout);
        query.add_flag("stderr", options.stderr);
        query.add_flag("logs", options.logs);
        query.add_flag("stream", options.stream);
        self.upgrade(request)
    }

    /// Sets the size of a container's terminal, in characters.
    pub fn resize_container(&self, name: &str, height: u16, width: u16) -> Result<()> {
        let mut request = post(name, "resize");
        request.query.add("h", height.to_string());
        request.query.add("w", width.to_string());
        self.act(request)
    }

    /// Removes every container that is down and passes.
    pub fn prune_containers(&self, filters: &Filters) -> Result<ContainerPrune> {
        let mut request = Request::new(Method::Post, "/containers/prune");
        request.query.add_filters(filters);
        self.json(request)
    }
}
