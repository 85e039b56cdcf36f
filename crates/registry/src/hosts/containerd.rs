//! What containerd's `hosts.toml` says of one registry (containerd, *Registry Host Configuration*).
//!
//! The names of the files that it mentions are returned with it: a pure parser reads no files.

use super::{Mirror, Serves};
use base::{Error, Result};
use serde::Deserialize;
use toml::Value;

/// One server of a `hosts.toml`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Server {
    pub(crate) mirror: Mirror,
    /// Files of certificate authorities.
    pub(crate) authorities: Vec<String>,
    /// Files of our own certificate and its key; one file may hold both.
    pub(crate) identity: Option<(String, String)>,
}

/// The servers of a registry: those that are asked first, and the one that answers for the registry itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Servers {
    pub(crate) mirrors: Vec<Server>,
    pub(crate) server: Option<Server>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    capabilities: Option<Vec<String>>,
    ca: Option<Value>,
    client: Option<Value>,
    skip_verify: bool,
    override_path: bool,
}

/// Reads the text of a `hosts.toml`.
///
/// # Errors
/// `Invalid` for what is no TOML or has other types than containerd documents.
pub(crate) fn parse(text: &str) -> Result<Servers> {
    let refuse = |error: &str| Error::invalid(crate::answer::plain(error));
    let mut table: toml::Table = toml::from_str(text).map_err(|error| refuse(error.message()))?;
    let hosts = match table.remove("host") {
        Some(Value::Table(hosts)) => hosts,
        Some(_) => return Err(refuse("host is no table")),
        None => toml::Table::new(),
    };
    let mut servers = Servers::default();
    for (address, value) in hosts {
        let entry: Entry = value.try_into().map_err(|error: toml::de::Error| refuse(error.message()))?;
        let mut server = server(&address, entry)?;
        server.mirror.names_registry = true;
        servers.mirrors.push(server);
    }
    if let Some(Value::String(address)) = table.remove("server") {
        let entry: Entry = Value::Table(table).try_into().map_err(|error: toml::de::Error| refuse(error.message()))?;
        servers.server = Some(server(&address, entry)?);
    }
    Ok(servers)
}

fn server(address: &str, entry: Entry) -> Result<Server> {
    let mut mirror = Mirror::parse(address)?;
    mirror.skip_verify = entry.skip_verify;
    mirror.exact_path = entry.override_path;
    // containerd writes the version into the address; we add it ourselves.
    if !entry.override_path
        && let Some(path) = mirror.path.strip_suffix("/v2")
    {
        mirror.path = path.to_owned();
    }
    if let Some(capabilities) = entry.capabilities {
        let can = |what: &str| capabilities.iter().any(|capability| capability == what);
        mirror.serves = match (can("resolve"), can("pull")) {
            (true, true) => Serves::Everything,
            (true, false) => Serves::Tags,
            (false, true) => Serves::Digests,
            (false, false) => Serves::Nothing,
        };
    }
    let authorities = entry.ca.as_ref().map_or(Ok(Vec::new()), |value| strings(value, "ca"))?;
    let identity = entry.client.as_ref().map_or(Ok(None), identity)?;
    Ok(Server { mirror, authorities, identity })
}

fn strings(value: &Value, key: &str) -> Result<Vec<String>> {
    let refuse = || Error::invalid(format!("{key} is neither a file nor a list of files"));
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(refuse)).collect::<Result<_>>()
        }
        _ => Err(refuse()),
    }
}

/// `"file"`, `["file"]`, `[["certificate", "key"]]`: of several pairs, the first.
fn identity(value: &Value) -> Result<Option<(String, String)>> {
    let first = match value {
        Value::Array(items) => match items.first() {
            None => return Ok(None),
            Some(pair @ Value::Array(_)) => strings(pair, "client")?,
            Some(item) => strings(item, "client")?,
        },
        other => strings(other, "client")?,
    };
    match first.as_slice() {
        [both] => Ok(Some((both.clone(), both.clone()))),
        [certificate, key] if key.is_empty() => Ok(Some((certificate.clone(), certificate.clone()))),
        [certificate, key] => Ok(Some((certificate.clone(), key.clone()))),
        _ => Err(Error::invalid("client names neither a file nor a certificate and its key")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_servers_with_their_files() {
        let servers = parse(
            r#"
            server = "https://registry-1.docker.io"
            ca = "/srv/ca.pem"
            [host."https://mirror.lan/v2/"]
            capabilities = ["pull"]
            ca = ["a.pem", "b.pem"]
            client = [["c.pem", "k.pem"]]
            [host."http://plain.lan:5000/x"]
            override_path = true
            skip_verify = true
            "#,
        )
        .unwrap();
        let own = servers.server.unwrap();
        assert_eq!(
            (own.mirror.authority.as_str(), own.authorities),
            ("registry-1.docker.io", vec!["/srv/ca.pem".to_owned()])
        );
        let by = |authority: &str| servers.mirrors.iter().find(|server| server.mirror.authority == authority).unwrap();
        let first = by("mirror.lan");
        assert_eq!((first.mirror.path.as_str(), first.mirror.serves), ("", Serves::Digests));
        assert_eq!(first.identity, Some(("c.pem".to_owned(), "k.pem".to_owned())));
        assert_eq!(first.authorities.len(), 2);
        let plain = by("plain.lan:5000");
        assert!(plain.mirror.plain_http && plain.mirror.exact_path && plain.mirror.skip_verify);
        assert_eq!(plain.mirror.path, "/x");
    }

    #[test]
    fn refuses_other_types() {
        for text in [
            "host = 1",
            "[host.\"https://a\"]\nca = 1",
            "[host.\"ftp://a\"]",
            "[host.\"https://a\"]\nclient = [[\"a\",\"b\",\"c\"]]",
            "= x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
