//! What Docker's `daemon.json` says of registries. Its other keys are not ours to judge.

use super::Hosts;
use base::{Error, Result};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Daemon {
    registry_mirrors: Vec<String>,
    insecure_registries: Vec<String>,
}

/// Reads the text of a `daemon.json`; an empty one says nothing.
///
/// # Errors
/// `Invalid` for what is no JSON object or has other values under our two keys.
pub(crate) fn parse(text: &str) -> Result<Hosts> {
    let mut hosts = Hosts::default();
    if text.trim().is_empty() {
        return Ok(hosts);
    }
    let refuse = |error: serde_json::Error| Error::invalid(error.to_string());
    // By way of an object: a list would pass for one otherwise.
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).map_err(refuse)?;
    let daemon: Daemon = serde_json::from_value(object.into()).map_err(refuse)?;
    for mirror in &daemon.registry_mirrors {
        hosts.add_hub_mirror(mirror).map_err(|error| error.context("registry-mirrors"))?;
    }
    for insecure in &daemon.insecure_registries {
        // Docker accepts the scheme with a warning.
        let name = insecure.strip_prefix("http://").or_else(|| insecure.strip_prefix("https://")).unwrap_or(insecure);
        hosts.add_insecure(name).map_err(|error| error.context("insecure-registries"))?;
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_two_keys_and_ignores_the_rest() {
        let hosts = parse(
            r#"{"log-driver":"json-file","registry-mirrors":["https://m.lan"],"insecure-registries":["r.lan:5000","http://s.lan","10.0.0.0/8"]}"#,
        )
        .unwrap();
        assert_eq!(hosts.endpoints("docker.io", "x").unwrap()[0].summary(), "m.lan/v2/x https mirror");
        for registry in ["r.lan:5000", "s.lan", "10.9.9.9"] {
            assert!(hosts.endpoints(registry, "x").unwrap()[0].summary().ends_with("http unverified"));
        }
        for text in ["[]", r#"{"registry-mirrors":"x"}"#, r#"{"registry-mirrors":["ftp://x"]}"#] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("").is_ok());
    }
}
