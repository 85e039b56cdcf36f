//! Which server answers for a registry, and how it is trusted: values, from whatever file they come.
//!
//! Sources are merged from the most to the least important one ([`Hosts::fall_back_on`]). Parsers of foreign formats are pure functions over the
//! text of a file; [`load`] finds the files below directories that its caller names.

pub(crate) mod containerd;
pub(crate) mod containers;
pub(crate) mod docker;
mod load;
mod proxies;

pub(crate) use load::read;
pub use load::{Directories, load};
pub use proxies::Proxies;

use crate::endpoint::Endpoint;
use crate::url::{Scheme, Url, split_authority};
use base::{Error, Result};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// Where the bundles of the usual distributions lie; the first that exists is taken.
pub const SYSTEM_ROOTS: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Everything that is known about registries.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    registries: BTreeMap<String, Registry>,
    networks: Vec<Network>,
    rules: Vec<Rule>,
    /// Proxies for requests to registries.
    pub proxies: Proxies,
    /// Files with certificate authorities, of which the first that exists is read; none: [`SYSTEM_ROOTS`].
    pub system_roots: Vec<PathBuf>,
}

/// One registry, named by host and port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    /// Asked first when something is pulled, in this order.
    pub mirrors: Vec<Mirror>,
    /// Spoken to in plain http only.
    pub plain_http: bool,
    /// Spoken to in TLS that is not verified, and in plain http where that fails.
    pub insecure: bool,
    /// Spoken to in TLS that is not verified.
    pub skip_verify: bool,
    /// Further certificate authorities, PEM.
    pub authorities: Vec<Vec<u8>>,
    /// Our own certificates with their keys.
    pub identity: Option<Identity>,
    /// The address that is asked in its place.
    pub server: Option<Mirror>,
}

/// An address that answers for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Host, and port where one is given.
    pub authority: String,
    /// Spoken to in plain http only.
    pub plain_http: bool,
    /// Not verified, and plain http where TLS fails.
    pub insecure: bool,
    /// What comes before `/v2/`, or before the repository where `exact_path` is set; begins with a slash or is empty.
    pub path: String,
    /// Whether `path` already contains what other servers have as `/v2`.
    pub exact_path: bool,
    /// What it may be asked.
    pub serves: Serves,
    /// Further certificate authorities of this address, PEM.
    pub authorities: Vec<Vec<u8>>,
    /// Our own certificate for this address.
    pub identity: Option<Identity>,
    /// Whether its certificate is not verified.
    pub skip_verify: bool,
    /// Whether it is told by `?ns=` which registry is meant.
    pub names_registry: bool,
}

/// What a mirror may be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Serves {
    /// Tags and digests.
    #[default]
    Everything,
    /// Only what is named by its digest.
    Digests,
    /// Only manifests that are named by a tag, and what hangs on them.
    Tags,
    /// Nothing that is pulled.
    Nothing,
}

/// Our own certificate chain and its private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The chain, PEM.
    pub certificate: Vec<u8>,
    /// The key, PEM.
    pub key: Vec<u8>,
}

// A private key does not reach a log.
impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Identity")
    }
}

/// A range of addresses whose servers are not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

/// What `registries.conf` says of the references that begin with a prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Host, or host and the beginning of a repository; `*.host` stands for every host below it.
    pub(crate) prefix: String,
    /// What takes the prefix's place.
    pub(crate) location: String,
    pub(crate) insecure: bool,
    pub(crate) blocked: bool,
    pub(crate) mirrors: Vec<RuleMirror>,
}

/// A mirror of a [`Rule`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RuleMirror {
    pub(crate) location: String,
    pub(crate) insecure: bool,
    pub(crate) serves: Serves,
}

impl Mirror {
    /// Parses `http[s]://host[:port][/path]` or `host[:port]`.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let complete = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&complete).map_err(|error| error.context(format!("mirror {text:?}")))?;
        let start = complete.find("://").map_or(0, |at| at + 3);
        let path = complete[start..].find('/').map_or("", |at| complete[start + at..].trim_end_matches('/'));
        if complete.contains(['?', '#']) {
            return Err(Error::invalid(format!("mirror {text:?}: an address of a registry has no query")));
        }
        Ok(Self {
            authority: url.authority().to_owned(),
            plain_http: url.scheme() == Scheme::Http,
            insecure: false,
            path: path.to_owned(),
            exact_path: false,
            serves: Serves::Everything,
            authorities: Vec::new(),
            identity: None,
            skip_verify: false,
            names_registry: false,
        })
    }
}

