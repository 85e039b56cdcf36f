//! What the boot unit calls: brings up what should run, and stops it all for a shutdown.
//!
//! A container that fails is a line and no failure of the whole: systemd would take a unit that failed to start for one that has nothing to stop.

use base::Result;
use base::id::Id;
use cli::Globals;
use engine::Caller;

use crate::open;

/// Mends what is broken and starts what its restart policy wants to run; a line for each container.
///
/// # Errors
/// What opening the engine fails with, or when the state cannot be read.
pub(crate) fn boot(globals: &Globals) -> Result<Vec<String>> {
    let booted = open::engine(globals)?.boot(&Caller::engine())?;
    let mut lines = lines(&booted.mended, "mended");
    lines.extend(self::lines(&booted.started, "started"));
    lines.extend(failures(&booted.failed, "not started"));
    Ok(lines)
}

/// Stops every container with its own signal; a line for each.
///
/// # Errors
/// As [`boot`].
pub(crate) fn shut_down(globals: &Globals) -> Result<Vec<String>> {
    let shutdown = open::engine(globals)?.shut_down(&Caller::engine())?;
    let mut lines = lines(&shutdown.stopped, "stopped");
    lines.extend(failures(&shutdown.failed, "not stopped"));
    Ok(lines)
}

fn lines(ids: &[Id], outcome: &str) -> Vec<String> {
    ids.iter().map(|id| format!("{} {outcome}", id.short())).collect()
}

fn failures(failed: &[(Id, base::Error)], outcome: &str) -> Vec<String> {
    failed.iter().map(|(id, error)| format!("{} {outcome}: {error}", id.short())).collect()
}
