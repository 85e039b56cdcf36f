//! Versions of the API, and in one place what older ones have otherwise.
//!
//! Everything else in this crate speaks the newest version. Sources: the version history of moby's `docs/api`.

use std::fmt;

use base::{Error, Result};
use serde_json::{Value, json};

/// The newest version, which is also what an address without a version means.
pub const NEWEST_VERSION: Version = Version { minor: 51 };
/// The oldest version that is served.
pub const MINIMUM_VERSION: Version = Version { minor: 24 };

/// A version of the API: 1 and this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    minor: u16,
}

impl Version {
    /// Reads `1.51`.
    ///
    /// # Errors
    /// `Invalid`, in Docker's words, for a version that is not served.
    pub fn parse(text: &str) -> Result<Self> {
        let Some(minor) = text.strip_prefix("1.").and_then(|minor| minor.parse().ok()) else {
            return Err(Error::invalid(format!(
                "invalid API version {text}: use 1.{} to {NEWEST_VERSION}",
                MINIMUM_VERSION.minor
            )));
        };
        let version = Self { minor };
        if version > NEWEST_VERSION {
            return Err(Error::invalid(format!(
                "client version {text} is too new. Maximum supported API version is {NEWEST_VERSION}"
            )));
        }
        if version < MINIMUM_VERSION {
            return Err(Error::invalid(format!(
                "client version {text} is too old. Minimum supported API version is {MINIMUM_VERSION}, please upgrade your client to a newer version"
            )));
        }
        Ok(version)
    }

    /// The newest version that an engine whose own newest is `theirs` speaks with us.
    ///
    /// # Errors
    /// `Unsupported` for an engine that is too old, `Corrupt` for what is no version.
    pub(crate) fn common(theirs: &str) -> Result<Self> {
        let Some(minor) = theirs.strip_prefix("1.").and_then(|minor| minor.parse().ok()) else {
            return Err(Error::corrupt(format!("it says that it speaks API version {theirs:?}, which is none")));
        };
        let theirs = Self { minor };
        if theirs < MINIMUM_VERSION {
            return Err(Error::unsupported(format!(
                "it speaks API version {theirs}, and this berth {MINIMUM_VERSION} and newer"
            )));
        }
        Ok(theirs.min(NEWEST_VERSION))
    }

    /// Whether streams that carry frames are told apart by their type (1.42).
    #[must_use]
    pub fn names_multiplexed_streams(self) -> bool {
        self.minor >= 42
    }

    /// Whether a prune leaves named volumes alone unless they are asked for (1.42).
    #[must_use]
    pub fn prunes_only_anonymous_volumes(self) -> bool {
        self.minor >= 42
    }

    /// Gives the answer about an image the members that this version has.
    pub(crate) fn adapt_image(self, image: &mut Value) {
        // 1.44 dropped VirtualSize.
        if self.minor < 44
            && let Some(size) = image.get("Size").cloned()
        {
            image["VirtualSize"] = size;
        }
    }

    /// Gives the answer about a container the members that this version has.
    pub(crate) fn adapt_container(self, container: &mut Value) {
        // 1.48 brought the manifest.
        if self.minor < 48
            && let Some(members) = container.as_object_mut()
        {
            members.remove("ImageManifestDescriptor");
        }
        // 1.42 dropped the limits of kernel memory.
        if self.minor < 42
            && let Some(host) = container.get_mut("HostConfig")
        {
            host["KernelMemory"] = json!(0);
            host["KernelMemoryTCP"] = json!(0);
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "1.{}", self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_served_is_read() {
        assert_eq!(Version::parse("1.51").unwrap(), NEWEST_VERSION);
        assert_eq!(Version::parse("1.24").unwrap().to_string(), "1.24");
        let refused = |text: &str| Version::parse(text).unwrap_err().to_string();
        assert_eq!(refused("1.52"), "client version 1.52 is too new. Maximum supported API version is 1.51");
        assert!(refused("1.12").starts_with("client version 1.12 is too old. Minimum supported API version is 1.24"));
        assert!(refused("2.0").starts_with("invalid API version"));
    }

    #[test]
    fn the_older_of_two_is_spoken() {
        for (theirs, expected) in [
            ("1.41", Some("1.41")),
            ("1.51", Some("1.51")),
            ("1.60", Some("1.51")),
            ("1.12", None),
            ("2.0", None),
            ("", None),
        ] {
            assert_eq!(
                Version::common(theirs).ok().map(|version| version.to_string()).as_deref(),
                expected,
                "{theirs}"
            );
        }
    }

    #[test]
    fn older_versions_have_what_they_had() {
        let mut image = json!({"Size": 5});
        NEWEST_VERSION.adapt_image(&mut image);
        assert_eq!(image, json!({"Size": 5}));
        Version::parse("1.43").unwrap().adapt_image(&mut image);
        assert_eq!(image, json!({"Size": 5, "VirtualSize": 5}));
    }
}
