//! The keeper: it does nothing but wait, and has a container mended whose supervisor died of something else than its work's end.
//!
//! It exists only for a container with a restart policy, holds no descriptor and writes nothing. Its death harms nothing.

use super::callback::Callback;
use base::{Context, Result};
use rustix::process::{WaitId, WaitIdOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use sys::clone::{Namespaces, Side};

/// The exit status of a Rust program that panicked.
const PANICKED: i32 = 101;

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
