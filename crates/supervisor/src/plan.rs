//! What a supervisor is to do, decided completely before it starts.

use crate::restart::Policy;
pub use base::file::Durability;
use base::id::Id;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The newest version of plans. A supervisor refuses a newer one than its own: it may not do half of it.
pub const VERSION: u32 = 1;

/// Everything that a supervisor needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// The container.
    pub id: Id,
    /// Its name at the start, for messages.
    pub name: String,
    /// The program from which helpers are started.
    pub binary: PathBuf,
    /// State root, as helpers get it.
    pub root: PathBuf,
    /// Run root, as helpers get it.
    pub runroot: PathBuf,
    /// The engine's configuration, as helpers get it; `None`: the default one.
    #[serde(default)]
    pub configuration: Option<PathBuf>,
    /// The control group below which the one of all supervisors is, absolute below the hierarchies' tops.
    pub cgroup_parent: String,
    /// The container.
    pub spec: runtime::spec::Spec,
    /// What becomes of its output.
    pub log: Log,
    /// What becomes of its input.
    pub stdin: Stdin,
    /// The number of the signal that asks it to stop.
    pub stop_signal: i32,
    /// How long a stop waits before it kills; `None`: for ever.
    pub stop_timeout_seconds: Option<u64>,
    /// What follows an exit.
    pub restart: Policy,
    /// How often it was restarted before this supervisor took over.
    #[serde(default)]
    pub restart_count: u32,
    /// Whether the engine is called back after the last exit.
    pub after_exit: AfterExit,
    /// What events of this container carry: its name, its image, its labels.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// What a power cut may take of the state; `Synced` is so off the path on which somebody waits.
    pub durability: Durability,
}

/// The container's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Driver, sizes, attributes.
    pub options: logs::Options,
}

/// The container's standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stdin {
    /// Nothing.
    Closed,
    /// Open until the first client that sends input has sent its last byte.
    Once,
    /// Open whatever clients do.
    Open,
}

/// What happens after the container has exited and no restart follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterExit {
    /// Nothing: the supervisor tears down all that there is.
    Nothing,
    /// `container-exited <id>` is started, with the binary, the roots and the configuration of this plan.
    CallEngine,
}

/// Namespaces of other containers that this one joins, with the descriptor of each: what `spec.namespaces` calls
/// [`Join`](runtime::spec::Namespace::Join). The key is `pid`, `network`, `ipc`, `uts` or `cgroup`.
pub type JoinedNamespaces<T> = BTreeMap<String, T>;