impl Hosts {
    /// What is known of `registry`, to be changed.
    pub fn registry_mut(&mut self, registry: &str) -> &mut Registry {
        self.registries.entry(registry.to_ascii_lowercase()).or_default()
    }

    /// Adds a host, a host with its port, or a range of addresses (`10.0.0.0/8`) that is not verified.
    ///
    /// # Errors
    /// `Invalid` for what is neither.
    pub fn add_insecure(&mut self, text: &str) -> Result<()> {
        if text.contains('/') {
            let network = Network::parse(text).ok_or_else(|| {
                Error::invalid(format!("insecure registry {text:?}: expected host[:port] or a range of addresses"))
            })?;
            self.networks.push(network);
            return Ok(());
        }
        if split_authority(text).is_none() {
            return Err(Error::invalid(format!("insecure registry {text:?}: expected host[:port], without http://")));
        }
        self.registry_mut(text).insecure = true;
        Ok(())
    }

    /// Adds a mirror of Docker Hub, as Docker's `registry-mirrors` has them.
    ///
    /// # Errors
    /// `Invalid` for what is no address.
    pub fn add_hub_mirror(&mut self, text: &str) -> Result<()> {
        let mirror = Mirror::parse(text)?;
        self.registry_mut("docker.io").mirrors.push(mirror);
        Ok(())
    }

