//! Platforms: operating system, architecture and variant (OCI image index, *platform*).

use base::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Write};
use std::str::FromStr;

/// So many characters of a part are shown.
const PART_SHOWN: usize = 64;

/// What an image is made for, or what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Go's name of the architecture: `amd64`, `arm64`.
    #[serde(default)]
    pub architecture: String,
    /// Go's name of the operating system: `linux`.
    #[serde(default)]
    pub os: String,
    /// The architecture's variant: `v7`, `v8`, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// A version of the operating system, which only Windows uses.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
}

impl Platform {
    /// The platform of this machine.
    #[must_use]
    pub fn host() -> Self {
        let (architecture, variant) = normalise(std::env::consts::ARCH, None);
        Self { architecture, os: "linux".to_owned(), variant, os_version: None }
    }

    /// How well an image of platform `offered` serves this wish; smaller is better, `None` is not at all.
    ///
    /// An older variant of the same architecture serves (`arm/v6` on `arm/v7`), a newer one does not.
    #[must_use]
    pub fn distance(&self, offered: &Self) -> Option<u32> {
        let (architecture, variant) = normalise(&offered.architecture, offered.variant.as_deref());
        let (own_architecture, own_variant) = normalise(&self.architecture, self.variant.as_deref());
        if offered.os.to_ascii_lowercase() != self.os || architecture != own_architecture {
            return None;
        }
        let own = variant_level(&own_architecture, own_variant.as_deref());
        own.checked_sub(variant_level(&architecture, variant.as_deref()))
    }
}

/// Go's names for what kernels, compilers and people call architectures.
fn normalise(architecture: &str, variant: Option<&str>) -> (String, Option<String>) {
    let architecture = architecture.to_ascii_lowercase();
    let variant = variant.filter(|variant| !variant.is_empty()).map(str::to_ascii_lowercase);
    match (architecture.as_str(), variant.as_deref()) {
        ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64".to_owned(), None),
        ("x86_64" | "x86-64" | "amd64", _) => ("amd64".to_owned(), variant),
        ("i386" | "i686" | "x86" | "386", _) => ("386".to_owned(), None),
        ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64".to_owned(), None),
        ("aarch64" | "arm64", _) => ("arm64".to_owned(), variant),
        ("armhf", _) => ("arm".to_owned(), Some("v7".to_owned())),
        ("armel", _) => ("arm".to_owned(), Some("v6".to_owned())),
        ("arm", None) => ("arm".to_owned(), Some("v7".to_owned())),
        ("arm", Some(number)) if !number.starts_with('v') => ("arm".to_owned(), Some(format!("v{number}"))),
        ("powerpc64" | "ppc64le", _) => ("ppc64le".to_owned(), None),
        _ => (architecture, variant),
    }
}

fn variant_level(architecture: &str, variant: Option<&str>) -> u32 {
    let level = variant.and_then(|variant| variant.strip_prefix('v')).and_then(|digits| digits.parse().ok());
    level.unwrap_or(match architecture {
        "arm" => 7,
        "arm64" => 8,
        _ => 1,
    })
}

impl FromStr for Platform {
    type Err = Error;

    /// Parses `linux/amd64`, `linux/arm/v7`, or an architecture or operating system alone.
    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let well_formed = |part: &&str| {
            part.starts_with(|first: char| first.is_ascii_alphanumeric())
                && part.len() <= 64
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        };
        if parts.len() > 3 || !parts.iter().all(well_formed) {
            let shown: String = text.chars().take(80).collect();
            return Err(Error::invalid(format!(
                "invalid platform {shown:?}: expected OS/ARCH or OS/ARCH/VARIANT, like linux/arm64"
            )));
        }
        let host = Self::host();
        let (os, architecture, variant) = match parts[..] {
            [os, architecture, variant] => (os, architecture.to_owned(), Some(variant)),
            [os, architecture] => (os, architecture.to_owned(), None),
            ["linux" | "windows" | "darwin" | "freebsd"] => (parts[0], host.architecture, host.variant.as_deref()),
            _ => ("linux", parts[0].to_owned(), None),
        };
        let (architecture, variant) = normalise(&architecture, variant);
        Ok(Self { architecture, os: os.to_ascii_lowercase(), variant, os_version: None })
    }
}

/// An image may name any platform: control characters are shown as spaces, and each part is cut off where no real one is as long.
impl Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = self.variant.as_deref().filter(|variant| !variant.is_empty());
        for (index, part) in
            [Some(self.os.as_str()), Some(&self.architecture), variant].into_iter().flatten().enumerate()
        {
            if index > 0 {
                formatter.write_str("/")?;
            }
            for character in part.chars().take(PART_SHOWN) {
                formatter.write_char(if character.is_control() { ' ' } else { character })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn what_an_image_says_is_shown_without_its_escapes() {
        let hostile = Platform {
            os: "li\u{1b}[2Jnux".to_owned(),
            architecture: "a".repeat(100_000),
            variant: Some("v\n8".to_owned()),
            os_version: None,
        };
        assert_eq!(hostile.to_string(), format!("li [2Jnux/{}/v 8", "a".repeat(PART_SHOWN)));
    }

    #[test]
    fn parses_and_normalises() {
        for (text, expected) in [
            ("linux/amd64", "linux/amd64"),
            ("x86_64", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/6", "linux/arm/v6"),
            ("Linux/AMD64/v2", "linux/amd64/v2"),
        ] {
            assert_eq!(platform(text).to_string(), expected);
        }
        for text in ["", "/", "linux/", "a/b/c/d", "linux/../x", "linux/am d"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_older_variant_serves_and_a_newer_does_not() {
        for (wanted, offered, distance) in [
            ("linux/arm/v7", "linux/arm/v7", Some(0)),
            ("linux/arm/v7", "linux/arm/v6", Some(1)),
            ("linux/arm/v6", "linux/arm/v7", None),
            ("linux/amd64", "linux/arm64", None),
            ("linux/amd64/v3", "linux/amd64", Some(2)),
            ("linux/amd64", "windows/amd64", None),
        ] {
            assert_eq!(platform(wanted).distance(&platform(offered)), distance, "{wanted} {offered}");
        }
    }
}
