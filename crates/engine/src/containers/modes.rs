//! The closed sets of choices in a container's settings: namespaces and restart policy, with Docker's notation.

use std::fmt;
use std::str::FromStr;

use base::{Error, Result};
use serde::{Deserialize, Serialize};

/// Makes a type serialise as the text that [`fmt::Display`] writes and [`FromStr`] reads.
macro_rules! as_text {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}

/// Whose network a container has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NetworkMode {
    /// What the engine gives by default, resolved at each start.
    #[default]
    Default,
    /// A namespace with nothing but loopback.
    None,
    /// The host's.
    Host,
    /// Another container's, by name or id.
    Container(String),
    /// A network by name; `bridge` among them.
    Named(String),
}

/// Whose processes a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PidMode {
    /// Its own.
    #[default]
    Private,
    /// The host's.
    Host,
    /// Another container's.
    Container(String),
}

/// Whose IPC objects a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum IpcMode {
    /// The engine's default: private.
    #[default]
    Default,
    /// Its own, which no other container may join.
    Private,
    /// Its own, which others may join.
    Shareable,
    /// Its own, without `/dev/shm`.
    None,
    /// The host's.
    Host,
    /// Another container's.
    Container(String),
}

/// Whose host name a container has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum UtsMode {
    /// Its own.
    #[default]
    Private,
    /// The host's.
    Host,
}

/// Which control groups a container sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CgroupMode {
    /// A namespace of its own.
    Private,
    /// The host's.
    Host,
}

/// What happens when the process has exited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Nothing.
    #[default]
    No,
    /// A new start after a status other than 0.
    OnFailure {
        /// After so many it stays down; 0: no bound.
        maximum_retries: u32,
    },
    /// A new start, also when the engine boots.
    Always,
    /// A new start, also when the engine boots unless the user had stopped it.
    UnlessStopped,
}

impl RestartPolicy {
    /// Docker's name of the policy, without the bound.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::No => "no",
            Self::OnFailure { .. } => "on-failure",
            Self::Always => "always",
            Self::UnlessStopped => "unless-stopped",
        }
    }

    /// The bound of `on-failure`, else 0.
    #[must_use]
    pub fn maximum_retries(&self) -> u32 {
        match self {
            Self::OnFailure { maximum_retries } => *maximum_retries,
            _ => 0,
        }
    }

    /// The policy that Docker's two fields name; empty is `no`.
    ///
    /// # Errors
    /// `Invalid` for an unknown name, or a bound on a policy that takes none.
    pub fn from_parts(name: &str, maximum_retries: i64) -> Result<Self> {
        let bound =
            u32::try_from(maximum_retries).map_err(|_| Error::invalid("maximum retry count cannot be negative"))?;
        let policy = match name {
            "" | "no" => Self::No,
            "on-failure" => return Ok(Self::OnFailure { maximum_retries: bound }),
            "always" => Self::Always,
            "unless-stopped" => Self::UnlessStopped,
            other => {
                return Err(Error::invalid(format!(
                    "unknown restart policy {other:?}: use one of no, always, on-failure[:n], unless-stopped"
                )));
            }
        };
        if bound == 0 {
            Ok(policy)
        } else {
            Err(Error::invalid(format!(
                "maximum retry count cannot be used with restart policy {name:?}, only with on-failure"
            )))
        }
    }
}

impl FromStr for NetworkMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "" | "default" => Self::Default,
            "none" => Self::None,
            "host" => Self::Host,
            other => match other.strip_prefix("container:") {
                Some(owner) => Self::Container(other_container("network", owner)?),
                None => Self::Named(other.to_owned()),
            },
        })
    }
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::None => f.write_str("none"),
            Self::Host => f.write_str("host"),
            Self::Container(owner) => write!(f, "container:{owner}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl FromStr for PidMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "" | "private" => Ok(Self::Private),
            "host" => Ok(Self::Host),
            other => match other.strip_prefix("container:") {
                Some(owner) => Ok(Self::Container(other_container("PID", owner)?)),
                None => Err(unknown("PID", other, "host, container:NAME")),
            },
        }
    }
}

