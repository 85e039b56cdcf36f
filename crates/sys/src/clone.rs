//! New processes (clone3(2), Linux 5.3; `CLONE_INTO_CGROUP`, Linux 5.7), which rustix lacks.

use rustix::io::Errno;
use rustix::process::Pid;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

// libc's constant of this name is 0 on glibc: it does not fit into the type that was chosen there.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Namespaces that a new process gets for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Mounts.
    pub mount: bool,
    /// Process ids.
    pub pid: bool,
    /// Network devices, addresses, ports.
    pub network: bool,
    /// System V IPC and POSIX message queues.
    pub ipc: bool,
    /// Host and domain name.
    pub uts: bool,
    /// The view of control groups.
    pub cgroup: bool,
}

impl Namespaces {
    fn flags(self) -> u64 {
        let pairs = [
            (self.mount, libc::CLONE_NEWNS),
            (self.pid, libc::CLONE_NEWPID),
            (self.network, libc::CLONE_NEWNET),
            (self.ipc, libc::CLONE_NEWIPC),
            (self.uts, libc::CLONE_NEWUTS),
            (self.cgroup, libc::CLONE_NEWCGROUP),
        ];
        pairs.iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| *flag as u64).sum()
    }
}

/// On which side of a [`fork`] this is.
#[derive(Debug)]
pub enum Side {
    /// The process that asked: the new one's id and a handle on it.
    Parent(Pid, OwnedFd),
    /// The new process.
    Child,
}

/// Makes a copy of this process in new namespaces and, on cgroup v2, in `cgroup`.
///
/// The caller must have one thread: a copy of a process with more of them inherits locks that nobody will free.
///
/// # Errors
/// `EDEADLK` when there are other threads, otherwise as in clone3(2).
pub fn fork(namespaces: Namespaces, cgroup: Option<BorrowedFd<'_>>) -> Result<Side, Errno> {
    if threads() != Some(1) {
        return Err(Errno::DEADLK);
    }
    let mut pidfd: RawFd = -1;
    let into = if cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 };
    let arguments = libc::clone_args {
        flags: namespaces.flags() | libc::CLONE_PIDFD as u64 | into,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD as u64,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: cgroup.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    // SAFETY: without CLONE_VM and a stack this is fork(2); the arguments outlive the call, the kernel writes the pidfd
    // into a live variable, and with one thread the copy's memory is consistent.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
    match result {
        -1 => Err(crate::last_errno()),
        0 => Ok(Side::Child),
        // SAFETY: the kernel has just opened it for us alone.
        pid => match (Pid::from_raw(pid as i32), unsafe { OwnedFd::from_raw_fd(pidfd) }) {
            (Some(pid), pidfd) => Ok(Side::Parent(pid, pidfd)),
            (None, _) => Err(Errno::INVAL),
        },
    }
}

/// The number of threads of this process.
fn threads() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may contain anything, so the fields are counted behind it (proc_pid_stat(5)).
    text.rsplit_once(')')?.1.split_whitespace().nth(17)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_is_not_copied() {
        // The test runner's own thread makes this a process of several.
        let outcome = std::thread::spawn(|| fork(Namespaces::default(), None).map(|_| ())).join();
        assert_eq!(outcome.ok(), Some(Err(Errno::DEADLK)));
    }
}
