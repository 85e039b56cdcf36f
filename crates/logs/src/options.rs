//! How a container's output is kept.

use base::size::parse_bytes;
use base::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Size from which a file is rotated, unless told otherwise.
const DEFAULT_SIZE_BYTES: u64 = 20_000_000;
/// Number of files that are kept, unless told otherwise.
const DEFAULT_FILES: u32 = 5;
/// The most files that can be asked for.
const MOST_FILES: u32 = 1000;

/// The drivers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// Docker's lines of JSON.
    #[default]
    JsonFile,
    /// The same files with defaults of its own: older ones are compressed.
    Local,
    /// Nothing is kept.
    None,
}

/// How a container's output is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The driver.
    pub driver: Driver,
    /// Size in bytes from which a file is rotated; `None`: never.
    pub max_size_bytes: Option<u64>,
    /// How many files are kept, the current one included; at least 1.
    pub max_files: u32,
    /// Whether rotated files are compressed.
    pub compress: bool,
    /// Written with every entry.
    pub attributes: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            driver: Driver::JsonFile,
            max_size_bytes: Some(DEFAULT_SIZE_BYTES),
            max_files: DEFAULT_FILES,
            compress: false,
            attributes: BTreeMap::new(),
        }
    }
}

impl Options {
    /// Reads a driver's name (empty: `json-file`) and its options, as `--log-driver` and `--log-opt` give them.
    ///
    /// `max-size`, `max-file` and `compress` are understood; `labels`, `labels-regex`, `env`, `env-regex` and `tag` are accepted and
    /// are the engine's to resolve into [`Options::attributes`] with [`Options::with_attributes`].
    ///
    /// # Errors
    /// `Invalid` for an unknown option or a value that is none; `Unsupported` for an unknown driver.
    pub fn parse(driver: &str, options: &BTreeMap<String, String>) -> Result<Self> {
        let driver = match driver {
            "" | "json-file" => Driver::JsonFile,
            "local" => Driver::Local,
            "none" => Driver::None,
            other => {
                return Err(Error::unsupported(format!(
                    "log driver {other:?} is not supported: use json-file, local or none"
                )));
            }
        };
        let mut parsed = Self { driver, compress: driver == Driver::Local, ..Self::default() };
        for (key, value) in options {
            parsed.set(key, value).map_err(|error| error.context(format!("log option {key}={value}")))?;
        }
        Ok(parsed)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let for_attributes = matches!(key, "labels" | "labels-regex" | "env" | "env-regex" | "tag");
        match key {
            _ if self.driver == Driver::None => return Err(Error::invalid("the driver none takes no options")),
            "max-size" if value == "-1" => self.max_size_bytes = None,
            "max-size" => match parse_bytes(value)? {
                0 => return Err(Error::invalid("the size must be above 0, or -1 for no bound")),
                size => self.max_size_bytes = Some(size),
            },
            "max-file" => {
                let files = value.parse().ok().filter(|files| (1..=MOST_FILES).contains(files));
                self.max_files =
                    files.ok_or_else(|| Error::invalid(format!("expected a number from 1 to {MOST_FILES}")))?;
            }
            "compress" => {
                self.compress = match value {
                    "true" | "1" | "t" | "T" | "TRUE" | "True" => true,
                    "false" | "0" | "f" | "F" | "FALSE" | "False" => false,
                    _ => return Err(Error::invalid("expected true or false")),
                };
            }
            _ if for_attributes && self.driver == Driver::JsonFile => {}
            _ => return Err(Error::invalid("unknown option of this driver")),
        }
        Ok(())
    }

    /// Resolves `labels`, `labels-regex`, `env`, `env-regex` and `tag` of `options`: the container's labels and `NAME=value` variables that
    /// they name, and `tag` as it is given here, its template filled in by the caller.
    ///
    /// # Errors
    /// `Invalid` for a pattern that is no regular expression.
    pub fn with_attributes(
        mut self,
        options: &BTreeMap<String, String>,
        labels: &BTreeMap<String, String>,
        environment: &[String],
        tag: Option<String>,
    ) -> Result<Self> {
        let variables: BTreeMap<String, String> = environment
            .iter()
            .filter_map(|variable| variable.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        for (option, pattern_option, source) in [("labels", "labels-regex", labels), ("env", "env-regex", &variables)] {
            let names: Vec<&str> = options.get(option).map_or("", String::as_str).split(',').map(str::trim).collect();
            let pattern = match options.get(pattern_option).filter(|pattern| !pattern.is_empty()) {
                Some(pattern) => Some(regex_lite::Regex::new(pattern).map_err(|error| {
                    Error::invalid(format!("log option {pattern_option}={pattern}: not a regular expression: {error}"))
                })?),
                None => None,
            };
            let wanted = |name: &str| names.contains(&name) || pattern.as_ref().is_some_and(|it| it.is_match(name));
            let found = source.iter().filter(|(name, _)| wanted(name));
            self.attributes.extend(found.map(|(name, value)| (name.clone(), value.clone())));
        }
        if let Some(tag) = tag.filter(|tag| !tag.is_empty()) {
            self.attributes.insert("tag".to_owned(), tag);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Kind;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn options_are_read() {
        let options =
            Options::parse("json-file", &map(&[("max-size", "10k"), ("max-file", "3"), ("compress", "true")]));
        let options = options.unwrap();
        assert_eq!((options.max_size_bytes, options.max_files, options.compress), (Some(10 << 10), 3, true));
        assert_eq!(Options::parse("", &map(&[])).unwrap(), Options::default());
        assert_eq!(Options::parse("", &map(&[("max-size", "-1")])).unwrap().max_size_bytes, None);
        assert!(Options::parse("local", &map(&[])).unwrap().compress);
    }

    #[test]
    fn wrong_options_are_refused() {
        for (driver, key, value) in [
            ("json-file", "max-size", "lots"),
            ("json-file", "max-size", "0"),
            ("json-file", "max-file", "0"),
            ("json-file", "max-file", "x"),
            ("json-file", "compress", "yes"),
            ("json-file", "max-sise", "1m"),
            ("local", "tag", "x"),
            ("none", "max-size", "1m"),
        ] {
            let error = Options::parse(driver, &map(&[(key, value)])).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{driver} {key}={value}: {error}");
        }
        assert_eq!(Options::parse("syslog", &map(&[])).unwrap_err().kind(), Kind::Unsupported);
    }

    #[test]
    fn attributes_are_collected() {
        let options = map(&[("labels", "a, b"), ("env-regex", "^LC_"), ("tag", "ignored")]);
        let labels = map(&[("a", "1"), ("c", "3")]);
        let environment = ["LC_ALL=C".to_owned(), "PATH=/".to_owned(), "bare".to_owned()];
        let parsed =
            Options::default().with_attributes(&options, &labels, &environment, Some("web".to_owned())).unwrap();
        assert_eq!(parsed.attributes, map(&[("a", "1"), ("LC_ALL", "C"), ("tag", "web")]));
        let broken = map(&[("labels-regex", "(")]);
        assert!(Options::default().with_attributes(&broken, &labels, &environment, None).is_err());
    }
}
