//! Linux facilities that std and rustix lack, as safe functions on file descriptors.

pub mod lock;

/// The error of the system call that failed last on this thread.
pub(crate) fn last_errno() -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(rustix::io::Errno::IO)
}
