//! Processes that serve whoever comes, on sockets of the supervisor's.
//!
//! Processes of their own rather than threads: they read what the container and strangers send, so they hold nothing but their sockets, have no capability and few
//! system calls; and a supervisor that forks must have one thread. One is made when somebody first comes, ends with the supervisor, and is made anew when it
//! dies; its sockets are the supervisor's, so that nothing that came meanwhile is lost.

use super::process::Child;
use base::{Context, Error, Result};
use runtime::seccomp::{Action, Conditions, Profile, Restriction, Rule};
use rustix::process::Signal;
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};
use sys::clone::{Namespaces, Side};

/// One that dies at once is not made anew more often than this.
const PAUSE: Duration = Duration::from_secs(1);
/// `SIGKILL`.
const KILL: i32 = 9;

/// One such process, or its absence.
#[derive(Debug, Default)]
pub(super) struct Worker {
    process: Option<Child>,
    /// No new one before.
    pause_until: Option<Instant>,
}

impl Worker {
    /// Readable when it has died; while there is none, those of `sockets`, where somebody comes.
    pub(super) fn descriptors<'a>(&'a self, sockets: impl IntoIterator<Item = BorrowedFd<'a>>) -> Vec<BorrowedFd<'a>> {
        match (&self.process, self.pause_until) {
            (Some(process), _) => vec![process.descriptor()],
            (None, Some(_)) => Vec::new(),
            (None, None) => sockets.into_iter().collect(),
        }
    }

    /// Until when one that has died is not made anew.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pause_until.filter(|_| self.process.is_none())
    }

    /// One of the descriptors is readable. `work` is what the process does, for all its life: it closes what it does not need, and
    /// [confines](confine) itself.
    pub(super) fn look_after(&mut self, work: impl FnOnce() -> Result<()>) {
        match &self.process {
            Some(process) if process.reap().is_some() => self.process = None,
            Some(_) => {}
            // Without memory for a process there is still the next time.
            None if self.pause_until.is_none() => drop(self.start(work)),
            None => {}
        }
    }

    pub(super) fn act_on_time(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.pause_until = None;
        }
    }

    fn start(&mut self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        self.pause_until = Some(Instant::now() + PAUSE);
        let supervisor = rustix::process::getpid();
        match sys::clone::fork(Namespaces::default(), None).context("fork a process that serves")? {
            Side::Parent(pid, descriptor) => {
                self.process = Some(Child::new(pid, descriptor));
                Ok(())
            }
            Side::Child => {
                let end_with_it = || {
                    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
                        .context("end with the supervisor")?;
                    // It may have ended before that.
                    if rustix::process::getppid() == Some(supervisor) {
                        Ok(())
                    } else {
                        Err(Error::unavailable("the supervisor has ended"))
                    }
                };
                sys::process::exit_now(match end_with_it().and_then(|()| work()) {
                    Ok(()) => 0,
                    Err(_) => 1,
                })
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(process) = self.process.take()
            && process.signal(KILL).is_ok()
        {
            process.wait();
        }
    }
}

/// No capability from here on, and no system call but these.
pub(super) fn confine(system_calls: &[&str]) -> Result<()> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).context("give up all capabilities")?;
    rustix::thread::set_no_new_privs(true).context("give up new privileges")?;
    let allowed = Rule {
        names: system_calls.iter().chain(&["exit_group"]).map(|name| (*name).to_owned()).collect(),
        action: Action::Allow,
        arguments: Vec::new(),
        includes: Restriction::default(),
        excludes: Restriction::default(),
    };
    let profile =
        Profile { default_action: Action::KillProcess, architectures: Vec::new(), flags: 0, rules: vec![allowed] };
    let filter = runtime::seccomp::compile(&profile, &Conditions::here(0)?)?;
    sys::seccomp::load(&filter.instructions, filter.flags).context("load the filter of system calls")
}
