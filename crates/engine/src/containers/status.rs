//! The states of a container, as people see them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Never started.
    #[default]
    Created,
    /// Its process runs, or is about to.
    Running,
    /// All of its processes are frozen.
    Paused,
    /// Its restart policy waits before the next start.
    Restarting,
    /// It is being removed.
    Removing,
    /// Its process has exited and everything was torn down.
    Exited,
    /// Its supervisor is gone and nobody has torn down; the next command that changes it mends it.
    Dead,
}

impl Status {
    /// Docker's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// The status that a word names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        use Status::{Created, Dead, Exited, Paused, Removing, Restarting, Running};
        [Created, Running, Paused, Restarting, Removing, Exited, Dead]
            .into_iter()
            .find(|status| status.as_str() == text)
    }

    /// Whether it has a process, frozen or not, or will have one again without anybody asking.
    #[must_use]
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
