//! Everything of one container.

use std::collections::BTreeMap;

use super::{ContainerConfig, EndpointSettings, GraphDriver, HostConfig, ManifestDescriptor, PortBinding, wire};

wire! {
    /// Everything of one container.
    pub struct ContainerInspect {
        /// Its id.
        pub id: String,
        /// RFC 3339.
        pub created: String,
        /// The program.
        pub path: String,
        /// Its arguments.
        pub args: Vec<String>,
        /// Where it is in its life.
        pub state: ContainerState,
        /// The image's id.
        pub image: String,
        /// On the host.
        pub resolv_conf_path: String,
        /// On the host.
        pub hostname_path: String,
        /// On the host.
        pub hosts_path: String,
        /// On the host.
        pub log_path: String,
        /// With a leading slash.
        pub name: String,
        /// By its policy.
        pub restart_count: u32,
        /// Storage driver.
        pub driver: String,
        /// `linux`.
        pub platform: String,
        /// The image's manifest.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_manifest_descriptor: Option<ManifestDescriptor>,
        /// SELinux.
        pub mount_label: String,
        /// SELinux.
        pub process_label: String,
        /// Profile.
        pub app_armor_profile: String,
        /// Execs that run.
        #[serde(rename = "ExecIDs")]
        pub exec_ids: Option<Vec<String>>,
        /// What depends on the host.
        pub host_config: HostConfig,
        /// Where its root file system is.
        pub graph_driver: GraphDriver,
        /// Bytes of its writable layer.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub size_rw: Option<i64>,
        /// Bytes of all its files.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub size_root_fs: Option<i64>,
        /// What is mounted.
        pub mounts: Vec<MountPoint>,
        /// What does not depend on the host.
        pub config: ContainerConfig,
        /// Networks.
        pub network_settings: NetworkSettings,
    }

    /// Where a container is in its life.
    pub struct ContainerState {
        /// In one word.
        pub status: String,
        /// Whether there is a process.
        pub running: bool,
        /// Whether it is frozen.
        pub paused: bool,
        /// Whether its policy waits.
        pub restarting: bool,
        /// Whether the kernel killed for want of memory.
        #[serde(rename = "OOMKilled")]
        pub oom_killed: bool,
        /// Whether it is broken.
        pub dead: bool,
        /// On the host.
        pub pid: u32,
        /// Of the last run.
        pub exit_code: i64,
        /// Why the last start failed.
        pub error: String,
        /// RFC 3339.
        pub started_at: String,
        /// RFC 3339.
        pub finished_at: String,
    }

    /// One mount.
    pub struct MountPoint {
        /// `bind`, `volume`, `tmpfs`.
        #[serde(rename = "Type")]
        pub kind: String,
        /// The volume's.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub name: String,
        /// On the host.
        pub source: String,
        /// In the container.
        pub destination: String,
        /// The volume's.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub driver: String,
        /// Options as given.
        pub mode: String,
        /// Whether it can be written.
        #[serde(rename = "RW")]
        pub rw: bool,
        /// As in `rprivate`.
        pub propagation: String,
    }

    /// Networks of a container.
    pub struct NetworkSettings {
        /// Always empty.
        pub bridge: String,
        /// Its sandbox.
        #[serde(rename = "SandboxID")]
        pub sandbox_id: String,
        /// Where its network namespace can be opened.
        pub sandbox_key: String,
        /// `80/tcp` → where on the host.
        pub ports: BTreeMap<String, Option<Vec<PortBinding>>>,
        /// Always false.
        pub hairpin_mode: bool,
        /// Always empty.
        #[serde(rename = "LinkLocalIPv6Address")]
        pub link_local_ipv6_address: String,
        /// Always 0.
        #[serde(rename = "LinkLocalIPv6PrefixLen")]
        pub link_local_ipv6_prefix_len: u8,
        /// Always null.
        #[serde(rename = "SecondaryIPAddresses")]
        pub secondary_ip_addresses: Option<Vec<String>>,
        /// Always null.
        #[serde(rename = "SecondaryIPv6Addresses")]
        pub secondary_ipv6_addresses: Option<Vec<String>>,
        /// As on the network `bridge`.
        #[serde(rename = "EndpointID")]
        pub endpoint_id: String,
        /// The same.
        pub gateway: String,
        /// The same.
        #[serde(rename = "GlobalIPv6Address")]
        pub global_ipv6_address: String,
        /// The same.
        #[serde(rename = "GlobalIPv6PrefixLen")]
        pub global_ipv6_prefix_len: u8,
        /// The same.
        #[serde(rename = "IPAddress")]
        pub ip_address: String,
        /// The same.
        #[serde(rename = "IPPrefixLen")]
        pub ip_prefix_len: u8,
        /// The same.
        #[serde(rename = "IPv6Gateway")]
        pub ipv6_gateway: String,
        /// The same.
        pub mac_address: String,
        /// By name.
        pub networks: BTreeMap<String, EndpointSettings>,
    }
}
