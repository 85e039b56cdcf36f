//! Linux facilities that std and rustix lack, as safe functions on file descriptors.

pub mod bpf;
pub mod clone;
pub mod host_identity;
pub mod lock;
pub mod mount;
pub mod netlink;
pub mod network;
pub mod pidfd;
pub mod process;
pub mod seccomp;
pub mod unix;

/// The error of the system call that failed last on this thread.
pub(crate) fn last_errno() -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(rustix::io::Errno::IO)
}
