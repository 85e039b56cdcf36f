//! The registry client of this engine: what the administrator said of registries, completed by what other engines' files say.

use std::path::Path;

use base::{Context, Error, Result};
use oci::reference::Reference;
use registry::hosts::{Directories, Hosts, Identity, Mirror, Proxies};
use registry::{Client, Options, Patience, Repository};

use super::pull::Credentials;
use crate::configuration::RegistryConfiguration;
use crate::{Configuration, Engine};

/// No file of certificates is longer.
const FILE_LIMIT_BYTES: u64 = 4 << 20;

impl Engine {
    /// The repository of `reference`, for a client with these credentials.
    pub(crate) fn repository(
        &self,
        reference: &Reference,
        credentials: Option<&Credentials>,
    ) -> Result<Repository<'static>> {
        let configuration = self.configuration();
        let mut hosts = hosts(configuration).map_err(|error| error.context("engine configuration"))?;
        hosts.fall_back_on(registry::hosts::load(&Directories::default())?);
        let options = Options { hosts, patience: patience(configuration), user_agent: user_agent() };
        Client::new(options).repository(reference, credentials.and_then(presented))
    }
}

fn user_agent() -> String {
    format!("berth/{} ({}; {})", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
}

fn patience(configuration: &Configuration) -> Patience {
    let usual = Patience::default();
    Patience { attempts: configuration.max_download_attempts.unwrap_or(usual.attempts).max(1), ..usual }
}

/// What a client's credentials are to a registry; none where it sent none.
fn presented(credentials: &Credentials) -> Option<registry::Credentials> {
    let Credentials { username, password, identity_token, registry_token } = credentials.clone();
    if !registry_token.is_empty() {
        Some(registry::Credentials::Bearer(registry_token))
    } else if !identity_token.is_empty() {
        Some(registry::Credentials::Identity { username, token: identity_token })
    } else if !username.is_empty() {
        Some(registry::Credentials::Password { username, password })
    } else {
        None
    }
}

/// What `engine.json` says of registries.
fn hosts(configuration: &Configuration) -> Result<Hosts> {
    let mut hosts = Hosts::default();
    for insecure in &configuration.insecure_registries {
        hosts.add_insecure(insecure)?;
    }
    for (name, registry) in &configuration.registries {
        add_registry(&mut hosts, name, registry).map_err(|error| error.context(format!("registries.{name}")))?;
    }
    for mirror in &configuration.registry_mirrors {
        hosts.add_hub_mirror(mirror)?;
    }
    let proxies = configuration.proxies.clone();
    hosts.proxies =
        Proxies { http: proxies.http_proxy, https: proxies.https_proxy, none: proxies.no_proxy.unwrap_or_default() };
    Ok(hosts)
}

fn add_registry(hosts: &mut Hosts, name: &str, configuration: &RegistryConfiguration) -> Result<()> {
    let registry = hosts.registry_mut(name);
    registry.plain_http = configuration.plain_http;
    registry.skip_verify = configuration.skip_verify;
    for mirror in &configuration.mirrors {
        registry.mirrors.push(Mirror::parse(mirror)?);
    }
    for path in &configuration.ca {
        registry.authorities.push(read(path)?);
    }
    registry.identity = match (&configuration.client_certificate, &configuration.client_key) {
        (Some(certificate), Some(key)) => Some(Identity { certificate: read(certificate)?, key: read(key)? }),
        (None, None) => None,
        _ => return Err(Error::invalid("client-certificate and client-key belong together: give both or none")),
    };
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    base::file::read_file_bounded(file.into(), FILE_LIMIT_BYTES).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_the_configuration_is_named() {
        let with =
            |text: &str| hosts(&Configuration::parse(text).unwrap()).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(with(r#"{"registry-mirrors":["https://m.lan"],"insecure-registries":["10.0.0.0/8"]}"#), Ok(()));
        for (text, words) in [
            (r#"{"registries":{"a.lan":{"ca":["/nowhere/ca.pem"]}}}"#, "registries.a.lan: open /nowhere/ca.pem"),
            (r#"{"registries":{"a.lan":{"client-key":"/x"}}}"#, "belong together"),
            (r#"{"registries":{"a.lan":{"mirrors":["ftp://x"]}}}"#, "registries.a.lan"),
            (r#"{"insecure-registries":["http://x"]}"#, "insecure registry"),
        ] {
            let error = with(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn the_strongest_credential_is_presented() {
        let given = |username: &str, identity: &str, bearer: &str| Credentials {
            username: username.to_owned(),
            password: "p".to_owned(),
            identity_token: identity.to_owned(),
            registry_token: bearer.to_owned(),
        };
        assert_eq!(presented(&given("", "", "")), None);
        assert!(matches!(presented(&given("u", "", "")), Some(registry::Credentials::Password { .. })));
        assert!(matches!(presented(&given("u", "i", "")), Some(registry::Credentials::Identity { .. })));
        assert!(matches!(presented(&given("u", "i", "b")), Some(registry::Credentials::Bearer(_))));
    }
}