    pub(crate) fn add_rule(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Takes from `lesser` what is not said here: certificate authorities add up, everything else of a registry is taken only where nothing is set.
    pub fn fall_back_on(&mut self, lesser: Self) {
        for (name, theirs) in lesser.registries {
            let own = self.registries.entry(name).or_default();
            own.authorities.extend(theirs.authorities);
            if own.mirrors.is_empty() {
                own.mirrors = theirs.mirrors;
            }
            own.identity = own.identity.take().or(theirs.identity);
            own.server = own.server.take().or(theirs.server);
            own.plain_http |= theirs.plain_http;
            own.insecure |= theirs.insecure;
            own.skip_verify |= theirs.skip_verify;
        }
        self.networks.extend(lesser.networks);
        for rule in lesser.rules {
            if !self.rules.iter().any(|own| own.prefix == rule.prefix) {
                self.rules.push(rule);
            }
        }
        if self.proxies == Proxies::default() {
            self.proxies = lesser.proxies;
        }
        if self.system_roots.is_empty() {
            self.system_roots = lesser.system_roots;
        }
    }

    /// The servers that may be asked for `repository` of `registry`, the best first; the registry itself comes last.
    pub(crate) fn endpoints(&self, registry: &str, repository: &str) -> Result<Vec<Endpoint>> {
        let mut endpoints = Vec::new();
        let rule = self.rule(registry, repository);
        if let Some((rule, rest)) = &rule {
            if rule.blocked {
                return Err(Error::denied(format!("{registry}/{repository} is blocked by registries.conf")));
            }
            for mirror in &rule.mirrors {
                let mut endpoint = self.located(&mirror.location, rest)?;
                endpoint.insecure |= mirror.insecure;
                (endpoint.serves, endpoint.is_mirror) = (mirror.serves, true);
                endpoints.push(endpoint);
            }
        }
        let known = self.registries.get(registry);
        for mirror in known.iter().flat_map(|registry| &registry.mirrors) {
            let namespace = mirror.names_registry.then(|| registry.to_owned());
            let mut endpoint = self.mirrored(mirror, repository);
            (endpoint.namespace, endpoint.is_mirror) = (namespace, true);
            endpoints.push(endpoint);
        }
        let mut last = match (&rule, known.and_then(|registry| registry.server.as_ref())) {
            (Some((rule, rest)), _) if !rule.location.is_empty() && rule.location != rule.prefix => {
                let mut endpoint = self.located(&rule.location, rest)?;
                endpoint.insecure |= rule.insecure;
                endpoint
            }
            (_, Some(server)) => self.mirrored(server, repository),
            (rule, None) => {
                let mut endpoint = self.direct(registry, repository);
                endpoint.insecure |= rule.as_ref().is_some_and(|(rule, _)| rule.insecure);
                endpoint
            }
        };
        last.is_own = last.authority == server_of(registry);
        endpoints.push(last);
        Ok(endpoints)
    }

    /// The longest rule that a reference falls under, and what follows its prefix in the repository.
    fn rule(&self, registry: &str, repository: &str) -> Option<(&Rule, String)> {
        let whole = format!("{registry}/{repository}");
        let matching = self.rules.iter().filter_map(|rule| rule.matches(registry, &whole).map(|rest| (rule, rest)));
        matching.max_by_key(|(rule, _)| rule.prefix.len())
    }

    fn located(&self, location: &str, rest: &str) -> Result<Endpoint> {
        let whole = if rest.is_empty() { location.to_owned() } else { format!("{location}/{rest}") };
        let (authority, repository) = whole
            .split_once('/')
            .filter(|(authority, _)| split_authority(authority).is_some())
            .ok_or_else(|| Error::invalid(format!("registries.conf: location {location:?} names no registry")))?;
        Ok(self.direct(authority, repository))
    }

    /// What is known of the server `registry` itself.
    pub(crate) fn direct(&self, registry: &str, repository: &str) -> Endpoint {
        let known = self.registries.get(registry).cloned().unwrap_or_default();
        let authority = server_of(registry);
        let host = split_authority(authority).map_or(authority, |(host, _)| host);
        Endpoint {
            authority: authority.to_owned(),
            repository: repository.to_owned(),
            plain_http: known.plain_http,
            insecure: known.insecure || self.is_insecure(authority),
            loopback: is_loopback(host),
            skip_verify: known.skip_verify,
            authorities: known.authorities,
            identity: known.identity,
            ..Endpoint::default()
        }
    }

    fn mirrored(&self, mirror: &Mirror, repository: &str) -> Endpoint {
        let mut endpoint = self.direct(&mirror.authority, repository);
        endpoint.plain_http |= mirror.plain_http;
        endpoint.insecure |= mirror.insecure;
        endpoint.skip_verify |= mirror.skip_verify;
        endpoint.path.clone_from(&mirror.path);
        endpoint.exact_path = mirror.exact_path;
        endpoint.serves = mirror.serves;
        endpoint.authorities.extend(mirror.authorities.iter().cloned());
        endpoint.identity = mirror.identity.clone().or(endpoint.identity);
        endpoint
    }

    /// Whether `authority` was said to be not verified: by name with or without its port, or by its address.
    fn is_insecure(&self, authority: &str) -> bool {
        let Some((host, _)) = split_authority(authority) else { return false };
        if self.registries.get(host).is_some_and(|registry| registry.insecure) {
            return true;
        }
        let within = |address: IpAddr| self.networks.iter().any(|network| network.contains(address));
        match host.parse() {
            Ok(address) => within(address),
            Err(_) if self.networks.is_empty() => false,
            Err(_) => {
                use std::net::ToSocketAddrs;
                (host, 443).to_socket_addrs().is_ok_and(|mut found| found.any(|address| within(address.ip())))
            }
        }
    }
}

/// Docker Hub is served from another name than it has in references.
fn server_of(registry: &str) -> &str {
    if registry == "docker.io" { "registry-1.docker.io" } else { registry }
}

impl Rule {
    fn matches(&self, registry: &str, whole: &str) -> Option<String> {
        if let Some(suffix) = self.prefix.strip_prefix('*') {
            let below = suffix.starts_with('.') && registry.ends_with(suffix);
            return below.then(|| whole[registry.len() + 1..].to_owned());
        }
        let rest = whole.strip_prefix(&self.prefix)?;
        if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('/').map(str::to_owned) }
    }
}

impl Network {
    /// Parses `10.0.0.0/8`.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let bits: u8 = bits.parse().ok()?;
        (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some(Self { address, bits })
    }

    fn contains(self, address: IpAddr) -> bool {
        let keep = |width: u32| width - u32::from(self.bits).min(width);
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = keep(32);
                own.to_bits().checked_shr(shift).unwrap_or(0) == other.to_bits().checked_shr(shift).unwrap_or(0)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = keep(128);
                own.to_bits().checked_shr(shift).unwrap_or(0) == other.to_bits().checked_shr(shift).unwrap_or(0)
            }
            _ => false,
        }
    }
}

