//! Signals to processes by descriptor (pidfd_send_signal(2), Linux 5.1), real-time ones included, which rustix has no names for.

use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sends the signal with this number; 0 only looks whether that could be done.
///
/// # Errors
/// `EINVAL` for no signal, `ESRCH` for a process that has exited, otherwise as in pidfd_send_signal(2).
pub fn send_signal(process: BorrowedFd<'_>, signal: i32) -> Result<(), Errno> {
    let information = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null pointer asks for the information that kill(2) would send.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, information, 0) };
    if result == -1 { Err(crate::last_errno()) } else { Ok(()) }
}
