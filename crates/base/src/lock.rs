//! Locks between processes: open-file-description locks on a file below a directory's handle.
//!
//! They end with the last copy of the descriptor, so a `kill -9` frees them, and a reader can test them without
//! taking them (fcntl(2), `F_OFD_GETLK`, Linux 3.15).

use crate::{Context, Result};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Who may hold a lock beside the taker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Other takers of a shared lock.
    Shared,
    /// Nobody.
    Exclusive,
}

/// A held lock. Dropping it, or the death of its process, frees it.
#[derive(Debug)]
pub struct Lock(OwnedFd);

impl Lock {
    /// Takes the lock on the file `name` below `directory`, which is made where it is missing, and waits for it.
    ///
    /// # Errors
    /// When the file cannot be opened or the file system has no locks.
    pub fn acquire(directory: BorrowedFd<'_>, name: &str, sharing: Sharing) -> Result<Self> {
        let file = open(directory, name)?;
        loop {
            match sys::lock::wait(file.as_fd(), sharing.into()) {
                Ok(()) => return Ok(Self(file)),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).with_context(|| format!("lock {name}")),
            }
        }
    }

    /// The same without waiting: `None` when somebody else holds it.
    ///
    /// # Errors
    /// As [`Lock::acquire`].
    pub fn try_acquire(directory: BorrowedFd<'_>, name: &str, sharing: Sharing) -> Result<Option<Self>> {
        let file = open(directory, name)?;
        match sys::lock::attempt(file.as_fd(), sharing.into()) {
            Ok(true) => Ok(Some(Self(file))),
            Ok(false) => Ok(None),
            Err(errno) => Err(errno).with_context(|| format!("lock {name}")),
        }
    }

    /// Whether somebody holds the lock exclusively, without taking it.
    ///
    /// # Errors
    /// When the file exists and cannot be opened.
    pub fn is_held(directory: BorrowedFd<'_>, name: &str) -> Result<bool> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Ok(file) => sys::lock::is_held(file.as_fd()).with_context(|| format!("test the lock {name}")),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno).with_context(|| format!("open the lock {name}")),
        }
    }
}

impl From<Lock> for OwnedFd {
    fn from(lock: Lock) -> Self {
        lock.0
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Sharing> for sys::lock::Kind {
    fn from(sharing: Sharing) -> Self {
        match sharing {
            Sharing::Shared => Self::Read,
            Sharing::Exclusive => Self::Write,
        }
    }
}

fn open(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o600))
        .with_context(|| format!("open the lock {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excludes_shares_and_shows() {
        let path = std::env::temp_dir().join(format!("base-lock-{}", std::process::id()));
        let directory = crate::file::make_directories(&path, 0o700).unwrap();
        let directory = directory.as_fd();
        assert!(!Lock::is_held(directory, "l").unwrap());
        let held = Lock::try_acquire(directory, "l", Sharing::Exclusive).unwrap().unwrap();
        assert!(Lock::is_held(directory, "l").unwrap());
        assert!(Lock::try_acquire(directory, "l", Sharing::Shared).unwrap().is_none());
        drop(held);
        let _one = Lock::acquire(directory, "l", Sharing::Shared).unwrap();
        let _two = Lock::acquire(directory, "l", Sharing::Shared).unwrap();
        assert!(Lock::try_acquire(directory, "l", Sharing::Exclusive).unwrap().is_none());
        std::fs::remove_dir_all(path).unwrap();
    }
}