/// Whether `host` is this machine. A name below `localhost` is asked of name servers, which may answer anything.
pub(crate) fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(hosts: &Hosts, registry: &str, repository: &str) -> Vec<String> {
        let endpoints = hosts.endpoints(registry, repository).unwrap();
        endpoints.iter().map(Endpoint::summary).collect()
    }

    #[test]
    fn a_registry_answers_for_itself() {
        let mut hosts = Hosts::default();
        hosts.add_insecure("10.0.0.0/8").unwrap();
        hosts.add_insecure("lab.example").unwrap();
        hosts.registry_mut("old.example:80").plain_http = true;
        for (registry, expected) in [
            ("docker.io", "registry-1.docker.io/v2/a https"),
            ("quay.io", "quay.io/v2/a https"),
            ("127.0.0.1:5000", "127.0.0.1:5000/v2/a https http"),
            ("localhost", "localhost/v2/a https http"),
            ("[::1]:5000", "[::1]:5000/v2/a https http"),
            ("127.evil.example", "127.evil.example/v2/a https"),
            ("10.1.2.3", "10.1.2.3/v2/a https http unverified"),
            ("11.1.2.3", "11.1.2.3/v2/a https"),
            ("lab.example:5000", "lab.example:5000/v2/a https http unverified"),
            ("old.example:80", "old.example:80/v2/a http"),
        ] {
            assert_eq!(summary(&hosts, registry, "a"), [expected]);
        }
    }

    #[test]
    fn mirrors_come_first() {
        let mut hosts = Hosts::default();
        hosts.add_hub_mirror("http://mirror.lan:5000/hub/").unwrap();
        assert_eq!(
            summary(&hosts, "docker.io", "library/x"),
            ["mirror.lan:5000/hub/v2/library/x http mirror", "registry-1.docker.io/v2/library/x https"]
        );
        assert_eq!(summary(&hosts, "quay.io", "x").len(), 1);
    }

    #[test]
    fn the_longest_prefix_decides() {
        let mut hosts = Hosts::default();
        let rule =
            |prefix: &str, location: &str| Rule { prefix: prefix.into(), location: location.into(), ..Rule::default() };
        hosts.add_rule(rule("example.com", "one.lan"));
        hosts.add_rule(rule("example.com/deep", "two.lan/inner"));
        hosts.add_rule(rule("*.example.org", "three.lan:1/all"));
        hosts.add_rule(Rule { blocked: true, ..rule("bad.example", "") });
        for (registry, repository, expected) in [
            ("example.com", "app", "one.lan/v2/app https other"),
            ("example.com", "deep/app", "two.lan/v2/inner/app https other"),
            ("example.com", "deeper/app", "one.lan/v2/deeper/app https other"),
            ("a.example.org", "app", "three.lan:1/v2/all/app https other"),
            ("example.org", "app", "example.org/v2/app https"),
        ] {
            assert_eq!(summary(&hosts, registry, repository), [expected]);
        }
        assert_eq!(hosts.endpoints("bad.example", "x").unwrap_err().kind(), base::Kind::Denied);
    }

    #[test]
    fn the_more_important_source_wins() {
        let mut own = Hosts::default();
        own.add_hub_mirror("https://own.lan").unwrap();
        own.registry_mut("a.lan").authorities.push(b"one".to_vec());
        let mut lesser = Hosts::default();
        lesser.add_hub_mirror("https://other.lan").unwrap();
        lesser.registry_mut("a.lan").authorities.push(b"two".to_vec());
        own.fall_back_on(lesser);
        assert_eq!(summary(&own, "docker.io", "x")[0], "own.lan/v2/x https mirror");
        assert_eq!(own.registries["a.lan"].authorities.len(), 2);
    }

    #[test]
    fn nonsense_is_refused() {
        let mut hosts = Hosts::default();
        for text in ["http://a", "a b", "10.0.0.0/33", "x/8", ""] {
            assert!(hosts.add_insecure(text).is_err(), "{text}");
        }
        for text in ["ftp://a", "https://", "https://a?x", "a b"] {
            assert!(hosts.add_hub_mirror(text).is_err(), "{text}");
        }
    }
}
