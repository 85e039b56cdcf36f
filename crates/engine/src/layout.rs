//! Every path of a state root, named once: here, or by the crate whose it is.
//!
//! ```text
//! /var/lib/berth/   format                  one integer; a newer one is refused
//!                   host                    boot id, netns cookie and mount-namespace id of the machine that this root runs on
//!                   blobs/sha256/…          immutable, verified before they are linked in; an OCI image layout
//!                   downloads/…             what an interrupted download left
//!                   images/…                reference → manifest digest
//!                   index.json  oci-layout  the same for foreign tools
//!                   leases/<id>             digests that an unfinished operation needs; held by its lock
//!                   layers/…  seams/…       extracted layers, each independent of its parents; what a chain must complete
//!                   containers/<id>/        config.json  sandbox.json  intent.json  state.json  execs/  log
//!                                           overlay upper/work  lock  alive  control.sock
//!                   unfinished/<id>         containers that are being made or removed: what a crash left is found here
//!                   names/<name>            → container id (symlink)
//!                   networks/<id>/          config.json  addresses/<ip> → container id  reverse/<ip> → its name
//!                                           names/<lower-case name>/<container id> → addresses  lock  last
//!                   network-names/<name>    → network id
//!                   volumes/  events.jsonl
//! /run/berth/       mounts, caches: nothing that is missed when it vanishes
//! ```
//!
//! Blobs, images, leases, layers and seams are laid out by `image` and `snapshot`, which are given the root; what a supervisor writes, by `supervisor`.

use std::path::{Path, PathBuf};

use base::id::Id;
pub use supervisor::files::{ALIVE, CONTROL_SOCKET, EXECS, LOG};

/// The state root of an engine that nobody told otherwise.
pub const DEFAULT_ROOT: &str = "/var/lib/berth";
/// The run root of an engine that nobody told otherwise.
pub const DEFAULT_RUNROOT: &str = "/run/berth";

/// The format of the root that this engine writes.
pub const FORMAT: u32 = 1;

/// One integer.
pub const FORMAT_FILE: &str = "format";
/// Which machine, and which namespaces of it, last used the root.
pub const HOST_FILE: &str = "host";
/// Containers by id.
pub const CONTAINERS: &str = "containers";
/// Names → ids.
pub const NAMES: &str = "names";
/// Containers that are being made or removed.
pub const UNFINISHED: &str = "unfinished";
/// Networks by id.
pub const NETWORKS: &str = "networks";
/// Names of networks → ids.
pub const NETWORK_NAMES: &str = "network-names";
/// Whether berth made this host forward.
pub const FORWARDING: &str = "forwarding";
/// Inside a network's directory: who has which address.
pub const ADDRESSES: &str = "addresses";
/// Inside a network's directory: names for addresses.
pub const REVERSE: &str = "reverse";
/// Inside a network's directory: the addresses that were given out last.
pub const LAST: &str = "last";
/// Volumes by name.
pub const VOLUMES: &str = "volumes";
/// The journal.
pub const EVENTS: &str = base::journal::FILE;
/// What the engine itself keeps in a root.
pub const OWN: &[&str] =
    &[CONTAINERS, NAMES, UNFINISHED, NETWORKS, NETWORK_NAMES, FORWARDING, VOLUMES, FORMAT_FILE, HOST_FILE, EVENTS];
/// Guards the replacement of stale names; no container can have this name.
pub const NAMES_LOCK: &str = ".lock";
/// Compiled seccomp filters, below the run root.
pub const SECCOMP_CACHE: &str = "seccomp";

/// Inside a container's directory: what it is; written last at create.
pub const CONFIG: &str = "config.json";
/// What belongs to the pod rather than to the process.
pub const SANDBOX: &str = "sandbox.json";
/// What the user wants of it.
pub const INTENT: &str = "intent.json";
/// Held by whoever changes it.
pub const LOCK: &str = "lock";
/// Where `/dev/shm` of a container lies whose IPC others may join.
pub const SHARED_MEMORY: &str = "shm";
/// Held while the engine takes everything down for a shutdown of the machine.
pub const SHUTDOWN_LOCK: &str = ".shutdown.lock";
/// What its config.json becomes when it is being removed.
pub const REMOVED: &str = "removed.json";
/// What it has written.
pub const UPPER: &str = "upper";
/// The overlay's own.
pub const WORK: &str = "work";
/// Mounted at `/etc/hosts`.
pub const HOSTS: &str = "hosts";
/// Mounted at `/etc/resolv.conf`.
pub const RESOLV_CONF: &str = "resolv.conf";
/// Mounted at `/etc/hostname`.
pub const HOSTNAME: &str = "hostname";

/// The paths of one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    runroot: PathBuf,
}

impl Layout {
    /// The layout of these two directories.
    #[must_use]
    pub fn new(root: &Path, runroot: &Path) -> Self {
        Self { root: root.to_owned(), runroot: runroot.to_owned() }
    }

    /// The state root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The run root.
    #[must_use]
    pub fn runroot(&self) -> &Path {
        &self.runroot
    }

    /// The directory of one container.
    #[must_use]
    pub fn container(&self, id: &Id) -> PathBuf {
        let mut path = self.root.join(CONTAINERS);
        path.push(id.as_str());
        path
    }

    /// All containers.
    #[must_use]
    pub fn containers(&self) -> PathBuf {
        self.root.join(CONTAINERS)
    }

    /// All volumes.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.root.join(VOLUMES)
    }

    /// Compiled seccomp filters.
    #[must_use]
    pub fn seccomp_cache(&self) -> PathBuf {
        self.runroot.join(SECCOMP_CACHE)
    }
}
