//! The API on sockets.

use base::{Error, Result};
use engine::Engine;

/// How a daemon serves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens: `unix:///path`.
    pub hosts: Vec<String>,
    /// Whose members may use the sockets; nothing: `docker` where there is such a group, else only root.
    pub group: Option<String>,
    /// Whether failed requests are said on standard error.
    pub failures: Failures,
}

/// What is said of requests that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failures {
    /// A line for each on standard error.
    Said,
    /// Nothing: the client was told.
    Quiet,
}

/// Serves the API until a signal ends it.
///
/// # Errors
/// A socket that cannot be listened on.
pub fn serve(engine: &Engine, options: &Options) -> Result<()> {
    let _ = engine;
    Err(Error::unsupported(format!("serve on {}: not yet", options.hosts.join(", "))))
}
