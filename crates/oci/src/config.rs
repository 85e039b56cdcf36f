//! An image's configuration (config.md), with Docker's additions.
//!
//! All of it is written by whoever made the image: it is data, and no member of it reaches a key that an engine interprets.

use base::digest::Digest;
use base::time::Timestamp;
use base::{Context, Error, Result};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// The longest configuration that is read.
pub const CONFIG_LIMIT_BYTES: u64 = 8 << 20;

/// An image's configuration document.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When the image was made.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient_time")]
    pub created: Option<Timestamp>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub author: String,
    /// Go's name of the architecture.
    #[serde(default, deserialize_with = "null_as_default")]
    pub architecture: String,
    /// Go's name of the operating system.
    #[serde(default, deserialize_with = "null_as_default")]
    pub os: String,
    /// The architecture's variant.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub variant: String,
    /// What a container of this image runs with.
    #[serde(default, deserialize_with = "null_as_default")]
    pub config: Execution,
    /// The layers' digests before compression, lowest first.
    pub rootfs: RootFs,
    /// How the layers came about, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub history: Vec<History>,
    /// A remark of Docker's.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub comment: String,
    /// The version of the tool that made it.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub docker_version: String,
}

/// The execution parameters that a container starts from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Execution {
    /// `user`, `uid`, `user:group`, `uid:gid` or nothing.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub user: String,
    /// Ports that the image says it listens on: `80/tcp`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "keys")]
    pub exposed_ports: BTreeMap<String, Empty>,
    /// `NAME=value` each.
    #[serde(deserialize_with = "null_as_default")]
    pub env: Vec<String>,
    /// What comes before the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The default command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Paths that get a volume of their own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "keys")]
    pub volumes: BTreeMap<String, Empty>,
    /// Where the process starts.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub working_dir: String,
    /// The image's labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// The signal that asks the process to end.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub stop_signal: String,
    /// Docker's: whether the command is already quoted for Windows.
    #[serde(skip_serializing_if = "std::ops::Not::not", deserialize_with = "null_as_default")]
    pub args_escaped: bool,
    /// Docker's: instructions for builds that start from this image.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub on_build: Vec<String>,
    /// Docker's: the shell of the shell forms.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub shell: Vec<String>,
    /// Docker's: how to tell whether the container is healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
}

/// Docker's health check. Durations are in nanoseconds; 0 means inherited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `NONE`, `CMD` or `CMD-SHELL`, and arguments.
    #[serde(deserialize_with = "null_as_default")]
    pub test: Vec<String>,
    /// Between two checks.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "null_as_default")]
    pub interval: i64,
    /// For one check.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "null_as_default")]
    pub timeout: i64,
    /// How long a container may start before failures count.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "null_as_default")]
    pub start_period: i64,
    /// Between two checks while it starts.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "null_as_default")]
    pub start_interval: i64,
    /// Failures in a row that make it unhealthy.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "null_as_default")]
    pub retries: i64,
}

/// The layers of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Digests before compression, lowest first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub diff_ids: Vec<Digest>,
}

/// One step of an image's making.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient_time")]
    pub created: Option<Timestamp>,
    /// By which instruction.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub created_by: String,
    /// By whom.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub author: String,
    /// A remark.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub comment: String,
    /// Whether the step made no layer.
    #[serde(skip_serializing_if = "std::ops::Not::not", deserialize_with = "null_as_default")]
    pub empty_layer: bool,
}

/// The value of a set's member: `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Empty {}

impl ImageConfig {
    /// Parses a configuration document.
    ///
    /// # Errors
    /// [`Invalid`](base::Kind::Invalid) for what is too long, malformed, or has another kind of root file system.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() as u64 > CONFIG_LIMIT_BYTES {
            return Err(Error::invalid(format!("the image's configuration is longer than {CONFIG_LIMIT_BYTES} bytes")));
        }
        let config: Self = serde_json::from_slice(bytes)
            .context("malformed image configuration")
            .map_err(|error| error.with_kind(base::Kind::Invalid))?;
        if config.rootfs.kind != "layers" {
            return Err(Error::invalid(format!(
                "the image's root file system is of type {:?}, expected \"layers\"",
                config.rootfs.kind
            )));
        }
        Ok(config)
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

// Go writes null for empty lists and maps.
fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

// A malformed time is no reason to refuse an image: it is shown and never decided on.
fn lenient_time<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Timestamp>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}

// Only the keys of a set count, whatever their values are.
fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<BTreeMap<String, Empty>, D::Error> {
    let map = Option::<BTreeMap<String, serde::de::IgnoredAny>>::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_keys().map(|key| (key, Empty {})).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_writes() {
        let text = r#"{"architecture":"amd64","os":"linux","created":"2026-01-02T03:04:05Z","config":{"Env":["PATH=/bin"],"Cmd":["sh"],"Entrypoint":null,"Labels":null,"Volumes":{"/data":{}},"ExposedPorts":null},"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]},"history":null}"#;
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(config.config.cmd.unwrap(), ["sh"]);
        assert!(config.config.volumes.contains_key("/data") && config.config.entrypoint.is_none());
        assert_eq!(config.rootfs.diff_ids.len(), 1);
    }

    #[test]
    fn refuses_what_is_no_configuration() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"rootfs":{"type":"other"}}"#,
            r#"{"rootfs":{"type":"layers","diff_ids":["sha256:.."]}}"#,
        ] {
            assert_eq!(ImageConfig::parse(text.as_bytes()).unwrap_err().kind(), base::Kind::Invalid, "{text}");
        }
    }
}
