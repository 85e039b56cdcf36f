//! The keeper: it does nothing but wait, and has a container mended whose supervisor died of something else than its work's end.
//!
//! It exists only for a container with a restart policy, holds no descriptor and writes nothing. Its death harms nothing.

use base::{Context, Result};
use rustix::process::{WaitId, WaitIdOptions};
use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use sys::clone::{Namespaces, Side};

/// The exit status of a Rust program that panicked.
const PANICKED: i32 = 101;

/// Forks: the child returns and becomes the supervisor, this process stays as its keeper.
///
/// `keep` is the program and the two roots that the engine's helper is started with; `engine` is the child's alone.
pub(super) fn fork(id: &str, keep: &[OsString; 3], engine: OwnedFd) -> Result<OwnedFd> {
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

fn keep_watch(id: &str, keep: &[OsString; 3], supervisor: &OwnedFd) -> ! {
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

fn mend(id: &str, keep: &[OsString; 3]) {
    let [binary, root, runroot] = keep;
    let words = [OsString::from("berth"), "--root".into(), root.clone(), "--runroot".into(), runroot.clone()];
    let words = words.into_iter().chain(["container-restart".into(), id.into()]);
    let Some(arguments) = words.map(|word| CString::new(word.into_vec()).ok()).collect::<Option<Vec<CString>>>() else {
        return;
    };
    let Ok(binary) = CString::new(binary.clone().into_vec()) else { return };
    let _ = sys::process::set_blocked(&[]);
    sys::process::execute(&binary, &arguments, &super::helper_environment());
}