impl fmt::Display for PidMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private => Ok(()),
            Self::Host => f.write_str("host"),
            Self::Container(owner) => write!(f, "container:{owner}"),
        }
    }
}

impl FromStr for IpcMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "" => Self::Default,
            "private" => Self::Private,
            "shareable" => Self::Shareable,
            "none" => Self::None,
            "host" => Self::Host,
            other => match other.strip_prefix("container:") {
                Some(owner) => Self::Container(other_container("IPC", owner)?),
                None => return Err(unknown("IPC", other, "none, private, shareable, host, container:NAME")),
            },
        })
    }
}

impl fmt::Display for IpcMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => Ok(()),
            Self::Private => f.write_str("private"),
            Self::Shareable => f.write_str("shareable"),
            Self::None => f.write_str("none"),
            Self::Host => f.write_str("host"),
            Self::Container(owner) => write!(f, "container:{owner}"),
        }
    }
}

impl FromStr for UtsMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "" | "private" => Ok(Self::Private),
            "host" => Ok(Self::Host),
            other => Err(unknown("UTS", other, "host")),
        }
    }
}

impl fmt::Display for UtsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "",
            Self::Host => "host",
        })
    }
}

impl FromStr for CgroupMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "private" => Ok(Self::Private),
            "host" => Ok(Self::Host),
            other => Err(unknown("CGROUP", other, "private, host")),
        }
    }
}

impl fmt::Display for CgroupMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "private",
            Self::Host => "host",
        })
    }
}

as_text!(NetworkMode);
as_text!(PidMode);
as_text!(IpcMode);
as_text!(UtsMode);
as_text!(CgroupMode);

fn other_container(kind: &str, owner: &str) -> Result<String> {
    if owner.is_empty() {
        return Err(Error::invalid(format!(
            "invalid {kind} mode \"container:\": name the container, as in container:web"
        )));
    }
    Ok(owner.to_owned())
}

fn unknown(kind: &str, mode: &str, choices: &str) -> Error {
    Error::invalid(format!("invalid {kind} mode {mode:?}: use one of {choices}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_what_they_write() {
        for text in ["default", "none", "host", "container:web", "bridge"] {
            assert_eq!(text.parse::<NetworkMode>().unwrap().to_string(), text);
        }
        for text in ["", "host", "container:web"] {
            assert_eq!(text.parse::<PidMode>().unwrap().to_string(), text);
        }
        for text in ["", "private", "shareable", "none", "host", "container:web"] {
            assert_eq!(text.parse::<IpcMode>().unwrap().to_string(), text);
        }
        for text in ["", "host"] {
            assert_eq!(text.parse::<UtsMode>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn modes_refuse_what_they_do_not_know() {
        assert!("other".parse::<PidMode>().is_err());
        assert!("container:".parse::<NetworkMode>().is_err());
        assert!("other".parse::<IpcMode>().is_err());
        assert!("other".parse::<UtsMode>().is_err());
        assert!("".parse::<CgroupMode>().is_err());
    }

    #[test]
    fn restart_policies() {
        let table = [
            ("no", 0, Some(RestartPolicy::No)),
            ("", 0, Some(RestartPolicy::No)),
            ("on-failure", 0, Some(RestartPolicy::OnFailure { maximum_retries: 0 })),
            ("on-failure", 5, Some(RestartPolicy::OnFailure { maximum_retries: 5 })),
            ("always", 0, Some(RestartPolicy::Always)),
            ("unless-stopped", 0, Some(RestartPolicy::UnlessStopped)),
            ("always", 3, None),
            ("on-failure", -1, None),
            ("sometimes", 0, None),
        ];
        for (name, bound, expected) in table {
            assert_eq!(RestartPolicy::from_parts(name, bound).ok(), expected, "{name}:{bound}");
        }
    }
}
