//! One mount that was decided at create.

use runtime::spec::{Propagation, ReadOnly};
use serde::{Deserialize, Serialize};

use super::tmpfs::TmpfsOptions;
use crate::containers::MountPoint;

/// One mount that was decided at create; `config.json` keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Planned {
    /// Absolute, inside the container, without `.` and `..`.
    pub(crate) target: String,
    pub(crate) source: Source,
    pub(crate) read_only: ReadOnly,
    pub(crate) propagation: Propagation,
    /// The options as they were written, for inspect.
    pub(crate) mode: String,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// A path of the host.
    Bind { path: String, recursive: bool, missing: Missing },
    /// A volume, by name.
    Volume { name: String, subpath: String, is_anonymous: bool, no_copy: bool },
    /// Memory.
    Tmpfs(TmpfsOptions),
}

/// What happens when a source is missing at a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Missing {
    /// A directory is made, as for `-v`.
    Make,
    /// It is an error, as for `--mount`.
    Refuse,
}

impl Planned {
    /// The volume that it uses.
    pub(crate) fn volume_name(&self) -> Option<&str> {
        match &self.source {
            Source::Volume { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The volume that it uses and that nobody named.
    pub(crate) fn anonymous_volume(&self) -> Option<&str> {
        match &self.source {
            Source::Volume { name, is_anonymous: true, .. } => Some(name),
            _ => None,
        }
    }

    /// As inspect shows it; `mountpoint` is where a volume's files are.
    pub(super) fn point(&self, mountpoint: &str) -> MountPoint {
        let (kind, name, source, driver) = match &self.source {
            Source::Bind { path, .. } => ("bind", "", path.as_str(), ""),
            Source::Volume { name, .. } => ("volume", name.as_str(), mountpoint, "local"),
            Source::Tmpfs(_) => ("tmpfs", "", "", ""),
        };
        MountPoint {
            kind: kind.to_owned(),
            name: name.to_owned(),
            source: source.to_owned(),
            destination: self.target.clone(),
            driver: driver.to_owned(),
            mode: self.mode.clone(),
            writable: self.read_only == ReadOnly::No,
            propagation: match &self.source {
                Source::Bind { .. } => super::bind::propagation_name(self.propagation).to_owned(),
                _ => String::new(),
            },
        }
    }
}
