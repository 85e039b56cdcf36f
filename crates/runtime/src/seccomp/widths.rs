//! Arguments of which the kernel takes 32 bits only: what a program puts into the upper half is not seen by the call, and must not be by a filter.
//!
//! From the kernel's `SYSCALL_DEFINE`s (Linux 6.18), of the calls whose arguments profiles look at. Where a call is missing, all 64 bits are compared, as
//! libseccomp does everywhere (CVE-2019-7303 was that, of `ioctl`).

/// Name, and the positions of its `int`s.
const NARROW: &[(&str, &[u8])] = &[
    ("accept4", &[0, 3]),
    ("arch_prctl", &[0]),
    ("bpf", &[0, 2]),
    ("clock_adjtime", &[0]),
    ("clock_settime", &[0]),
    // An unsigned long of which kernel/fork.c takes the lower half.
    ("clone", &[0]),
    ("fcntl", &[0, 1]),
    ("fcntl64", &[0, 1]),
    ("fsconfig", &[0, 1, 4]),
    ("futex", &[1, 2, 5]),
    ("getrandom", &[2]),
    ("getsockopt", &[0, 1, 2]),
    ("io_uring_register", &[0, 1, 3]),
    ("ioctl", &[0, 1]),
    ("ioprio_set", &[0, 1, 2]),
    ("keyctl", &[0]),
    ("kill", &[0, 1]),
    ("madvise", &[2]),
    ("memfd_create", &[1]),
    ("mknod", &[2]),
    ("mknodat", &[0, 3]),
    ("msgctl", &[0, 1]),
    ("open", &[1]),
    ("openat", &[0, 2]),
    ("personality", &[0]),
    ("pidfd_send_signal", &[0, 1, 3]),
    ("prctl", &[0]),
    ("process_madvise", &[0, 3, 4]),
    ("quotactl", &[0, 2]),
    ("quotactl_fd", &[0, 1, 2]),
    ("reboot", &[0, 1, 2]),
    ("recvmsg", &[0, 2]),
    ("renameat2", &[0, 2, 4]),
    ("sched_setscheduler", &[0, 1]),
    ("seccomp", &[0, 1]),
    ("semctl", &[0, 1, 2]),
    ("sendmsg", &[0, 2]),
    ("setns", &[0, 1]),
    ("setpriority", &[0, 1, 2]),
    ("setsockopt", &[0, 1, 2, 4]),
    ("shmctl", &[0, 1]),
    ("socket", &[0, 1, 2]),
    ("socketcall", &[0]),
    ("socketpair", &[0, 1, 2]),
    ("syslog", &[0, 2]),
    ("tgkill", &[0, 1, 2]),
    ("tkill", &[0, 1]),
    ("umount2", &[1]),
    ("unlinkat", &[0, 2]),
    ("userfaultfd", &[0]),
    ("waitid", &[0, 1, 3]),
];

/// Whether the kernel takes only the lower 32 bits of the argument at `index` of the system call `name`.
pub(super) fn is_narrow(name: &str, index: u8) -> bool {
    NARROW.binary_search_by(|(narrow, _)| (*narrow).cmp(name)).is_ok_and(|at| NARROW[at].1.contains(&index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(NARROW.is_sorted_by(|left, right| left.0 < right.0));
        assert!(is_narrow("socket", 0) && is_narrow("ioctl", 1) && !is_narrow("ioctl", 2) && !is_narrow("mount", 3));
    }
}
