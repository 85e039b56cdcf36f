//! The engine: an open state root.

use std::path::PathBuf;
use std::sync::Arc;

use base::Result;

use crate::Configuration;
use crate::root::Root;

/// What an engine needs to know from its host.
#[derive(Clone, Debug)]
pub struct Options {
    /// The state root, as in `/var/lib/berth`.
    pub root: PathBuf,
    /// What may vanish at a reboot, as in `/run/berth`.
    pub runroot: PathBuf,
    /// What the administrator decided.
    pub configuration: Configuration,
    /// The absolute path that `configuration` was read from, for helpers; `None`: where every host looks.
    pub configuration_file: Option<PathBuf>,
    /// The berth program: supervisors and helpers are started from it.
    pub binary: PathBuf,
}

/// An open state root. Cheap to share and to clone; every host of the engine on one machine is equal.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) root: Arc<Root>,
}

impl Engine {
    /// Opens the state root and makes it where it is missing.
    ///
    /// # Errors
    /// `Unsupported` for a root of a newer format or on a file system that cannot carry overlays; `Conflict` for one that is in use from
    /// another mount or network namespace.
    pub fn open(options: Options) -> Result<Self> {
        Ok(Self { root: Arc::new(Root::open(options)?) })
    }

    /// What the administrator decided.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.root.options.configuration
    }
}
