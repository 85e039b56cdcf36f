//! Reads what a container has written.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Result;
use base::time::Timestamp;

use crate::{Caller, Engine, Polled};

/// What to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRequest {
    /// Lines of standard output.
    pub stdout: bool,
    /// Lines of standard error.
    pub stderr: bool,
    /// Goes on until the container has exited.
    pub follow: bool,
    /// Only lines from then on.
    pub since: Option<Timestamp>,
    /// Only lines before.
    pub until: Option<Timestamp>,
    /// Only the last so many; `None`: all.
    pub tail: Option<u64>,
    /// Whether entries carry the attributes that the log options asked for.
    pub details: bool,
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line, or a part of a very long one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When it was read.
    pub time: Timestamp,
    /// Where it came from.
    pub source: LogSource,
    /// With its line break, if it had one.
    pub line: Vec<u8>,
    /// Labels and variables that the log options asked for.
    pub attributes: BTreeMap<String, String>,
}

/// An open log.
#[derive(Debug)]
pub struct ContainerLogs {
    terminal: bool,
}

impl ContainerLogs {
    /// Whether the container has a terminal: its lines are then sent unframed.
    #[must_use]
    pub fn terminal(&self) -> bool {
        self.terminal
    }

    /// The next entry; while following, waits for one no longer than `patience`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn poll_entry(&mut self, patience: Duration) -> Result<Polled<LogEntry>> {
        let _ = patience;
        todo!()
    }
}

impl Engine {
    /// Opens the log of a container.
    ///
    /// # Errors
    /// `Unsupported` when its log driver keeps nothing to read.
    pub fn container_logs(&self, caller: &Caller, name: &str, request: &LogRequest) -> Result<ContainerLogs> {
        let _ = (caller, name, request);
        todo!()
    }
}
