//! Our own init: it stays as the container's first process, passes signals on to the program, and reaps whatever is orphaned.
//!
//! It has the program's credentials and filter, and no descriptor but the streams.

use crate::spec::Process;
use base::{Context, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};
use std::os::fd::{AsFd, OwnedFd};
use sys::clone::Namespaces;

/// `SIGCHLD`, `SIGTTIN` and `SIGTTOU`.
const CHILD: i32 = 17;
const TERMINAL_INPUT: i32 = 21;
const TERMINAL_OUTPUT: i32 = 22;
const LAST_SIGNAL: i32 = 64;

/// Whose children orphans become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Orphans {
    /// Ours: we are process 1.
    AreOurs,
    /// Ours once we have asked for them: process 1 is somebody else.
    MustBeAskedFor,
}

/// Which of the two processes this is.
#[derive(Debug)]
pub(super) enum Side {
    /// The one that becomes the program.
    Program,
    /// The one that stays.
    Init(Init),
}

/// An init and its program.
#[derive(Debug)]
pub(super) struct Init {
    pid: Pid,
    process: OwnedFd,
    signals: OwnedFd,
}

/// Forks: one process stays, the other goes on to the program.
pub(super) fn fork(orphans: Orphans, process: &Process) -> Result<Side> {
    let all: Vec<i32> = (1..=LAST_SIGNAL).collect();
    // From here on no signal is lost: what comes before the program is there waits.
    sys::process::set_blocked(&all).context("block signals")?;
    let signals = sys::process::signal_descriptor(&all).context("read signals")?;
    if orphans == Orphans::MustBeAskedFor {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).context("ask for orphans")?;
    }
    match sys::clone::fork(Namespaces::default(), None).context("make the program's process")? {
        sys::clone::Side::Parent(pid, process) => Ok(Side::Init(Init { pid, process, signals })),
        sys::clone::Side::Child => {
            drop(signals);
            lead(process)?;
            sys::process::set_blocked(&[]).context("unblock signals")?;
            Ok(Side::Program)
        }
    }
}

/// The program leads a process group of its own, which the terminal's keys reach, and does not outlive its init.
fn lead(process: &Process) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).context("ask for the init's death")?;
    rustix::process::setpgid(None, None).context("make a process group")?;
    if process.terminal {
        let stdin = rustix::stdio::stdin();
        rustix::termios::tcsetpgrp(stdin, rustix::process::getpid()).context("take the terminal")?;
    }
    Ok(())
}

impl Init {
    /// Passes on and reaps until the program has ended, and ends as it did.
    pub(super) fn run(self) -> ! {
        let kept = [self.process.as_fd(), self.signals.as_fd()];
        // With the channel: its end tells that the program runs.
        let _ = sys::process::close_all_but(&kept);
        let _ = rustix::thread::set_name(c"berth-init");
        loop {
            self.reap();
            let mut fds = [PollFd::new(&self.signals, PollFlags::IN)];
            let _ = rustix::event::poll(&mut fds, None);
            while let Ok(Some(signal)) = sys::process::read_signal(self.signals.as_fd()) {
                // What stops a background process that reads its terminal is meant for us alone.
                if ![CHILD, TERMINAL_INPUT, TERMINAL_OUTPUT].contains(&signal) {
                    let _ = sys::pidfd::send_signal(self.process.as_fd(), signal);
                }
            }
        }
    }

    fn reap(&self) {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.pid => {
                    let signal = status.terminating_signal().map(|signal| 128 + signal);
                    sys::process::exit_now(status.exit_status().or(signal).unwrap_or(255));
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }
}
