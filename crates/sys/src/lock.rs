//! Open-file-description locks over whole files (fcntl(2), Linux 3.15), which rustix lacks.

use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What a lock excludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Writers.
    Read,
    /// Everybody; the file must be open for writing.
    Write,
}

/// Takes the lock and waits for it.
///
/// # Errors
/// `EINTR` when a signal came first; `ENOLCK` and others as in fcntl(2).
pub fn wait(file: BorrowedFd<'_>, kind: Kind) -> Result<(), Errno> {
    control(file, libc::F_OFD_SETLKW, &mut whole_file(kind))
}

/// Takes the lock if nobody else holds it; whether it was taken.
///
/// # Errors
/// As in fcntl(2), but for `EAGAIN` and `EACCES`.
pub fn attempt(file: BorrowedFd<'_>, kind: Kind) -> Result<bool, Errno> {
    match control(file, libc::F_OFD_SETLK, &mut whole_file(kind)) {
        Ok(()) => Ok(true),
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Whether another open file description holds the lock for writing, without taking it.
///
/// # Errors
/// As in fcntl(2).
pub fn is_held(file: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mut lock = whole_file(Kind::Read);
    control(file, libc::F_OFD_GETLK, &mut lock)?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

fn whole_file(kind: Kind) -> libc::flock {
    let lock_type = match kind {
        Kind::Read => libc::F_RDLCK,
        Kind::Write => libc::F_WRLCK,
    };
    libc::flock {
        l_type: lock_type as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

fn control(file: BorrowedFd<'_>, command: libc::c_int, lock: &mut libc::flock) -> Result<(), Errno> {
    // SAFETY: the descriptor is open for the length of the borrow, and the kernel reads and writes one flock.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, std::ptr::from_mut(lock)) };
    if result == -1 { Err(crate::last_errno()) } else { Ok(()) }
}
