//! The journal of what happened: `events.jsonl`, one JSON object per line, appended by whoever does a thing.
//!
//! A line is one `O_APPEND` write to a file that is opened under a shared lock; rotation renames the file under the exclusive one, so no
//! writer ever holds a file that was rotated away. Reading it is the engine's.

use crate::lock::{Lock, Sharing};
use crate::time::Timestamp;
use crate::{Context, Error, Result};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// The journal, in a state root.
pub const FILE: &str = "events.jsonl";
/// Its predecessor.
pub const OLDER: &str = "events.jsonl.1";
const LOCK: &str = ".events.lock";
/// From this size on, a journal is rotated; one older file is kept.
const ROTATE_BYTES: u64 = 8 << 20;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// `container`, `image`, `volume`, `network`, `daemon`.
    pub kind: String,
    /// `create`, `start`, `die` and the like.
    pub action: String,
    /// The id or the name of what it happened to.
    pub subject: String,
    /// Image, name, exit code, labels.
    pub attributes: BTreeMap<String, String>,
}

/// Appends `event` to the journal of the state root that `root` is open on.
///
/// # Errors
/// `Unavailable` where a rotation takes longer than `patience`; a full disk.
pub fn append(root: BorrowedFd<'_>, event: &Event, patience: Duration) -> Result<()> {
    let mut line = serde_json::to_vec(event).context("encode an event")?;
    line.push(b'\n');
    let size = {
        let _shared = lock(root, Sharing::Shared, patience)?;
        let file = open_for_append(root)?;
        write_once(&file, &line)?;
        rustix::fs::fstat(&file).map_or(0, |status| u64::try_from(status.st_size).unwrap_or(0))
    };
    if size < ROTATE_BYTES { Ok(()) } else { rotate(root, patience) }
}

/// Whoever holds it may be stopped, or die slowly: nobody waits for that.
fn lock(root: BorrowedFd<'_>, sharing: Sharing, patience: Duration) -> Result<Lock> {
    let end = Instant::now() + patience;
    loop {
        if let Some(lock) = Lock::try_acquire(root, LOCK, sharing)? {
            return Ok(lock);
        }
        if Instant::now() >= end {
            return Err(Error::unavailable("the journal is being rotated"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn open_for_append(root: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(root, FILE, flags, Mode::from_raw_mode(0o600)).context("open the journal")
}

// A second write would let another process's line come between: what does not go out at once is a full disk.
fn write_once(file: &OwnedFd, line: &[u8]) -> Result<()> {
    loop {
        match rustix::io::write(file, line) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).context("write the journal"),
        }
    }
}

fn rotate(root: BorrowedFd<'_>, patience: Duration) -> Result<()> {
    let _alone = lock(root, Sharing::Exclusive, patience)?;
    // Another writer may have been quicker.
    let status = rustix::fs::statat(root, FILE, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).context("stat the journal")?;
    if u64::try_from(status.st_size).unwrap_or(0) < ROTATE_BYTES {
        return Ok(());
    }
    rustix::fs::renameat(root, FILE, root, OLDER).context("rotate the journal")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn appends_and_gives_up_in_time() {
        let path = std::env::temp_dir().join(format!("base-journal-{}", std::process::id()));
        let root = crate::file::make_directories(&path, 0o700).unwrap();
        let event = Event {
            time: Timestamp::from_unix(1, 0),
            kind: "container".to_owned(),
            action: "die".to_owned(),
            subject: "ab".to_owned(),
            attributes: BTreeMap::new(),
        };
        append(root.as_fd(), &event, Duration::ZERO).unwrap();
        append(root.as_fd(), &event, Duration::ZERO).unwrap();
        let text = std::fs::read_to_string(path.join(FILE)).unwrap();
        let lines: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, [event.clone(), event.clone()]);
        let _rotating = Lock::acquire(root.as_fd(), LOCK, Sharing::Exclusive).unwrap();
        assert!(append(root.as_fd(), &event, Duration::from_millis(2)).is_err());
        std::fs::remove_dir_all(path).unwrap();
    }
}
