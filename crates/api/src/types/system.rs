//! The engine and its host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Map, wire};

wire! {
    /// Versions of engine and host.
    pub struct Version {
        /// What the engine is called.
        pub platform: Platform,
        /// Of what it consists.
        pub components: Vec<Component>,
        /// Of the engine.
        pub version: String,
        /// The newest version of this API.
        pub api_version: String,
        /// The oldest.
        #[serde(rename = "MinAPIVersion")]
        pub min_api_version: String,
        /// The source's revision.
        pub git_commit: String,
        /// Of the compiler.
        pub go_version: String,
        /// `linux`.
        pub os: String,
        /// `amd64`.
        pub arch: String,
        /// Of the host.
        pub kernel_version: String,
        /// When it was built.
        pub build_time: String,
    }

    /// What the engine is called.
    pub struct Platform {
        /// For people.
        pub name: String,
    }

    /// A part of the engine.
    pub struct Component {
        /// For people.
        pub name: String,
        /// Its version.
        pub version: String,
        /// Anything else.
        pub details: Map,
    }

    /// What an error answers; the member is lower case on the wire.
    pub struct ErrorMessage {
        /// For people.
        #[serde(rename = "message")]
        pub message: String,
    }

    /// Facts about the engine and its host.
    pub struct Info {
        /// Of the state root.
        #[serde(rename = "ID")]
        pub id: String,
        /// In any state.
        pub containers: u64,
        /// That run.
        pub containers_running: u64,
        /// That are frozen.
        pub containers_paused: u64,
        /// All others.
        pub containers_stopped: u64,
        /// Images.
        pub images: u64,
        /// Storage driver.
        pub driver: String,
        /// Facts about it: name and value.
        pub driver_status: Vec<[String; 2]>,
        /// State root.
        pub docker_root_dir: String,
        /// What can be plugged in.
        pub plugins: Plugins,
        /// Whether memory can be limited.
        pub memory_limit: bool,
        /// Whether swap can be.
        pub swap_limit: bool,
        /// Whether processor time can be.
        pub cpu_cfs_period: bool,
        /// The same.
        pub cpu_cfs_quota: bool,
        /// Whether processors have weights.
        #[serde(rename = "CPUShares")]
        pub cpu_shares: bool,
        /// Whether processors can be chosen.
        #[serde(rename = "CPUSet")]
        pub cpu_set: bool,
        /// Whether tasks can be limited.
        pub pids_limit: bool,
        /// Whether the kernel can be kept from killing.
        pub oom_kill_disable: bool,
        /// Whether the host forwards.
        #[serde(rename = "IPv4Forwarding")]
        pub ipv4_forwarding: bool,
        /// Whether the engine says more than usual.
        pub debug: bool,
        /// Open files of the engine.
        #[serde(rename = "NFd")]
        pub open_files: u64,
        /// Threads of the engine.
        #[serde(rename = "NGoroutines")]
        pub threads: u64,
        /// RFC 3339.
        pub system_time: String,
        /// Log driver of new containers.
        pub logging_driver: String,
        /// `cgroupfs` or `systemd`.
        pub cgroup_driver: String,
        /// `1` or `2`.
        pub cgroup_version: String,
        /// Clients that listen to events.
        #[serde(rename = "NEventsListener")]
        pub events_listeners: u64,
        /// Of the host.
        pub kernel_version: String,
        /// Of the host.
        pub operating_system: String,
        /// Of the host.
        #[serde(rename = "OSVersion")]
        pub os_version: String,
        /// `linux`.
        #[serde(rename = "OSType")]
        pub os_type: String,
        /// `x86_64`.
        pub architecture: String,
        /// Processors.
        #[serde(rename = "NCPU")]
        pub processors: u64,
        /// Bytes.
        pub mem_total: u64,
        /// Where credentials of docker.io are kept.
        pub index_server_address: String,
        /// Registries.
        pub registry_config: RegistryConfig,
        /// Swarm only.
        pub generic_resources: Option<Vec<serde_json::Value>>,
        /// For the engine's own requests.
        pub http_proxy: String,
        /// For the engine's own requests.
        pub https_proxy: String,
        /// For the engine's own requests.
        pub no_proxy: String,
        /// Host name.
        pub name: String,
        /// Of the engine.
        pub labels: Vec<String>,
        /// Whether experimental features are on.
        pub experimental_build: bool,
        /// Of the engine.
        pub server_version: String,
        /// By name.
        pub runtimes: BTreeMap<String, Runtime>,
        /// Of new containers.
        pub default_runtime: String,
        /// Of which this engine is no member.
        pub swarm: Swarm,
        /// Whether containers outlive the engine.
        pub live_restore_enabled: bool,
        /// Windows only.
        pub isolation: String,
        /// Of `--init`.
        pub init_binary: String,
        /// There is none.
        pub containerd_commit: Commit,
        /// There is none.
        pub runc_commit: Commit,
        /// There is none.
        pub init_commit: Commit,
        /// `name=seccomp,profile=builtin` and the like.
        pub security_options: Vec<String>,
        /// What a person should know.
        pub warnings: Vec<String>,
        /// Folders of CDI specifications.
        #[serde(rename = "CDISpecDirs")]
        pub cdi_spec_dirs: Vec<String>,
    }

    /// What can be plugged in.
    pub struct Plugins {
        /// Drivers.
        pub volume: Vec<String>,
        /// Drivers.
        pub network: Vec<String>,
        /// Plugins.
        pub authorization: Option<Vec<String>>,
        /// Drivers.
        pub log: Vec<String>,
    }

    /// Registries.
    pub struct RegistryConfig {
        /// Networks in which registries are spoken to in plain http.
        #[serde(rename = "InsecureRegistryCIDRs")]
        pub insecure_registry_cidrs: Vec<String>,
        /// By host.
        pub index_configs: BTreeMap<String, IndexConfig>,
        /// Mirrors of docker.io.
        pub mirrors: Vec<String>,
    }

    /// One registry.
    pub struct IndexConfig {
        /// Its host.
        pub name: String,
        /// Its mirrors.
        pub mirrors: Vec<String>,
        /// Whether it is spoken to in https only.
        pub secure: bool,
        /// Whether it is docker.io.
        pub official: bool,
    }

    /// Swarm, as an engine that is in none says it.
    pub struct Swarm {
        /// Empty.
        #[serde(rename = "NodeID")]
        pub node_id: String,
        /// Empty.
        pub node_addr: String,
        /// `inactive`.
        pub local_node_state: String,
        /// False.
        pub control_available: bool,
        /// Empty.
        pub error: String,
        /// Null.
        pub remote_managers: Option<Vec<serde_json::Value>>,
    }

    /// The revision of a program.
    pub struct Commit {
        /// Of the source.
        #[serde(rename = "ID")]
        pub id: String,
    }
}

/// An OCI runtime; its members are lower case on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Runtime {
    /// Its program.
    pub path: String,
}

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// The old name of `action`, for containers and images.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// The old name of the actor's id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The old name of the image in the attributes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// `container` and the like.
    #[serde(rename = "Type")]
    pub kind: String,
    /// `start` and the like.
    #[serde(rename = "Action")]
    pub action: String,
    /// To what it happened.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// `local`.
    pub scope: String,
    /// Seconds since 1970.
    pub time: i64,
    /// Nanoseconds since 1970.
    #[serde(rename = "timeNano")]
    pub time_nano: i64,
}

/// To what an event happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Actor {
    /// Id or name.
    #[serde(rename = "ID")]
    pub id: String,
    /// Labels, image, name, exit code.
    #[serde(rename = "Attributes")]
    pub attributes: Map,
}
