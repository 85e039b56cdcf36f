//! What a container is to the runtime: plain values, decided completely by the engine.
//!
//! Paths of the host are the engine's own or were named by the user; paths inside the root file system are hostile and
//! only ever resolved below its handle.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Host name, set where the namespace is new; empty: left as it is.
    pub hostname: String,
    /// Domain name, set where the namespace is new; empty: left as it is.
    pub domainname: String,
    /// The root file system.
    pub root: Root,
    /// Whether the root file system is mounted read-only.
    pub read_only_root: bool,
    /// How the root mount propagates.
    pub root_propagation: Propagation,
    /// Mounts, in the order in which they are made.
    pub mounts: Vec<Mount>,
    /// Which namespaces are new, the host's, or another container's.
    pub namespaces: Namespaces,
    /// The first process.
    pub process: Process,
    /// Whether our own init runs as process 1 and the first process as its child.
    pub init: bool,
    /// Device files that are made in `/dev`, beside the default ones.
    pub devices: Vec<Device>,
    /// Paths that show nothing.
    pub masked_paths: Vec<String>,
    /// Paths that cannot be written.
    pub read_only_paths: Vec<String>,
    /// Kernel parameters of the container's own namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// The control group.
    pub cgroup: ControlGroup,
}

/// Where the root file system comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Root {
    /// Layers below a writable directory.
    Overlay {
        /// Layers, topmost first.
        lower: Vec<PathBuf>,
        /// What the container changes.
        upper: PathBuf,
        /// The kernel's own, on the same file system as `upper`. It refuses one that has been mounted with [`Syncing::Never`] before, until
        /// `work/incompat` in it is removed.
        work: PathBuf,
        /// What reaches the disk.
        #[serde(default)]
        syncing: Syncing,
    },
    /// A directory as it is.
    Directory(PathBuf),
}

/// What of an overlay reaches the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Syncing {
    /// What its processes sync; and with its end the kernel syncs all of the file system that `upper` is on.
    #[default]
    Usual,
    /// Nothing: for what nobody needs once the container has ended.
    Never,
}

/// One mount inside the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Where, inside the root file system; made where it is missing.
    pub target: String,
    /// Restrictions.
    #[serde(default)]
    pub options: MountOptions,
    /// How it propagates.
    #[serde(default)]
    pub propagation: Propagation,
}

/// What can be mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountSource {
    /// A file or directory of the host.
    Bind {
        /// On the host.
        path: PathBuf,
        /// Below `path`, which may be hostile: resolved from its handle without leaving it.
        subpath: Option<PathBuf>,
        /// Whether the mounts below it come along.
        recursive: bool,
    },
    /// A memory file system; the options are the kernel's (`size`, `mode`, `uid`, `gid`, `nr_inodes`).
    Tmpfs {
        /// Key and value.
        options: Vec<(String, String)>,
    },
    /// The process file system of the pid namespace.
    Proc,
    /// The device file system of the network namespace.
    Sysfs,
    /// Terminals.
    Devpts,
    /// POSIX message queues.
    Mqueue,
    /// The control groups that the container may see.
    Cgroup,
}

/// Restrictions of a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountOptions {
    /// Nothing can be written.
    pub read_only: ReadOnly,
    /// Set-user-id bits have no effect.
    pub no_suid: bool,
    /// Devices cannot be opened.
    pub no_devices: bool,
    /// Nothing can be executed.
    pub no_exec: bool,
}

/// How far a read-only mount reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadOnly {
    /// It can be written.
    #[default]
    No,
    /// The mount itself; those below stay as they are.
    Single,
    /// The mounts below as well.
    Recursive,
}

/// How mounts inside and outside tell each other of new mounts (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// Not at all.
    Private,
    /// Not at all, and all mounts below.
    #[default]
    Rprivate,
    /// Both ways.
    Shared,
    /// Both ways, and all mounts below.
    Rshared,
    /// From outside to inside.
    Slave,
    /// From outside to inside, and all mounts below.
    Rslave,
}

/// Where a namespace comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Namespace {
    /// A new one.
    #[default]
    New,
    /// The one that the supervisor is in: the host's.
    Host,
    /// That of another container, handed over as a descriptor.
    Join,
}

/// The namespaces; the mount namespace is always new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// Process ids.
    pub pid: Namespace,
    /// Network.
    pub network: Namespace,
    /// System V IPC and message queues.
    pub ipc: Namespace,
    /// Host name.
    pub uts: Namespace,
    /// The view of control groups.
    pub cgroup: Namespace,
}

/// A process in a container: the first one or one that enters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Program and arguments; never empty.
    pub arguments: Vec<String>,
    /// `NAME=value` each; `HOME` is added where it is missing.
    pub environment: Vec<String>,
    /// Absolute, inside the container; made where it is missing.
    pub working_directory: String,
    /// As in `user`, `1000`, `user:group`, `1000:1000`; empty: root. Names are looked up inside the container.
    pub user: String,
    /// Further groups, by name or number.
    pub additional_groups: Vec<String>,
    /// Whether it gets a terminal.
    pub terminal: bool,
    /// Rows and columns of the terminal; 0: not set.
    pub console_size: (u16, u16),
    /// Capabilities, as bits by their numbers; intersected with what this process has.
    pub capabilities: u64,
    /// Whether it and all that it starts can never gain privileges.
    pub no_new_privileges: bool,
    /// Limits by resource; without the privilege to raise a hard limit, it stays at ours.
    pub limits: Vec<Limit>,
    /// From -1000 to 1000; `None`: not set.
    pub oom_score_adjustment: Option<i32>,
    /// A compiled filter of system calls, as [`crate::seccomp`] makes them; `None`: unconfined.
    pub system_calls: Option<PathBuf>,
    /// AppArmor profile; `None`: not set.
    pub apparmor_profile: Option<String>,
    /// SELinux label; `None`: not set.
    pub selinux_label: Option<String>,
}

/// A limit of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// As in `nofile`, without `RLIMIT_`.
    pub resource: String,
    /// `None`: no bound.
    pub soft: Option<u64>,
    /// `None`: no bound.
    pub hard: Option<u64>,
}

/// A device file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Absolute, inside the container.
    pub path: String,
    /// Character or block.
    pub kind: DeviceKind,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Kinds of device files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Bytes.
    Character,
    /// Blocks.
    Block,
}

/// The container's control group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlGroup {
    /// Absolute below the hierarchy's top.
    pub path: String,
    /// Limits.
    pub resources: cgroup::Resources,
    /// Whether the container may change its own group, as a privileged one may.
    pub writable: bool,
}
