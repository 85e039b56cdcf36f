//! Containers: what create takes, what lists and small answers hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EndpointSettings, HostConfig, Map, MountPoint, Set, wire};

/// The part of a container's configuration that does not depend on the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// Empty: the short id.
    #[serde(deserialize_with = "super::null_is_default")]
    pub hostname: String,
    /// Empty: none.
    #[serde(deserialize_with = "super::null_is_default")]
    pub domainname: String,
    /// `user[:group]`.
    #[serde(deserialize_with = "super::null_is_default")]
    pub user: String,
    /// Whether `run` attached standard input.
    #[serde(deserialize_with = "super::null_is_default")]
    pub attach_stdin: bool,
    /// Whether `run` attached standard output.
    #[serde(deserialize_with = "super::null_is_default")]
    pub attach_stdout: bool,
    /// Whether `run` attached standard error.
    #[serde(deserialize_with = "super::null_is_default")]
    pub attach_stderr: bool,
    /// `80/tcp` and the like.
    #[serde(deserialize_with = "super::null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: Set,
    /// Whether the process has a terminal.
    #[serde(deserialize_with = "super::null_is_default")]
    pub tty: bool,
    /// Whether standard input stays open without a client.
    #[serde(deserialize_with = "super::null_is_default")]
    pub open_stdin: bool,
    /// Whether standard input ends with the first client that had it.
    #[serde(deserialize_with = "super::null_is_default")]
    pub stdin_once: bool,
    /// `NAME=value`.
    #[serde(deserialize_with = "super::null_is_default")]
    pub env: Vec<String>,
    /// Command and arguments.
    #[serde(deserialize_with = "super::text_or_list")]
    pub cmd: Option<Vec<String>>,
    /// How the process is asked for its health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthConfig>,
    /// Windows only.
    #[serde(deserialize_with = "super::null_is_default", skip_serializing_if = "std::ops::Not::not")]
    pub args_escaped: bool,
    /// The image as the user wrote it.
    #[serde(deserialize_with = "super::null_is_default")]
    pub image: String,
    /// Targets of anonymous volumes.
    #[serde(deserialize_with = "super::null_is_default")]
    pub volumes: Set,
    /// Where the process starts.
    #[serde(deserialize_with = "super::null_is_default")]
    pub working_dir: String,
    /// Comes before the command.
    #[serde(deserialize_with = "super::text_or_list")]
    pub entrypoint: Option<Vec<String>>,
    /// Whether there is no network at all.
    #[serde(deserialize_with = "super::null_is_default", skip_serializing_if = "std::ops::Not::not")]
    pub network_disabled: bool,
    /// Hardware address in the first network; only of clients before API 1.44.
    #[serde(deserialize_with = "super::null_is_default", skip_serializing_if = "String::is_empty")]
    pub mac_address: String,
    /// Only for builds.
    pub on_build: Option<Vec<String>>,
    /// Labels.
    #[serde(deserialize_with = "super::null_is_default")]
    pub labels: Map,
    /// Name or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Seconds that a stop waits before it kills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// For the shell form of instructions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
}

/// The body of a create request: a [`ContainerConfig`] with two more members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CreateContainer {
    /// What does not depend on the host.
    #[serde(flatten)]
    pub config: ContainerConfig,
    /// What does.
    #[serde(deserialize_with = "super::null_is_default")]
    pub host_config: HostConfig,
    /// Networks to join.
    #[serde(deserialize_with = "super::null_is_default")]
    pub networking_config: NetworkingConfig,
}

wire! {
    /// How a process is asked for its health; durations in nanoseconds.
    pub struct HealthConfig {
        /// `NONE`, `CMD …` or `CMD-SHELL …`.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub test: Vec<String>,
        /// Between two tests.
        #[serde(skip_serializing_if = "super::is_zero")]
        pub interval: i64,
        /// Of one test.
        #[serde(skip_serializing_if = "super::is_zero")]
        pub timeout: i64,
        /// Failures before it is unhealthy.
        #[serde(skip_serializing_if = "super::is_zero")]
        pub retries: i64,
        /// During which failures do not count.
        #[serde(skip_serializing_if = "super::is_zero")]
        pub start_period: i64,
        /// Between two tests in the start period.
        #[serde(skip_serializing_if = "super::is_zero")]
        pub start_interval: i64,
    }

    /// Networks to join at create.
    pub struct NetworkingConfig {
        /// Name → how.
        pub endpoints_config: BTreeMap<String, Option<EndpointSettings>>,
    }

    /// What create answers.
    pub struct CreateResponse {
        /// Of the new container.
        pub id: String,
        /// What was left out.
        pub warnings: Vec<String>,
    }

    /// What update answers.
    pub struct UpdateResponse {
        /// What was left out.
        pub warnings: Vec<String>,
    }

    /// What wait answers.
    pub struct WaitResponse {
        /// The exit code.
        pub status_code: i64,
        /// Why there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub error: Option<WaitError>,
    }

    /// Why a wait has no exit code.
    pub struct WaitError {
        /// In words.
        pub message: String,
    }

    /// What a prune of containers answers.
    pub struct ContainerPrune {
        /// Ids.
        pub containers_deleted: Vec<String>,
        /// Bytes.
        pub space_reclaimed: u64,
    }

    /// One line of a list.
    pub struct ContainerSummary {
        /// Its id.
        pub id: String,
        /// Each with a leading slash.
        pub names: Vec<String>,
        /// As the user wrote it.
        pub image: String,
        /// The image's id.
        #[serde(rename = "ImageID")]
        pub image_id: String,
        /// The whole command line as one text.
        pub command: String,
        /// Seconds since 1970.
        pub created: i64,
        /// Exposed and published ports.
        pub ports: Vec<PortSummary>,
        /// Bytes of its writable layer.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub size_rw: Option<i64>,
        /// Bytes of all its files.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub size_root_fs: Option<i64>,
        /// Labels.
        pub labels: Map,
        /// `running` and the like.
        pub state: String,
        /// For people: `Up 2 minutes`.
        pub status: String,
        /// The little of the host configuration that a list shows.
        pub host_config: SummaryHostConfig,
        /// Networks.
        pub network_settings: SummaryNetworks,
        /// What is mounted.
        pub mounts: Vec<MountPoint>,
    }

    /// The little of the host configuration that a list shows.
    pub struct SummaryHostConfig {
        /// As asked for.
        pub network_mode: String,
    }

    /// Networks in a list.
    pub struct SummaryNetworks {
        /// By name.
        pub networks: BTreeMap<String, EndpointSettings>,
    }

    /// A port in a list.
    pub struct PortSummary {
        /// Address on the host.
        #[serde(rename = "IP", skip_serializing_if = "String::is_empty")]
        pub ip: String,
        /// In the container.
        pub private_port: u16,
        /// On the host.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub public_port: Option<u16>,
        /// `tcp`, `udp` or `sctp`.
        #[serde(rename = "Type")]
        pub kind: String,
    }
}
