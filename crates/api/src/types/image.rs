//! Images, and the progress of their transfers.

use serde::{Deserialize, Serialize};

use super::{HealthConfig, Map, Set, wire};

wire! {
    /// One line of a list.
    pub struct ImageSummary {
        /// Digest of its configuration.
        pub id: String,
        /// Not known.
        pub parent_id: String,
        /// `alpine:3.20`.
        pub repo_tags: Vec<String>,
        /// `alpine@sha256:…`.
        pub repo_digests: Vec<String>,
        /// Seconds since 1970.
        pub created: i64,
        /// Bytes.
        pub size: i64,
        /// Bytes; -1: not counted.
        pub shared_size: i64,
        /// Labels; null without any.
        pub labels: Option<Map>,
        /// Containers made from it; -1: not counted.
        pub containers: i64,
    }

    /// Everything of one image.
    pub struct ImageInspect {
        /// Digest of its configuration.
        pub id: String,
        /// `alpine:3.20`.
        pub repo_tags: Vec<String>,
        /// `alpine@sha256:…`.
        pub repo_digests: Vec<String>,
        /// Its manifest.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub descriptor: Option<ManifestDescriptor>,
        /// Not known.
        pub parent: String,
        /// Of its last step.
        pub comment: String,
        /// RFC 3339.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub created: String,
        /// Not known.
        pub docker_version: String,
        /// As it says.
        pub author: String,
        /// What containers take from it.
        pub config: ImageConfig,
        /// `amd64`.
        pub architecture: String,
        /// `v8`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub variant: String,
        /// `linux`.
        pub os: String,
        /// Windows only.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub os_version: String,
        /// Bytes.
        pub size: i64,
        /// Where its files are.
        pub graph_driver: GraphDriver,
        /// Layers.
        #[serde(rename = "RootFS")]
        pub root_fs: RootFileSystem,
        /// What the engine notes.
        pub metadata: ImageMetadata,
    }

    /// What containers take from an image.
    pub struct ImageConfig {
        /// `user[:group]`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub user: String,
        /// `80/tcp` and the like.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub exposed_ports: Option<Set>,
        /// `NAME=value`.
        pub env: Vec<String>,
        /// Comes before the command.
        pub entrypoint: Option<Vec<String>>,
        /// Command and arguments.
        pub cmd: Option<Vec<String>>,
        /// How its process is asked for its health.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub healthcheck: Option<HealthConfig>,
        /// Targets of anonymous volumes.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub volumes: Option<Set>,
        /// Where the process starts.
        pub working_dir: String,
        /// Labels; null without any.
        pub labels: Option<Map>,
        /// For builds.
        pub on_build: Option<Vec<String>>,
        /// How it stops.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub stop_signal: Option<String>,
        /// For the shell form of instructions.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub shell: Option<Vec<String>>,
    }

    /// Where the files of an image or a container are.
    pub struct GraphDriver {
        /// Of the storage driver: directories.
        pub data: Map,
        /// `overlay2` and the like.
        pub name: String,
    }

    /// Layers.
    pub struct RootFileSystem {
        /// `layers`.
        #[serde(rename = "Type")]
        pub kind: String,
        /// Digests before compression, lowest first.
        pub layers: Vec<String>,
    }

    /// What the engine notes of an image.
    pub struct ImageMetadata {
        /// RFC 3339.
        pub last_tag_time: String,
    }

    /// One step of an image's making.
    pub struct ImageHistory {
        /// `<missing>` for all but the newest.
        pub id: String,
        /// Seconds since 1970.
        pub created: i64,
        /// By which instruction.
        pub created_by: String,
        /// Names.
        pub tags: Option<Vec<String>>,
        /// Bytes.
        pub size: i64,
        /// What its author said.
        pub comment: String,
    }

    /// One thing that was removed; one of the two is set.
    pub struct ImageDelete {
        /// A name.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub untagged: Option<String>,
        /// A digest.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub deleted: Option<String>,
    }

    /// What a prune of images answers.
    pub struct ImagePrune {
        /// What was removed.
        pub images_deleted: Vec<ImageDelete>,
        /// Bytes.
        pub space_reclaimed: u64,
    }
}

/// A manifest, in the OCI's spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ManifestDescriptor {
    /// Of the manifest.
    pub media_type: String,
    /// Of the manifest.
    pub digest: String,
    /// Bytes of the manifest.
    pub size: u64,
}

/// One line of the progress of a transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JsonMessage {
    /// Text to show as it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// What happens.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Bytes.
    #[serde(rename = "progressDetail", skip_serializing_if = "Option::is_none")]
    pub progress_detail: Option<ProgressDetail>,
    /// A bar of text for old clients.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub progress: String,
    /// To which layer or tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Why it ended.
    #[serde(rename = "errorDetail", skip_serializing_if = "Option::is_none")]
    pub error_detail: Option<ErrorDetail>,
    /// The same, for old clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a push made, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aux: Option<serde_json::Value>,
}

/// Bytes of a transfer; zero where not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgressDetail {
    /// So far.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub current: i64,
    /// In all.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub total: i64,
}

/// Why a transfer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorDetail {
    /// The status that an answer would have had.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub code: i64,
    /// In words.
    pub message: String,
}

/// What `X-Registry-Auth` carries, as base64 of JSON.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Auth {
    /// User name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// Password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// Both, as base64 of `user:password`; read where they are missing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth: String,
    /// Of which registry.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub serveraddress: String,
    /// A token that is exchanged for another.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub identitytoken: String,
    /// A bearer token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub registrytoken: String,
}

// Secrets do not reach logs.
impl std::fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Auth({:?}, …)", self.username)
    }
}
