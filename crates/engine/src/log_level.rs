//! How much is said of what the engine does.

use std::str::FromStr;

use base::{Error, Result};
use serde::{Deserialize, Serialize};

/// What is said; each level includes those after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LogLevel {
    /// Every request and how it ended.
    Debug,
    /// What happens.
    #[default]
    Info,
    /// What is asked for and cannot be done here.
    Warn,
    /// What is wrong.
    Error,
    /// What ends the program.
    Fatal,
}

impl FromStr for LogLevel {
    type Err = Error;

    /// Reads the name of a level, also those by which only Docker's `logrus` knows them.
    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "debug" | "trace" => Self::Debug,
            "info" => Self::Info,
            "warn" | "warning" => Self::Warn,
            "error" => Self::Error,
            "fatal" | "panic" => Self::Fatal,
            other => {
                return Err(Error::invalid(format!(
                    "unable to parse logging level: {other:?}: use debug, info, warn, error or fatal"
                )));
            }
        })
    }
}

impl TryFrom<String> for LogLevel {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<LogLevel> for String {
    fn from(level: LogLevel) -> Self {
        format!("{level:?}").to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (text, level) in [
            ("debug", LogLevel::Debug),
            ("info", LogLevel::Info),
            ("warn", LogLevel::Warn),
            ("error", LogLevel::Error),
            ("fatal", LogLevel::Fatal),
        ] {
            assert_eq!((text.parse().ok(), String::from(level)), (Some(level), text.to_owned()));
        }
        for wrong in ["", "Debug", "loud"] {
            assert!(wrong.parse::<LogLevel>().is_err(), "{wrong}");
        }
        assert!(LogLevel::Debug < LogLevel::Error);
    }
}
