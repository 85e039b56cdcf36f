//! What a user wants of a container: the one typed record that create takes, `config.json` keeps and inspect shows.
//!
//! As asked for, the values are the user's alone; create merges in what the image and the engine's configuration say, and stores that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::modes::{CgroupMode, IpcMode, NetworkMode, PidMode, RestartPolicy, UtsMode};
use super::resources::{DeviceMapping, ResourceLimits, Ulimit};

/// All settings of a container, as asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The image as the user wrote it: a name, an id or a prefix of one.
    pub image: String,
    /// Command and arguments; `None` takes the image's, unless `entrypoint` is given.
    pub command: Option<Vec<String>>,
    /// Replaces the image's entry point; an empty list or a single empty string clears it.
    pub entrypoint: Option<Vec<String>>,
    /// `NAME=value`, or `NAME` to remove what the image sets.
    pub environment: Vec<String>,
    /// `user[:group]`, names or numbers; empty takes the image's.
    pub user: String,
    /// Where the process starts, absolute; empty takes the image's, then `/`.
    pub working_directory: String,
    /// Empty: the short id.
    pub hostname: String,
    /// Empty: none.
    pub domainname: String,
    /// The container's own labels; they win over the image's.
    pub labels: BTreeMap<String, String>,
    /// Whether the process has a terminal (`-t`).
    pub terminal: bool,
    /// Whether standard input stays open without a client (`-i`).
    pub open_stdin: bool,
    /// Whether standard input closes when the first client that attached to it leaves.
    pub stdin_once: bool,
    /// Which streams `run` was asked to attach; only reported.
    pub attached: AttachedStreams,
    /// Name or number; `None` takes the image's, then `SIGTERM`.
    pub stop_signal: Option<String>,
    /// How long a stop waits before it kills, in seconds; negative waits for ever; `None` is 10.
    pub stop_timeout_seconds: Option<i64>,
    /// `80/tcp` and the like: what `publish_all_ports` publishes.
    pub exposed_ports: BTreeSet<String>,
    /// Targets of anonymous volumes (`-v /data`, and the API's `Volumes`).
    pub volumes: BTreeSet<String>,
    /// Whether the engine runs its own tiny init as process 1; `None` follows the engine's default.
    pub init: Option<bool>,
    /// Whether the container goes away when it has exited (`--rm`).
    pub auto_remove: bool,
    /// What happens after the process exits.
    pub restart: RestartPolicy,
    /// `source:target[:options]`, as `-v` takes them.
    pub binds: Vec<String>,
    /// What `--mount` asked for.
    pub mounts: Vec<MountRequest>,
    /// Target → options, as `--tmpfs` takes them.
    pub tmpfs: BTreeMap<String, String>,
    /// `container[:ro|rw]`, as `--volumes-from` takes them.
    pub volumes_from: Vec<String>,
    /// The driver of volumes that `binds` makes; empty or `local`.
    pub volume_driver: String,
    /// Whether the root file system is read-only.
    pub read_only_root: bool,
    /// Network, resolved at each start.
    pub network: NetworkMode,
    /// Network by name → what is asked of it; the first network of the container is `network`.
    pub networks: BTreeMap<String, EndpointRequest>,
    /// Port of the container, as in `80/tcp` → where on the host it is published (`-p`).
    pub published_ports: BTreeMap<String, Vec<PortBinding>>,
    /// Whether all exposed ports are published on ports that the kernel chooses (`-P`).
    pub publish_all_ports: bool,
    /// `name:address` for the container's `/etc/hosts`.
    pub extra_hosts: Vec<String>,
    /// Name servers for the container's `resolv.conf`; empty takes the host's.
    pub dns: Vec<String>,
    /// Resolver options.
    pub dns_options: Vec<String>,
    /// Search domains; a single `.` means none.
    pub dns_search: Vec<String>,
    /// Process ids.
    pub pid: PidMode,
    /// System V and POSIX IPC.
    pub ipc: IpcMode,
    /// Host name.
    pub uts: UtsMode,
    /// View of the control groups; `None` is the engine's default: private.
    pub cgroup: Option<CgroupMode>,
    /// The group below which the container's own is made; empty: the engine's.
    pub cgroup_parent: String,
    /// Capabilities to add, with or without `CAP_`; `ALL` for every one.
    pub capabilities_add: Vec<String>,
    /// Capabilities to drop.
    pub capabilities_drop: Vec<String>,
    /// All capabilities, all devices, nothing masked, no filter.
    pub privileged: bool,
    /// `seccomp=…`, `no-new-privileges`, `label=…`, `apparmor=…`, `systempaths=unconfined`; a seccomp profile by content, never by path.
    pub security_options: Vec<String>,
    /// Groups beyond the user's own, names or numbers.
    pub group_add: Vec<String>,
    /// Namespaced kernel settings.
    pub sysctls: BTreeMap<String, String>,
    /// Overrides the paths hidden from the container; `None` is the default list.
    pub masked_paths: Option<Vec<String>>,
    /// Overrides the paths that are read-only in the container; `None` is the default list.
    pub read_only_paths: Option<Vec<String>>,
    /// Devices of the host.
    pub devices: Vec<DeviceMapping>,
    /// Rules of the device controller, as `--device-cgroup-rule` takes them (`c 1:3 rwm`).
    pub device_rules: Vec<String>,
    /// Limits of the control group.
    pub resources: ResourceLimits,
    /// Limits of the processes.
    pub ulimits: Vec<Ulimit>,
    /// Size of `/dev/shm` in bytes; `None` is 64 MiB.
    pub shm_size: Option<u64>,
    /// From -1000 to 1000.
    pub oom_score_adj: i32,
    /// The log driver and its options; an empty driver follows the engine's default.
    pub log: LogSettings,
    /// Height and width of the terminal at start; zero: unknown.
    pub console_size: (u16, u16),
    /// Where the client wrote the id; only reported.
    pub id_file: String,
    /// The runtime's name; empty or `berth`.
    pub runtime: String,
}

