//! What a process sets for itself before it becomes another: descriptors, signals, keyring, program.

use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Marks every descriptor from `first` on to be closed by exec (close_range(2) with `CLOSE_RANGE_CLOEXEC`, Linux 5.11).
///
/// # Errors
/// As in close_range(2).
pub fn close_from_on_exec(first: u32) -> Result<(), Errno> {
    // SAFETY: no descriptor is closed here, so none that is owned elsewhere becomes invalid.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == -1 { Err(crate::last_errno()) } else { Ok(()) }
}

/// Closes every descriptor from 3 on but those in `kept`: for a new process, which must not hold what its parent has open.
///
/// No value that owns one of the closed descriptors is used afterwards: the caller has opened nothing yet, or executes a program, or ends.
///
/// # Errors
/// As in close_range(2).
pub fn close_all_but(kept: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut numbers: Vec<u32> = kept.iter().map(|fd| fd.as_raw_fd() as u32).filter(|number| *number > 2).collect();
    numbers.sort_unstable();
    let mut first = 3;
    for last in numbers.into_iter().map(Some).chain([None]) {
        let until = last.map_or(u32::MAX, |last| last - 1);
        if first <= until {
            // SAFETY: the values that own these descriptors, if there are any, are never used or dropped: see above.
            if unsafe { libc::syscall(libc::SYS_close_range, first, until, 0) } == -1 {
                return Err(crate::last_errno());
            }
        }
        first = last.map_or(first, |last| last + 1);
    }
    Ok(())
}

/// Sets every signal to its default action and blocks none.
///
/// # Errors
/// As in sigprocmask(2).
pub fn reset_signals() -> Result<(), Errno> {
    // The kernel's structure in zeros: the default action. The C library would keep two signals for itself.
    let default = [0_u64; 8];
    for signal in 1..=64 {
        // SAFETY: the default action runs no code of ours, and no architecture's structure is longer; signals that cannot be changed
        // answer EINVAL.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null::<u64>(), 8_usize) };
    }
    set_blocked(&[])
}

/// Blocks exactly `signals` on this thread.
///
/// # Errors
/// As in sigprocmask(2).
pub fn set_blocked(signals: &[i32]) -> Result<(), Errno> {
    let set = signal_set(signals);
    // SAFETY: the set is initialised and outlives the call.
    let result = unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
    if result == -1 { Err(crate::last_errno()) } else { Ok(()) }
}

/// A descriptor from which `signals` are read, which must be blocked (signalfd(2)).
///
/// # Errors
/// As in signalfd(2).
pub fn signal_descriptor(signals: &[i32]) -> Result<OwnedFd, Errno> {
    let set = signal_set(signals);
    // SAFETY: the set is initialised and outlives the call.
    let result = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if result == -1 {
        return Err(crate::last_errno());
    }
    // SAFETY: the kernel has just opened it for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(result) })
}

/// The number of the next signal of a [`signal_descriptor`]; `None` where there is none now.
///
/// # Errors
/// As in read(2).
pub fn read_signal(descriptor: BorrowedFd<'_>) -> Result<Option<i32>, Errno> {
    let mut record = [0_u8; size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(descriptor, &mut record) {
        // `ssi_signo` is the first member (signalfd(2)).
        Ok(length) if length == record.len() => {
            Ok(Some(i32::from_ne_bytes([record[0], record[1], record[2], record[3]])))
        }
        Ok(_) | Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn signal_set(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: a signal set is plain bits, which sigemptyset makes valid; sigaddset only reads the number.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        set
    }
}

/// Gives this process a session keyring of its own (keyctl(2), `KEYCTL_JOIN_SESSION_KEYRING`).
///
/// # Errors
/// `ENOSYS` where the kernel has no keyrings, otherwise as in keyctl(2).
pub fn join_new_session_keyring() -> Result<(), Errno> {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: a null name asks for an anonymous keyring.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
    if result == -1 { Err(crate::last_errno()) } else { Ok(()) }
}

/// Makes the program at `path` this process's program; returns only on failure.
pub fn execute(path: &CStr, arguments: &[CString], environment: &[CString]) -> Errno {
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both arrays end with null and point to C strings that outlive the call.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    crate::last_errno()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Ends this process at once, without running anything that was left to run at its end.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: the process ends here.
    unsafe { libc::_exit(code) }
}
