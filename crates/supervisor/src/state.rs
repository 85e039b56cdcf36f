//! What a supervisor says of its container: `state.json`, and whether somebody stands behind it.

use crate::files;
use base::file::{self, Durability};
use base::id::Id;
use base::lock::Lock;
use base::time::Timestamp;
use base::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::os::fd::BorrowedFd;

/// Where a container is in its life. One that was never started has no `state.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its process is being made.
    Starting,
    /// Its process runs.
    Running,
    /// All of its processes are frozen.
    Paused,
    /// It was asked to stop and has not exited yet.
    Stopping,
    /// Its restart policy waits before the next start.
    Restarting,
    /// Its process has exited.
    Exited,
}

/// The content of `state.json`, written only by the holder of `alive`. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Where it is in its life.
    pub status: Status,
    /// Of the container's first process, on the host; 0 while there is none.
    pub pid: i32,
    /// Of the supervisor, on the host: for people. Liveness is the lock, never this.
    #[serde(default)]
    pub supervisor_pid: i32,
    /// Of the last start; never: [`Timestamp::ZERO`].
    pub started_at: Timestamp,
    /// Of the last exit; never: [`Timestamp::ZERO`].
    pub finished_at: Timestamp,
    /// Of the last exit: the process's own, or 128 and the signal that ended it.
    pub exit_code: i32,
    /// Whether the kernel killed a process of the last run for want of memory.
    #[serde(default)]
    pub oom_killed: bool,
    /// Why the last start failed; empty: it did not.
    #[serde(default)]
    pub error: String,
    /// How often the restart policy has started it since the user did.
    #[serde(default)]
    pub restart_count: u32,
    /// Whether processes, control group and mounts of the last run are gone.
    #[serde(default)]
    pub torn_down: bool,
    /// Whether the last exit was the user's wish.
    #[serde(default)]
    pub stopped_by_user: bool,
    /// Whether the host's packet filter knows nothing of the container any more.
    #[serde(default)]
    pub rules_withdrawn: bool,
}

impl State {
    /// A state that begins now.
    #[must_use]
    pub fn starting() -> Self {
        Self {
            status: Status::Starting,
            pid: 0,
            supervisor_pid: rustix::process::getpid().as_raw_nonzero().get(),
            started_at: Timestamp::ZERO,
            finished_at: Timestamp::ZERO,
            exit_code: 0,
            oom_killed: false,
            error: String::new(),
            restart_count: 0,
            torn_down: false,
            stopped_by_user: false,
            rules_withdrawn: false,
        }
    }

    /// Reads it from a container's directory; `None` where the container was never started.
    ///
    /// # Errors
    /// `Corrupt` for what a power cut left half-written.
    pub fn read(directory: BorrowedFd<'_>) -> Result<Option<Self>> {
        file::read_json(directory, files::STATE)
    }

    /// Replaces it. The caller holds `alive`.
    ///
    /// # Errors
    /// When the disk is full or broken; the old one is then unharmed.
    pub fn write(&self, directory: BorrowedFd<'_>, durability: Durability) -> Result<()> {
        file::replace_json(directory, files::STATE, self, durability)
    }
}

/// The refusal of what only a running container can do, in Docker's words.
#[must_use]
pub fn not_running(container: &Id) -> Error {
    Error::conflict(format!("Container {container} is not running"))
}

/// The refusal of what only a running container can do, while a restart policy waits; in Docker's words.
#[must_use]
pub fn restarting(container: &Id) -> Error {
    Error::conflict(format!("Container {container} is restarting, wait until the container is running"))
}

/// What is known of a container without asking its supervisor.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// It was never started.
    NeverStarted,
    /// A supervisor is there; `None` when it has not written anything yet.
    Supervised(Option<State>),
    /// It has exited and everything was torn down.
    Exited(State),
    /// Its supervisor is gone and nobody has torn down. The state is the last one, where it can be read.
    Broken(Option<State>),
}

/// Looks at a container without taking a lock and without changing anything.
///
/// # Errors
/// When the files cannot be opened. A damaged `state.json` is no error: its container is broken.
pub fn observe(directory: BorrowedFd<'_>) -> Result<Observed> {
    // In this order: a supervisor that exits in between has written its last state before it frees the lock.
    let held = Lock::is_held(directory, files::ALIVE)?;
    let state = match State::read(directory) {
        Ok(state) => state,
        Err(error) if error.kind() == Kind::Corrupt && !held => return Ok(Observed::Broken(None)),
        Err(error) if error.kind() == Kind::Corrupt => None,
        Err(error) => return Err(error),
    };
    Ok(match state {
        state if held => Observed::Supervised(state),
        None => Observed::NeverStarted,
        Some(state) if state.status == Status::Exited && state.torn_down => Observed::Exited(state),
        Some(state) => Observed::Broken(Some(state)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::lock::Sharing;
    use std::os::fd::AsFd;

    #[test]
    fn a_free_lock_and_an_unfinished_state_are_a_broken_container() {
        let path = std::env::temp_dir().join(format!("supervisor-state-{}", std::process::id()));
        let directory = file::make_directories(&path, 0o700).unwrap();
        let directory = directory.as_fd();
        assert_eq!(observe(directory).unwrap(), Observed::NeverStarted);
        let held = Lock::acquire(directory, files::ALIVE, Sharing::Exclusive).unwrap();
        assert_eq!(observe(directory).unwrap(), Observed::Supervised(None));
        let mut state = State::starting();
        state.write(directory, Durability::Lazy).unwrap();
        assert_eq!(observe(directory).unwrap(), Observed::Supervised(Some(state.clone())));
        drop(held);
        assert_eq!(observe(directory).unwrap(), Observed::Broken(Some(state.clone())));
        state.status = Status::Exited;
        state.torn_down = true;
        state.write(directory, Durability::Synced).unwrap();
        assert_eq!(observe(directory).unwrap(), Observed::Exited(state));
        file::replace(directory, files::STATE, b"", Durability::Lazy).unwrap();
        assert_eq!(observe(directory).unwrap(), Observed::Broken(None));
        std::fs::remove_dir_all(path).unwrap();
    }
}
