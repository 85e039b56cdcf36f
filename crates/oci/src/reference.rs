//! Image references as people type them, and their full form (distribution's reference grammar).

use base::digest::Digest;
use base::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};
use std::str::FromStr;

const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";
/// Longest repository name with its registry, as Docker bounds it.
const NAME_LIMIT: usize = 255;

/// A registry, a repository in it, and a tag, a digest or both.
///
/// Always complete: `alpine` is parsed into `docker.io/library/alpine:latest`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Host, and port where one is given: `docker.io`, `localhost:5000`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path inside the registry: `library/alpine`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `latest` where neither tag nor digest was given.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, where one was given.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Registry and repository without tag and digest: `docker.io/library/alpine`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The name as people write it: `alpine`, `user/app`, `localhost:5000/app`.
    #[must_use]
    pub fn familiar_name(&self) -> String {
        if self.registry != DEFAULT_REGISTRY {
            return self.name();
        }
        let official = self.repository.strip_prefix("library/").filter(|rest| !rest.contains('/'));
        // What looks like a registry without its prefix keeps the prefix.
        official.unwrap_or(&self.repository).to_owned()
    }

    /// The whole reference as people write it: `alpine:latest`, `app@sha256:…`.
    #[must_use]
    pub fn familiar(&self) -> String {
        self.with_suffix(self.familiar_name())
    }

    /// The same repository under another tag, without a digest.
    ///
    /// # Errors
    /// When `tag` is no tag.
    pub fn with_tag(&self, tag: &str) -> Result<Self> {
        check_tag(tag)?;
        Ok(Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// The same repository at a digest, without a tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// Whether `text` names a tag or a digest by itself; without either, `latest` is meant.
    #[must_use]
    pub fn is_name_only(text: &str) -> bool {
        let last = text.rsplit('/').next().unwrap_or(text);
        !last.contains(':') && !last.contains('@')
    }

    fn with_suffix(&self, mut text: String) -> String {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
        text
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).map_err(|error| {
            let shown: String = text.chars().take(300).collect();
            error.context(format!("invalid reference format: {shown:?}"))
        })
    }
}

fn parse(text: &str) -> Result<Reference> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse()?)),
        None => (text, None),
    };
    let last_slash = rest.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match rest[last_slash..].find(':') {
        Some(colon) => (&rest[..last_slash + colon], Some(&rest[last_slash + colon + 1..])),
        None => (rest, None),
    };
    let (registry, repository) = split_registry(name);
    check_registry(registry)?;
    let repository = if registry == DEFAULT_REGISTRY && !repository.contains('/') {
        format!("library/{repository}")
    } else {
        repository.to_owned()
    };
    check_repository(&repository)?;
    if registry.len() + 1 + repository.len() > NAME_LIMIT {
        return Err(Error::invalid(format!("the repository's name is longer than {NAME_LIMIT} characters")));
    }
    if digest.is_none() && base::id::Id::is_prefix(name) && name.len() == 64 {
        return Err(Error::invalid("64 hexadecimal digits are an id, not a repository's name"));
    }
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let tag = tag.or(if digest.is_none() { Some(DEFAULT_TAG) } else { None });
    Ok(Reference { registry: registry.to_owned(), repository, tag: tag.map(str::to_owned), digest })
}

/// The first component is a registry when it has a dot, a colon or an upper-case letter, or is `localhost`.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("index.docker.io", rest)) => (DEFAULT_REGISTRY, rest),
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.bytes().any(|byte| byte.is_ascii_uppercase()) =>
        {
            (first, rest)
        }
        _ => (DEFAULT_REGISTRY, name),
    }
}

fn check_registry(registry: &str) -> Result<()> {
    let refuse = || Err(Error::invalid(format!("{registry:?} is not a registry's host and port")));
    let (host, port) = match registry.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']') {
            Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
                if rest.is_empty() {
                    return Ok(());
                }
                match rest.strip_prefix(':') {
                    Some(port) => ("v6", Some(port)),
                    None => return refuse(),
                }
            }
            _ => return refuse(),
        },
        None => match registry.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (registry, None),
        },
    };
    let label_is_good = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let port_is_good =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    if !host.split('.').all(label_is_good) || !port.is_none_or(port_is_good) {
        return refuse();
    }
    Ok(())
}

fn check_repository(repository: &str) -> Result<()> {
    if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(Error::invalid(format!("repository name {repository:?} must be lowercase")));
    }
    if repository.split('/').all(component_is_good) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{repository:?} is not a repository's name: expected lower-case letters and digits, separated by one of . _ - / or by __"
    )))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn component_is_good(component: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !is_letter(*first) || !is_letter(*last) {
        return false;
    }
    let separators = component.split(|character: char| character.is_ascii() && is_letter(character as u8));
    separators
        .filter(|separator| !separator.is_empty())
        .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'))
}

fn check_tag(tag: &str) -> Result<()> {
    let mut bytes = tag.bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first_is_good = bytes.next().is_some_and(is_word);
    if first_is_good && tag.len() <= 128 && bytes.all(|byte| is_word(byte) || byte == b'.' || byte == b'-') {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{tag:?} is not a tag: expected up to 128 letters, digits, _ . -, the first of them no . or -"
    )))
}

impl Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.with_suffix(self.name()))
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn completes_what_people_type() {
        for (typed, full, familiar) in [
            ("alpine", "docker.io/library/alpine:latest", "alpine:latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"),
            ("user/app", "docker.io/user/app:latest", "user/app:latest"),
            ("docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
            ("index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
            ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
            ("localhost:5000/a/b:1", "localhost:5000/a/b:1", "localhost:5000/a/b:1"),
            ("127.0.0.1:5000/x", "127.0.0.1:5000/x:latest", "127.0.0.1:5000/x:latest"),
            ("[::1]:5000/x:t", "[::1]:5000/x:t", "[::1]:5000/x:t"),
            ("quay.io/org/a__b/c-d.e:v1.0_x", "quay.io/org/a__b/c-d.e:v1.0_x", "quay.io/org/a__b/c-d.e:v1.0_x"),
        ] {
            let reference: Reference = typed.parse().unwrap();
            assert_eq!((reference.to_string().as_str(), reference.familiar().as_str()), (full, familiar));
            assert_eq!(full.parse::<Reference>().unwrap(), reference);
        }
        let pinned: Reference = format!("app@{DIGEST}").parse().unwrap();
        assert_eq!((pinned.tag(), pinned.digest().unwrap().to_string().as_str()), (None, DIGEST));
        let both: Reference = format!("app:1@{DIGEST}").parse().unwrap();
        assert_eq!(both.to_string(), format!("docker.io/library/app:1@{DIGEST}"));
    }

    #[test]
    fn refuses_malformed_references() {
        let long = "a".repeat(256);
        let id = "a".repeat(64);
        for text in [
            "",
            ":",
            "@",
            "/",
            "a//b",
            "/a",
            "a/",
            "A",
            "a:",
            "a@",
            "a@sha256:1",
            "a b",
            "a:b c",
            "a:-b",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "a/../b",
            "host:port/a",
            "host:99999/a",
            "host:0/a",
            "[::1/a",
            "[zz]:1/a",
            "-h.io/a",
            "ä",
            "a\0b",
            "a:b:c",
            &long,
            &id,
            &format!("a:{long}"),
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
    }
}
