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
    if !is_alone() {
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

/// Whether this process has one thread. The kernel refuses to take a thread out of a group of several, and does nothing where there is
/// one (unshare(2)); what `/proc` says might be a container's word.
fn is_alone() -> bool {
    // SAFETY: with this flag alone the call changes nothing.
    unsafe { libc::unshare(libc::CLONE_THREAD) == 0 }
}

/// Gives this thread a new view of control groups, whose top is the group that it is in (cgroup_namespaces(7)).
///
/// # Errors
/// As in unshare(2).
pub fn unshare_cgroups() -> Result<(), Errno> {
    // SAFETY: a namespace of control groups is no memory and no descriptor.
    if unsafe { libc::unshare(libc::CLONE_NEWCGROUP) } == -1 { Err(crate::last_errno()) } else { Ok(()) }
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
