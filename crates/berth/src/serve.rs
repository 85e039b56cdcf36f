//! Serves the API on sockets until a signal ends it.

use base::Result;
use cli::{Globals, LogLevel};

use crate::open;

/// The socket's name in the run root.
const SOCKET: &str = "berth.sock";

/// Serves on `hosts`, or where the configuration says, or on `berth.sock` in the run root.
///
/// # Errors
/// What opening the engine fails with, and a socket that cannot be listened on.
pub(crate) fn daemon(globals: &Globals, hosts: &[String]) -> Result<()> {
    let engine = open::engine(globals)?;
    let configuration = engine.configuration();
    let mut hosts = hosts.to_vec();
    if hosts.is_empty() {
        hosts.clone_from(&configuration.hosts);
    }
    if hosts.is_empty() {
        hosts.push(format!("unix://{}", open::options(globals)?.runroot.join(SOCKET).display()));
    }
    let group = configuration.group.clone();
    let failures = if globals.log_level == LogLevel::Debug || configuration.debug {
        api::daemon::Failures::Said
    } else {
        api::daemon::Failures::Quiet
    };
    api::daemon::serve(&engine, &api::daemon::Options { hosts, group, failures })
}
