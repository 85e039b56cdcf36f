//! What `registries.conf` says (containers-registries.conf(5)), in its second and in its first version.

use super::{Hosts, Rule, RuleMirror, Serves};
use base::{Error, Result};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct File {
    registry: Vec<Entry>,
    registries: Option<Lists>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Entry {
    prefix: Option<String>,
    location: Option<String>,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    mirror: Vec<MirrorEntry>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct MirrorEntry {
    location: String,
    insecure: bool,
    pull_from_mirror: String,
}

/// The first version of the format.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Lists {
    insecure: List,
    block: List,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct List {
    registries: Vec<String>,
}

/// Reads the text of a `registries.conf` or of a file beside it. Search lists and aliases for short names are not ours: names mean Docker Hub.
///
/// # Errors
/// `Invalid` for what is no TOML, and for entries that name nothing.
pub(crate) fn parse(text: &str) -> Result<Hosts> {
    let file: File = toml::from_str(text).map_err(|error| Error::invalid(crate::answer::plain(error.message())))?;
    let mut hosts = Hosts::default();
    for entry in file.registry {
        hosts.add_rule(rule(entry)?);
    }
    let lists = file.registries.unwrap_or_default();
    for name in lists.insecure.registries {
        hosts.add_insecure(&name)?;
    }
    for prefix in lists.block.registries {
        hosts.add_rule(Rule { location: prefix.clone(), prefix, blocked: true, ..Rule::default() });
    }
    Ok(hosts)
}

fn rule(entry: Entry) -> Result<Rule> {
    let trim = |text: String| text.trim_end_matches('/').to_owned();
    let (prefix, location) = match (entry.prefix.map(trim), entry.location.map(trim)) {
        (Some(prefix), location) if !prefix.is_empty() => {
            let location =
                location.unwrap_or_else(|| if prefix.starts_with('*') { String::new() } else { prefix.clone() });
            (prefix, location)
        }
        (_, Some(location)) if !location.is_empty() => (location.clone(), location),
        _ => return Err(Error::invalid("a [[registry]] has neither a prefix nor a location")),
    };
    let mut mirrors = Vec::new();
    for mirror in entry.mirror {
        let serves = match mirror.pull_from_mirror.as_str() {
            "digest-only" => Serves::Digests,
            "tag-only" => Serves::Tags,
            "" if entry.mirror_by_digest_only => Serves::Digests,
            "" | "all" => Serves::Everything,
            other => {
                let other = crate::answer::plain(other);
                return Err(Error::invalid(format!(
                    "pull-from-mirror is {other:?}, expected all, digest-only or tag-only"
                )));
            }
        };
        if mirror.location.is_empty() {
            return Err(Error::invalid(format!("a mirror of {prefix} has no location")));
        }
        mirrors.push(RuleMirror { location: trim(mirror.location), insecure: mirror.insecure, serves });
    }
    Ok(Rule { prefix, location, insecure: entry.insecure, blocked: entry.blocked, mirrors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_second_version() {
        let hosts = parse(
            r#"
            unqualified-search-registries = ["docker.io"]
            [[registry]]
            prefix = "docker.io/library"
            location = "docker.io/library"
            mirror-by-digest-only = true
            [[registry.mirror]]
            location = "mirror.lan/hub"
            insecure = true
            [[registry]]
            location = "bad.example"
            blocked = true
            [[registry]]
            location = "lab.example:5000"
            insecure = true
            "#,
        )
        .unwrap();
        let summaries: Vec<_> =
            hosts.endpoints("docker.io", "library/x").unwrap().iter().map(|e| e.summary()).collect();
        assert_eq!(
            summaries,
            ["mirror.lan/v2/hub/x https http unverified mirror digests", "registry-1.docker.io/v2/library/x https"]
        );
        assert!(hosts.endpoints("bad.example", "x").is_err());
        assert_eq!(
            hosts.endpoints("lab.example:5000", "x").unwrap()[0].summary(),
            "lab.example:5000/v2/x https http unverified"
        );
    }

    #[test]
    fn reads_the_first_version() {
        let hosts = parse("[registries.search]\nregistries=['docker.io']\n[registries.insecure]\nregistries=['a.lan']\n[registries.block]\nregistries=['b.lan']").unwrap();
        assert!(hosts.endpoints("a.lan", "x").unwrap()[0].summary().contains("unverified"));
        assert!(hosts.endpoints("b.lan", "x").is_err());
    }

    #[test]
    fn refuses_what_means_nothing() {
        for text in [
            "[[registry]]",
            "[[registry]]\nlocation='a'\n[[registry.mirror]]",
            "x = [",
            "[[registry]]\nlocation='a'\n[[registry.mirror]]\nlocation='b'\npull-from-mirror='x'",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
