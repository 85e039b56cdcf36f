//! Records of execs: `execs/<id>.json`, the last hundred of a container.

use crate::files;
use base::file::{self, Durability};
use base::id::Id;
use base::time::Timestamp;
use base::{Context, Result};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};

/// How many finished execs are kept.
pub const KEPT: usize = 100;

/// What is known of one exec. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: Id,
    /// Whether it runs. It does not, whatever this says, when the container's supervisor is gone.
    pub running: bool,
    /// On the host; 0 after the exit.
    pub pid: i32,
    /// Once it has exited: its own code, or 128 and the signal that ended it.
    pub exit_code: Option<i32>,
    /// Whether it has a terminal.
    pub terminal: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; never: [`Timestamp::ZERO`].
    pub finished_at: Timestamp,
}

impl Record {
    /// Reads one from a container's directory; `None` where it never began, or is forgotten.
    ///
    /// # Errors
    /// `Corrupt` for what a power cut left half-written.
    pub fn read(directory: BorrowedFd<'_>, id: &Id) -> Result<Option<Self>> {
        match file::open_directory_at(directory, files::EXECS) {
            Ok(execs) => file::read_json(execs.as_fd(), &name(id)),
            Err(error) if error.errno() == Some(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it. Only the container's supervisor does.
    pub(crate) fn write(&self, directory: BorrowedFd<'_>) -> Result<()> {
        let execs = file::make_directory_at(directory, files::EXECS, 0o700)?;
        file::replace_json(execs.as_fd(), &name(&self.id), self, Durability::Lazy)
    }

    /// Forgets it.
    pub(crate) fn remove(directory: BorrowedFd<'_>, id: &Id) -> Result<()> {
        let execs = file::make_directory_at(directory, files::EXECS, 0o700)?;
        file::remove(execs.as_fd(), &name(id)).context("forget an exec")
    }
}

fn name(id: &Id) -> String {
    format!("{id}.json")
}

/// The records that are there when a supervisor begins; none of them runs any more.
pub(crate) fn finished(directory: BorrowedFd<'_>) -> VecDeque<Id> {
    let Ok(execs) = file::open_directory_at(directory, files::EXECS) else { return VecDeque::new() };
    let Ok(entries) = rustix::fs::Dir::read_from(&execs) else { return VecDeque::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned));
    names.filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect()
}
