//! Reads what a container has written.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use base::time::Timestamp;
use base::{Error, Result};
pub use logs::Stream as LogSource;
use logs::{Driver, Options, ReadRequest, Reader};
use supervisor::state::{self, Observed};

use super::record::Container;
use crate::caller::Operation;
use crate::{Caller, Engine, Polled, layout};

/// After this time without an entry, a reader that follows looks whether there can be one: an exit changes no log.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

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
    reader: Reader,
    request: LogRequest,
    container: Container,
    /// The container does not write any more: what is there is all.
    is_complete: bool,
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
        let end = Instant::now() + patience;
        loop {
            while let Some(entry) = self.reader.next_entry()? {
                if let Some(entry) = self.wanted(entry) {
                    return Ok(Polled::Item(entry));
                }
            }
            if !self.request.follow || self.is_complete || self.is_over() {
                return Ok(Polled::End);
            }
            // What was written before the exit is read once more before the end.
            self.is_complete = self.has_exited()?;
            if self.is_complete {
                continue;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Polled::Nothing);
            }
            self.reader.wait(left.min(LOOK_AGAIN))?;
        }
    }

    fn wanted(&self, entry: logs::Entry) -> Option<LogEntry> {
        let is_wanted = match entry.stream {
            LogSource::Stdout => self.request.stdout,
            LogSource::Stderr => self.request.stderr,
        };
        is_wanted.then(|| LogEntry {
            time: entry.time,
            source: entry.stream,
            line: entry.line.into_bytes(),
            attributes: if self.request.details { entry.attributes } else { BTreeMap::new() },
        })
    }

    fn is_over(&self) -> bool {
        self.request.until.is_some_and(|until| until < Timestamp::now())
    }

    fn has_exited(&self) -> Result<bool> {
        Ok(!matches!(state::observe(self.container.directory.as_fd())?, Observed::Supervised(_)))
    }
}

/// Opens the log of a container.
///
/// # Errors
/// `Unsupported` when its log driver keeps nothing to read.
pub(super) fn open(container: &Container, request: &LogRequest) -> Result<ContainerLogs> {
    let settings = &container.record.settings;
    let options = Options::parse(&settings.log.driver, &settings.log.options)?;
    if options.driver == Driver::None {
        return Err(Error::unsupported("configured logging driver does not support reading"));
    }
    let wanted = ReadRequest { since: request.since, until: request.until, tail: request.tail, follow: request.follow };
    let reader = Reader::open(container.directory.as_fd(), layout::LOG, wanted)?;
    let container = Container {
        id: container.id.clone(),
        directory: base::Context::context(container.directory.try_clone(), "keep the container's directory open")?,
        record: container.record.clone(),
    };
    let terminal = settings.terminal;
    Ok(ContainerLogs { terminal, reader, request: request.clone(), container, is_complete: false })
}

impl Engine {
    /// Opens the log of a container.
    ///
    /// # Errors
    /// `Unsupported` when its log driver keeps nothing to read.
    pub fn container_logs(&self, caller: &Caller, name: &str, request: &LogRequest) -> Result<ContainerLogs> {
        caller.permit(Operation::Read, &format!("read the log of {name}"))?;
        open(&self.root.find(name)?, request)
    }
}
