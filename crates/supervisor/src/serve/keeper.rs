//! The keeper: it does nothing but wait, and has a container mended whose supervisor died of something else than its work's end.
//!
//! It exists only for a container with a restart policy, holds nothing of it and writes nothing. Its death harms nothing.

use super::callback::Callback;
use base::{Context, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::pipe::PipeFlags;
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use sys::clone::{Namespaces, Side};

/// The exit status of a Rust program that panicked.
const PANICKED: i32 = 101;

/// Who keeps this supervisor.
#[derive(Debug)]
pub(super) enum Keeper {
    /// Nobody: the container has no restart policy.
    Absent,
    /// The process that forked it.
    Parent,
    /// A child, which learns from a byte in this pipe that the work has ended.
    Child(OwnedFd),
}

impl Keeper {
    /// Makes sure that there is one, also where the policy came after the start.
    pub(super) fn ensure(&mut self, id: &str, keep: &Callback) -> Result<()> {
        if matches!(self, Self::Absent) {
            *self = Self::Child(fork_keeper(id, keep).context("fork a keeper for the new restart policy")?);
        }
        Ok(())
    }

    /// The work has ended: what follows is no death.
    pub(super) fn dismiss(&self) {
        if let Self::Child(dismissal) = self {
            let _ = rustix::io::write(dismissal, b".");
        }
    }
}

/// Forks the other way round. A child cannot ask how its parent has ended: it sees that it has, and whether it was told before.
fn fork_keeper(id: &str, keep: &Callback) -> std::result::Result<OwnedFd, rustix::io::Errno> {
    let supervisor = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    let (dismissed, dismissal) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    match sys::clone::fork(Namespaces::default(), None)? {
        Side::Parent(..) => Ok(dismissal),
        Side::Child => {
            // Without this, it would hold the container's lock and streams.
            if sys::process::close_all_but(&[supervisor.as_fd(), dismissed.as_fd()]).is_ok() {
                let _ = rustix::process::setsid();
                let end = || rustix::event::poll(&mut [PollFd::new(&supervisor, PollFlags::IN)], None);
                while end() == Err(rustix::io::Errno::INTR) {}
                if rustix::io::read(&dismissed, &mut [0_u8]) != Ok(1) {
                    mend(id, keep);
                }
            }
            sys::process::exit_now(0)
        }
    }
}

/// Forks: the child returns and becomes the supervisor, this process stays as its keeper.
///
/// `keep` is what the keeper calls when it must; `engine` is the child's alone.
pub(super) fn fork(id: &str, keep: &Callback, engine: OwnedFd) -> Result<OwnedFd> {
    match sys::clone::fork(Namespaces::default(), None).context("fork the supervisor")? {
        Side::Child => {
            // A session of its own: what hits the keeper's does not hit the supervisor.
            let _ = rustix::process::setsid();
            Ok(engine)
        }
        Side::Parent(_, supervisor) => {
            base::crash_point!("keeper.forked");
            // The engine must see the end of its socket when the supervisor ends.
            drop(engine);
            keep_watch(id, keep, &supervisor)
        }
    }
}

fn keep_watch(id: &str, keep: &Callback, supervisor: &OwnedFd) -> ! {
    let status = loop {
        match rustix::process::waitid(WaitId::PidFd(supervisor.as_fd()), WaitIdOptions::EXITED) {
            Err(rustix::io::Errno::INTR) => {}
            outcome => break outcome.ok().flatten(),
        }
    };
    let died =
        status.is_some_and(|status| status.terminating_signal().is_some() || status.exit_status() == Some(PANICKED));
    if died {
        mend(id, keep);
    }
    sys::process::exit_now(0)
}

fn mend(id: &str, keep: &Callback) {
    let _ = sys::process::set_blocked(&[]);
    let _ = keep.command("container-restart", id).exec();
}
