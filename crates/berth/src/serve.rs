//! Serves the API on sockets until a signal ends it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use api::daemon::Options;
use base::{Context, Result, file};
use cli::Globals;
use engine::Engine;

use crate::open;

/// The socket's name in the run root.
const SOCKET: &str = "berth.sock";

/// Serves on `hosts`, or where the configuration says, or on `berth.sock` in the run root.
///
/// # Errors
/// What opening the engine fails with, and a socket that cannot be listened on.
pub(crate) fn daemon(globals: &Globals, hosts: &[String]) -> Result<()> {
    let settings = open::options(globals)?;
    let runroot = settings.runroot.clone();
    let engine = Engine::open(settings)?;
    let configuration = engine.configuration();
    let mut hosts = if hosts.is_empty() { configuration.hosts.clone() } else { hosts.to_vec() };
    if hosts.is_empty() {
        let_through(&runroot)?;
        hosts.push(format!("unix://{}", runroot.join(SOCKET).display()));
    }
    let log_level = configuration.log_level.unwrap_or_default();
    api::daemon::serve(&engine, &Options { hosts, group: configuration.group.clone(), log_level, ..Options::default() })
}

/// Lets members of the socket's group through the run root to the socket, without letting them list what else is there.
fn let_through(runroot: &Path) -> Result<()> {
    file::make_directories(runroot, 0o711)?;
    let what = || format!("let the socket's group through {}", runroot.display());
    let mode = std::fs::metadata(runroot).with_context(what)?.permissions().mode();
    std::fs::set_permissions(runroot, PermissionsExt::from_mode(mode | 0o011)).with_context(what)
}
