//! The part of a container's configuration that depends on the host.

use std::collections::BTreeMap;

use super::{Map, wire};

wire! {
    /// The part of a container's configuration that depends on the host; zero and empty mean not set.
    pub struct HostConfig {
        /// `source:target[:options]`.
        pub binds: Vec<String>,
        /// Where the client wrote the id.
        #[serde(rename = "ContainerIDFile")]
        pub container_id_file: String,
        /// The log driver.
        pub log_config: LogConfig,
        /// `default`, `none`, `host`, `container:NAME` or a network.
        pub network_mode: String,
        /// `80/tcp` → where on the host.
        pub port_bindings: BTreeMap<String, Option<Vec<PortBinding>>>,
        /// What happens after an exit.
        pub restart_policy: RestartPolicy,
        /// Whether it goes away after its exit.
        pub auto_remove: bool,
        /// For volumes that `binds` makes.
        pub volume_driver: String,
        /// `container[:ro|rw]`.
        pub volumes_from: Vec<String>,
        /// What `--mount` asked for.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub mounts: Vec<Mount>,
        /// Height and width of the terminal.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub console_size: Option<[u32; 2]>,
        /// Free text for other programs.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub annotations: Map,
        /// Capabilities to add.
        pub cap_add: Vec<String>,
        /// Capabilities to drop.
        pub cap_drop: Vec<String>,
        /// `private` or `host`.
        pub cgroupns_mode: String,
        /// Name servers.
        pub dns: Vec<String>,
        /// Resolver options.
        pub dns_options: Vec<String>,
        /// Search domains.
        pub dns_search: Vec<String>,
        /// `name:address`.
        pub extra_hosts: Vec<String>,
        /// Groups beyond the user's own.
        pub group_add: Vec<String>,
        /// Whose IPC objects.
        pub ipc_mode: String,
        /// Not used by any engine any more.
        pub cgroup: String,
        /// Containers to link to.
        pub links: Vec<String>,
        /// From -1000 to 1000.
        pub oom_score_adj: i64,
        /// Whose processes.
        pub pid_mode: String,
        /// Everything allowed.
        pub privileged: bool,
        /// Publishes every exposed port.
        pub publish_all_ports: bool,
        /// Whether the root file system is read-only.
        pub readonly_rootfs: bool,
        /// `seccomp=…` and the like.
        pub security_opt: Vec<String>,
        /// Of the storage driver.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub storage_opt: Map,
        /// Target → options.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub tmpfs: Map,
        /// Whose host name.
        #[serde(rename = "UTSMode")]
        pub uts_mode: String,
        /// Whose users.
        pub userns_mode: String,
        /// Bytes of `/dev/shm`.
        pub shm_size: i64,
        /// Kernel settings.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub sysctls: Map,
        /// The runtime's name.
        pub runtime: String,
        /// Windows only.
        pub isolation: String,
        /// Hidden paths; null: the default ones.
        pub masked_paths: Option<Vec<String>>,
        /// Read-only paths; null: the default ones.
        pub readonly_paths: Option<Vec<String>>,
        /// Relative weight of processor time.
        pub cpu_shares: i64,
        /// Bytes.
        pub memory: i64,
        /// Below which the container's group is made.
        pub cgroup_parent: String,
        /// Relative weight of block input and output.
        pub blkio_weight: u16,
        /// The same by device.
        pub blkio_weight_device: Vec<serde_json::Value>,
        /// Bytes per second by device.
        pub blkio_device_read_bps: Vec<serde_json::Value>,
        /// Bytes per second by device.
        pub blkio_device_write_bps: Vec<serde_json::Value>,
        /// Operations per second by device.
        #[serde(rename = "BlkioDeviceReadIOps")]
        pub blkio_device_read_iops: Vec<serde_json::Value>,
        /// Operations per second by device.
        #[serde(rename = "BlkioDeviceWriteIOps")]
        pub blkio_device_write_iops: Vec<serde_json::Value>,
        /// Microseconds.
        pub cpu_period: i64,
        /// Microseconds of each period.
        pub cpu_quota: i64,
        /// Microseconds.
        pub cpu_realtime_period: i64,
        /// Microseconds.
        pub cpu_realtime_runtime: i64,
        /// `0-3`.
        pub cpuset_cpus: String,
        /// `0,1`.
        pub cpuset_mems: String,
        /// Devices of the host.
        pub devices: Vec<DeviceMapping>,
        /// `c 1:3 rwm`.
        pub device_cgroup_rules: Vec<String>,
        /// CDI and drivers.
        pub device_requests: Vec<serde_json::Value>,
        /// Bytes, a soft limit.
        pub memory_reservation: i64,
        /// Bytes of memory and swap; -1: no bound.
        pub memory_swap: i64,
        /// From 0 to 100; -1: not set.
        pub memory_swappiness: Option<i64>,
        /// Billionths of a processor.
        pub nano_cpus: i64,
        /// Never kill for want of memory.
        pub oom_kill_disable: Option<bool>,
        /// Run a tiny init as process 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub init: Option<bool>,
        /// Tasks.
        pub pids_limit: Option<i64>,
        /// Limits of the processes.
        pub ulimits: Vec<Ulimit>,
        /// Windows only.
        pub cpu_count: i64,
        /// Windows only.
        pub cpu_percent: i64,
        /// Windows only.
        #[serde(rename = "IOMaximumIOps")]
        pub io_maximum_iops: i64,
        /// Windows only.
        #[serde(rename = "IOMaximumBandwidth")]
        pub io_maximum_bandwidth: i64,
    }

    /// A log driver and its options.
    pub struct LogConfig {
        /// Empty: the engine's default.
        #[serde(rename = "Type")]
        pub kind: String,
        /// Options.
        pub config: Map,
    }

    /// What happens after an exit.
    pub struct RestartPolicy {
        /// `no`, `on-failure`, `always`, `unless-stopped`; empty is `no`.
        pub name: String,
        /// For `on-failure`; 0: no bound.
        pub maximum_retry_count: i64,
    }

    /// Where a port is published.
    pub struct PortBinding {
        /// Address on the host.
        pub host_ip: String,
        /// Port or range on the host.
        pub host_port: String,
    }

    /// A device of the host.
    pub struct DeviceMapping {
        /// On the host.
        pub path_on_host: String,
        /// In the container.
        pub path_in_container: String,
        /// Some of `rwm`.
        pub cgroup_permissions: String,
    }

    /// A limit of the processes.
    pub struct Ulimit {
        /// As in `nofile`.
        pub name: String,
        /// -1: no bound.
        pub hard: i64,
        /// -1: no bound.
        pub soft: i64,
    }

    /// What one `--mount` asks for.
    pub struct Mount {
        /// `bind`, `volume`, `tmpfs`.
        #[serde(rename = "Type")]
        pub kind: String,
        /// A path or the name of a volume.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub source: String,
        /// Where in the container.
        pub target: String,
        /// Whether nothing can be written.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pub read_only: bool,
        /// Of no meaning on Linux.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub consistency: String,
        /// For `bind`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub bind_options: Option<BindOptions>,
        /// For `volume`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub volume_options: Option<VolumeOptions>,
        /// For `image`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_options: Option<ImageOptions>,
        /// For `tmpfs`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub tmpfs_options: Option<TmpfsOptions>,
    }

    /// Options of a bind mount.
    pub struct BindOptions {
        /// As in `rprivate`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub propagation: String,
        /// Without the mounts below.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pub non_recursive: bool,
        /// Makes a missing source.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pub create_mountpoint: bool,
        /// Read-only only at its top.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pub read_only_non_recursive: bool,
        /// Read-only everywhere, or an error.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pub read_only_force_recursive: bool,
    }

    /// Options of a volume mount.
    pub struct VolumeOptions {
        /// Whether an empty volume stays empty.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pub no_copy: bool,
        /// Labels of a volume that is made.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub labels: Map,
        /// A path below the volume's top.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub subpath: String,
        /// Driver of a volume that is made.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub driver_config: Option<DriverConfig>,
    }

    /// A volume driver.
    pub struct DriverConfig {
        /// Its name.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub name: String,
        /// Its options.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub options: Map,
    }

    /// Options of an image mount.
    pub struct ImageOptions {
        /// A path in the image.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub subpath: String,
    }

    /// Options of a mount in memory.
    pub struct TmpfsOptions {
        /// Bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub size_bytes: Option<i64>,
        /// Permission bits.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub mode: Option<i64>,
        /// Each a name, or a name and a value.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub options: Vec<Vec<String>>,
    }
}