/// Streams that `run` attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttachedStreams {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
}

/// The log driver of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSettings {
    /// `json-file`, `local`, `none`; empty follows the engine's default.
    pub driver: String,
    /// `max-size`, `max-file`, `compress`, `labels`, `env`, `tag` and the like.
    pub options: BTreeMap<String, String>,
}

/// What a container asks of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointRequest {
    /// Further names.
    pub aliases: Vec<String>,
    /// `container[:alias]`: names that only this container uses.
    pub links: Vec<String>,
    /// Its address; `None`: the next free one.
    pub ipv4: Option<Ipv4Addr>,
    /// The same.
    pub ipv6: Option<Ipv6Addr>,
    /// As in `02:42:ac:11:00:02`; `None`: made up.
    pub hardware_address: Option<String>,
    /// The network of the highest priority has the default route.
    pub gateway_priority: i64,
}

/// One published port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortBinding {
    /// Address on the host; empty: all.
    pub host_address: String,
    /// Port or range on the host; empty: chosen by the kernel.
    pub host_port: String,
}

/// What one `--mount` asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MountRequest {
    /// Where in the container, absolute.
    pub target: String,
    /// Whether nothing can be written through it.
    pub read_only: bool,
    /// What is mounted.
    pub kind: MountKind,
}

/// The kinds of mounts that can be asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum MountKind {
    /// A path of the host.
    Bind {
        /// Absolute path on the host.
        source: String,
        /// `rprivate`, `private`, `rshared`, `shared`, `rslave`, `slave`; empty: `rprivate`.
        propagation: String,
        /// Whether mounts below the source stay out.
        non_recursive: bool,
        /// Whether a missing source is made, a directory.
        create_source: bool,
        /// How far down `read_only` reaches.
        read_only_reach: ReadOnlyReach,
    },
    /// A volume.
    Volume {
        /// Its name; empty: an anonymous one.
        name: String,
        /// Whether an empty volume stays empty instead of taking the image's files.
        no_copy: bool,
        /// A path below the volume's top.
        subpath: String,
        /// Labels of a volume that is made.
        labels: BTreeMap<String, String>,
        /// Driver of a volume that is made; empty or `local`.
        driver: String,
        /// Options of that driver.
        driver_options: BTreeMap<String, String>,
    },
    /// Memory.
    Tmpfs {
        /// Bytes; `None`: unlimited, as the kernel does.
        size_bytes: Option<u64>,
        /// Permission bits of its top; `None`: 1777.
        mode: Option<u32>,
        /// Further options, as `--tmpfs` takes them.
        options: Vec<String>,
    },
}

/// How far down a read-only bind mount reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadOnlyReach {
    /// Mounts below too, where the kernel can.
    #[default]
    WherePossible,
    /// Only the mount itself.
    TopOnly,
    /// Mounts below too, or an error.
    Everything,
}
