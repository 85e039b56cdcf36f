//! Named points at which tests kill a process, to prove that what it leaves behind is mended.

/// Kills this process with `SIGKILL` when the environment variable `BERTH_CRASH_AT` names this point.
///
/// `BERTH_CRASH_AT=NAME=FILE` kills only the first process that comes by, which makes the empty file `FILE`: so a test knows that the
/// point was reached, and whoever mends is not killed there too.
///
/// Without the feature `crash-points`, which only tests switch on, it compiles to nothing. The name is `verb.step`.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::crash::reached($name)
    };
}

/// Stands behind [`crash_point!`].
#[cfg(feature = "crash-points")]
pub fn reached(name: &str) {
    let Ok(wanted) = std::env::var("BERTH_CRASH_AT") else { return };
    let (wanted, marker) = wanted.split_once('=').map_or((&*wanted, None), |(wanted, marker)| (wanted, Some(marker)));
    let first = |marker| std::fs::OpenOptions::new().write(true).create_new(true).open(marker).is_ok();
    if wanted == name && marker.is_none_or(first) {
        let own = rustix::process::getpid();
        // The kernel ends the process before the call returns.
        let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    }
}

/// Stands behind [`crash_point!`].
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn reached(_name: &str) {}
