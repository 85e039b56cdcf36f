//! A process that this one is the parent of.

use base::{Context, Error, Result};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A child of this process, named by a descriptor, so that its number cannot come to mean another one.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    descriptor: OwnedFd,
}

impl Child {
    /// The child with this number, and a descriptor that names it.
    #[must_use]
    pub fn new(pid: Pid, descriptor: OwnedFd) -> Self {
        Self { pid, descriptor }
    }

    /// Its number, which is its own until it is reaped.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Readable when it has exited.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Its exit code, or 128 and the signal that ended it; `None` while it runs.
    #[must_use]
    pub fn reap(&self) -> Option<i32> {
        self.look(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    /// Waits for its end.
    pub fn wait(&self) {
        let _ = self.look(WaitIdOptions::EXITED);
    }

    fn look(&self, options: WaitIdOptions) -> Option<i32> {
        loop {
            match rustix::process::waitid(WaitId::PidFd(self.descriptor.as_fd()), options) {
                Ok(Some(status)) => {
                    let signal = status.terminating_signal().map(|signal| 128 + signal);
                    return Some(status.exit_status().or(signal).unwrap_or(255));
                }
                Ok(None) => return None,
                Err(Errno::INTR) => {}
                // Somebody else has reaped it: nobody can, but it is not waited for without end.
                Err(_) => return Some(255),
            }
        }
    }

    /// Sends the signal with this number.
    ///
    /// # Errors
    /// [`Kind::Invalid`](base::Kind::Invalid) for no signal. One that has exited is no error.
    pub fn signal(&self, signal: i32) -> Result<()> {
        match sys::pidfd::send_signal(self.descriptor.as_fd(), signal) {
            // It has exited, and is about to be reaped.
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(Errno::INVAL) => Err(Error::invalid(format!("invalid signal: {signal}"))),
            Err(errno) => Err(errno).context("send the signal"),
        }
    }
}
