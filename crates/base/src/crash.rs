//! Named points at which tests kill a process, to prove that what it leaves behind is mended.

/// Kills this process with `SIGKILL` when the environment variable `BERTH_CRASH_AT` names this point.
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
    if std::env::var_os("BERTH_CRASH_AT").is_some_and(|wanted| wanted == name) {
        let own = rustix::process::getpid();
        // The kernel ends the process before the call returns.
        let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    }
}

/// Stands behind [`crash_point!`].
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn reached(_name: &str) {}
