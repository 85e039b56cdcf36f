//! Whether a container's first process can possibly notice a signal.
//!
//! The first process of a pid namespace is not ended by a signal that it has no handler for (pid_namespaces(7)); users of other engines wait
//! ten seconds for nothing. Killing at once is right only where it is certain that nothing would have happened, so every doubt counts
//! against it. [`is_deaf`] judges a snapshot and is pure; [`read`] takes one.

use rustix::process::Pid;
use std::time::Duration;

/// A process that has only just begun may be about to install its handlers.
const SETTLED: Duration = Duration::from_secs(10);

/// A thread, as `/proc/PID/task/TID` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thread {
    /// Signals with a handler, as bits: signal 1 is the lowest.
    pub caught: u64,
    /// Signals that are blocked: a reader of a signalfd blocks what it reads.
    pub blocked: u64,
    /// What it does.
    pub activity: Activity,
}

/// What a thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It sleeps in the system call with this number.
    SystemCall(i64),
    /// It runs, or this cannot be told.
    Unknown,
}

/// A container's first process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its threads.
    pub threads: Vec<Thread>,
    /// Whether it is the first process of a pid namespace of its own, with no other process beside it.
    pub alone: bool,
    /// How long it has run.
    pub age: Duration,
}

/// Whether it is certain that the process would not notice `signal`.
#[must_use]
pub fn is_deaf(snapshot: &Snapshot, signal: i32) -> bool {
    let Some(bit) = u32::try_from(signal - 1).ok().and_then(|shift| 1_u64.checked_shl(shift)) else { return false };
    let deaf = |thread: &Thread| {
        thread.caught & bit == 0 && thread.blocked & bit == 0 && !may_wait_for_signals(thread.activity)
    };
    snapshot.alone && snapshot.age >= SETTLED && !snapshot.threads.is_empty() && snapshot.threads.iter().all(deaf)
}

/// Whether a thread may be in `rt_sigtimedwait`, which takes signals that are shown as neither caught nor blocked: the kernel unblocks them for
/// the time of the wait.
fn may_wait_for_signals(activity: Activity) -> bool {
    // Of this machine, and of 32-bit programs with times of 32 and of 64 bits.
    #[cfg(target_arch = "x86_64")]
    const WAITS: [i64; 3] = [128, 177, 421];
    #[cfg(not(target_arch = "x86_64"))]
    const WAITS: [i64; 3] = [137, 177, 421];
    match activity {
        Activity::SystemCall(number) => WAITS.contains(&number),
        Activity::Unknown => true,
    }
}

/// Takes a snapshot of the process `pid`; `None` where it cannot be looked at.
#[must_use]
pub fn read(pid: Pid, age: Duration, processes: &[Pid]) -> Option<Snapshot> {
    let mut threads = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).ok()? {
        let path = entry.ok()?.path();
        // What a thread does and what it shows are read one after the other: only what was the same before and after belongs together.
        let before = activity(&std::fs::read_to_string(path.join("syscall")).ok()?);
        let status = std::fs::read_to_string(path.join("status")).ok()?;
        let after = activity(&std::fs::read_to_string(path.join("syscall")).ok()?);
        threads.push(Thread {
            caught: mask(&status, "SigCgt:")?,
            blocked: mask(&status, "SigBlk:")?,
            activity: if before == after { before } else { Activity::Unknown },
        });
    }
    Some(Snapshot { threads, alone: processes == [pid], age })
}

fn mask(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn activity(text: &str) -> Activity {
    match text.split_whitespace().next().and_then(|word| word.parse().ok()) {
        // -1: it sleeps, but not in a system call.
        Some(number) if number >= 0 => Activity::SystemCall(number),
        _ => Activity::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    const TERM: i32 = 15;
    const BIT: u64 = 1 << 14;
    const SLEEPING: Thread = Thread { caught: 0, blocked: 0, activity: Activity::SystemCall(230) };

    fn snapshot(threads: &[Thread]) -> Snapshot {
        Snapshot { threads: threads.to_vec(), alone: true, age: Duration::from_secs(10) }
    }

    #[test]
    fn only_certainty_counts() {
        let plain = snapshot(&[SLEEPING, SLEEPING]);
        assert!(is_deaf(&plain, TERM));
        let waits = if cfg!(target_arch = "x86_64") { 128 } else { 137 };
        for (what, doubtful) in [
            ("a handler", snapshot(&[SLEEPING, Thread { caught: BIT, ..SLEEPING }])),
            ("a reader of a signalfd", snapshot(&[Thread { blocked: BIT, ..SLEEPING }, SLEEPING])),
            ("tini", snapshot(&[Thread { activity: Activity::SystemCall(waits), ..SLEEPING }])),
            ("one that runs", snapshot(&[Thread { activity: Activity::Unknown, ..SLEEPING }])),
            ("no thread", snapshot(&[])),
            ("not alone", Snapshot { alone: false, ..plain.clone() }),
            ("young", Snapshot { age: Duration::from_millis(9999), ..plain.clone() }),
        ] {
            assert!(!is_deaf(&doubtful, TERM), "{what}");
        }
        let other = snapshot(&[Thread { caught: 1, blocked: 2, ..SLEEPING }]);
        assert!(is_deaf(&other, TERM));
        assert!(!is_deaf(&plain, 0));
        assert!(!is_deaf(&plain, 99));
    }

    #[test]
    fn a_sleeping_process_is_seen_as_it_is() {
        let mut sleeper = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let pid = Pid::from_raw(sleeper.id().cast_signed()).unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        let mut deaf = false;
        // It needs a moment to become `sleep` and to fall asleep.
        while !deaf && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
            deaf = read(pid, Duration::from_secs(60), &[pid]).is_some_and(|snapshot| is_deaf(&snapshot, TERM));
        }
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        assert!(deaf);
    }
}
