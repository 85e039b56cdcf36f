//! What the administrator decided: the content of `engine.json`.
//!
//! Docker's `daemon.json` keys plus our own. The host of the engine reads the file and hands its text over; a key that is not known
//! is an error that names the nearest known one, and a key of Docker's that has no meaning here is refused by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::LogLevel;
use crate::containers::{CgroupMode, IpcMode, Ulimit};

/// What the administrator decided. Every field has the default of a missing file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Configuration {
    /// The state root; the flag `--root` wins.
    pub data_root: Option<PathBuf>,
    /// What may vanish at a reboot; the flag `--runroot` wins.
    pub exec_root: Option<PathBuf>,
    /// Where the daemon listens; the flag `-H` wins.
    pub hosts: Vec<String>,
    /// Which group may use the daemon's socket.
    pub group: Option<String>,
    /// `log_level` is `debug`, whatever it says itself; the flags `-l` and `-D` win.
    pub debug: bool,
    /// How much the daemon says; the flags `-l` and `-D` win.
    pub log_level: Option<LogLevel>,
    /// The log driver of new containers; `None`: `json-file`.
    pub log_driver: Option<String>,
    /// Its options.
    pub log_opts: BTreeMap<String, String>,
    /// Whether new containers get our tiny init.
    pub init: bool,
    /// The group below which containers' groups are made.
    pub cgroup_parent: Option<String>,
    /// `private` or `host`; `None`: `private`.
    pub default_cgroupns_mode: Option<CgroupMode>,
    /// `private` or `shareable`.
    pub default_ipc_mode: Option<IpcMode>,
    /// Bytes of `/dev/shm`, as in `64M`.
    pub default_shm_size: Option<String>,
    /// Limits of processes in new containers, by name.
    pub default_ulimits: BTreeMap<String, DefaultUlimit>,
    /// Name servers of new containers.
    pub dns: Vec<String>,
    /// Resolver options of new containers.
    pub dns_opts: Vec<String>,
    /// Search domains of new containers.
    pub dns_search: Vec<String>,
    /// What `host-gateway` in `--add-host` stands for.
    pub host_gateway_ip: Option<String>,
    /// `builtin`, `unconfined` the path of a profile, read at each start, or its content.
    pub seccomp_profile: Option<String>,
    /// Whether processes of new containers can never gain privileges.
    pub no_new_privileges: bool,
    /// Labels of the engine.
    pub labels: Vec<String>,
    /// How long a shutdown waits for containers, in seconds; `None`: 15.
    pub shutdown_timeout: Option<u64>,
    /// Registries, by `host[:port]` or address range, that are spoken to without verified TLS.
    pub insecure_registries: Vec<String>,
    /// Mirrors of docker.io.
    pub registry_mirrors: Vec<String>,
    /// Downloads of one pull at the same time; `None`: 3.
    pub max_concurrent_downloads: Option<u32>,
    /// Uploads of one push at the same time; `None`: 5.
    pub max_concurrent_uploads: Option<u32>,
    /// Attempts of a download; `None`: 5.
    pub max_download_attempts: Option<u32>,
    /// Proxies for the engine's own requests.
    pub proxies: Proxies,
    /// Our own: registries by `host[:port]`.
    pub registries: BTreeMap<String, RegistryConfiguration>,
    /// Our own: how strict what nobody asked for is.
    pub defaults: Defaults,
}

/// Proxies for the engine's own requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Proxies {
    /// For plain http.
    pub http_proxy: Option<String>,
    /// For https.
    pub https_proxy: Option<String>,
    /// Hosts that are asked directly, separated by commas.
    pub no_proxy: Option<String>,
}

/// One registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct RegistryConfiguration {
    /// Asked first, in this order, as `http[s]://host[:port][/prefix]` or `host[:port]`.
    pub mirrors: Vec<String>,
    /// Whether it is spoken to in plain http.
    pub plain_http: bool,
    /// Whether its certificate is not verified.
    pub skip_verify: bool,
    /// Files of further authorities, PEM.
    pub ca: Vec<PathBuf>,
    /// File of our own certificate, PEM.
    pub client_certificate: Option<PathBuf>,
    /// File of its key, PEM.
    pub client_key: Option<PathBuf>,
}

/// How strict what nobody asked for is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Defaults {
    /// As Docker.
    #[default]
    Docker,
    /// Stricter: without `NET_RAW`, without new privileges.
    Hardened,
}

/// A limit of processes in new containers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultUlimit {
    /// The limit's name; the key says the same.
    #[serde(rename = "Name", default)]
    pub name: String,
    /// -1: no bound.
    #[serde(rename = "Soft")]
    pub soft: i64,
    /// -1: no bound.
    #[serde(rename = "Hard")]
    pub hard: i64,
}

impl From<(&String, &DefaultUlimit)> for Ulimit {
    fn from((key, limit): (&String, &DefaultUlimit)) -> Self {
        Self { name: key.clone(), soft: limit.soft, hard: limit.hard }
    }
}

/// Every key that has a meaning here.
const KEYS: &[&str] = &[
    "cgroup-parent",
    "data-root",
    "debug",
    "default-cgroupns-mode",
    "default-ipc-mode",
    "default-shm-size",
    "default-ulimits",
    "defaults",
    "dns",
    "dns-opts",
    "dns-search",
    "exec-root",
    "group",
    "host-gateway-ip",
    "hosts",
    "init",
    "insecure-registries",
    "labels",
    "log-driver",
    "log-level",
    "log-opts",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "max-download-attempts",
    "no-new-privileges",
    "proxies",
    "registries",
    "registry-mirrors",
    "seccomp-profile",
    "shutdown-timeout",
];

/// Docker's keys that ask for what berth always does; a value that asks for the opposite is refused.
const ALWAYS: &[(&str, bool)] = &[("live-restore", true), ("experimental", false)];

/// Docker's keys that berth cannot honour.
const REFUSED: &[&str] = &[
    "allow-direct-routing",
    "allow-nondistributable-artifacts",
    "api-cors-header",
    "authorization-plugins",
    "bip",
    "bip6",
    "bridge",
    "bridge-accept-fwmark",
    "builder",
    "cdi-spec-dirs",
    "containerd",
    "containerd-namespace",
    "containerd-plugins-namespace",
    "cpu-rt-period",
    "cpu-rt-runtime",
    "default-address-pools",
    "default-gateway",
    "default-gateway-v6",
    "default-network-opts",
    "default-runtime",
    "exec-opts",
    "features",
    "firewall",
    "firewall-backend",
    "fixed-cidr",
    "fixed-cidr-v6",
    "host-gateway-ips",
    "http-proxy",
    "https-proxy",
    "icc",
    "init-path",
    "ip",
    "ip-forward",
    "ip-forward-no-drop",
    "ip-masq",
    "ip6tables",
    "iptables",
    "ipv6",
    "log-format",
    "metrics-addr",
    "mtu",
    "no-proxy",
    "node-generic-resources",
    "oom-score-adjust",
    "pidfile",
    "publish",
    "raw-logs",
    "rootless",
    "runtimes",
    "selinux-enabled",
    "storage-driver",
    "storage-opts",
    "swarm-default-advertise-addr",
    "tls",
    "tlscacert",
    "tlscert",
    "tlskey",
    "tlsverify",
    "userland-proxy",
    "userland-proxy-path",
    "userns-remap",
    "validate",
];

impl Configuration {
    /// Reads the text of an `engine.json`; an empty text is an empty object.
    ///
    /// # Errors
    /// `Invalid` for what is no JSON object, has an unknown key or a value of the wrong kind; `Unsupported` for a key of Docker's that berth
    /// does not honour.
    pub fn parse(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let mut object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| Error::invalid(error.to_string()))?;
        for (key, accepted) in ALWAYS {
            match object.remove(*key) {
                None => {}
                Some(value) if value == *accepted => {}
                Some(value) => {
                    return Err(Error::unsupported(format!("not supported: {key:?} with the value {value}")));
                }
            }
        }
        for key in object.keys() {
            check_key(key)?;
        }
        for (host, registry) in object.get("registries").and_then(|value| value.as_object()).into_iter().flatten() {
            for key in registry.as_object().into_iter().flat_map(|registry| registry.keys()) {
                check_nested(&format!("registries.{host}"), key, REGISTRY_KEYS)?;
            }
        }
        for key in object.get("proxies").and_then(|value| value.as_object()).into_iter().flat_map(|value| value.keys())
        {
            check_nested("proxies", key, PROXY_KEYS)?;
        }
        // One by one first: serde does not say which key has the value that it refuses.
        for (key, value) in &object {
            let alone = serde_json::Map::from_iter([(key.clone(), value.clone())]);
            serde_json::from_value::<Self>(serde_json::Value::Object(alone))
                .map_err(|error| Error::invalid(format!("{key}: {error}")))?;
        }
        let configuration: Self = serde_json::from_value(serde_json::Value::Object(object))
            .map_err(|error| Error::invalid(error.to_string()))?;
        configuration.validated()
    }

    fn validated(self) -> Result<Self> {
        if let Some(size) = &self.default_shm_size {
            base::size::parse_bytes(size).map_err(|error| error.context("default-shm-size"))?;
        }
        match &self.default_ipc_mode {
            None | Some(IpcMode::Private | IpcMode::Shareable | IpcMode::Default) => Ok(self),
            Some(other) => Err(Error::invalid(format!("default-ipc-mode: {other} is not one of private, shareable"))),
        }
    }
}

const REGISTRY_KEYS: &[&str] = &["ca", "client-certificate", "client-key", "mirrors", "plain-http", "skip-verify"];
const PROXY_KEYS: &[&str] = &["http-proxy", "https-proxy", "no-proxy"];

fn check_key(key: &str) -> Result<()> {
    if KEYS.contains(&key) {
        return Ok(());
    }
    if REFUSED.contains(&key) {
        return Err(Error::unsupported(format!("not supported: the key {key:?}; remove it")));
    }
    Err(unknown_key(key, KEYS))
}

fn check_nested(place: &str, key: &str, known: &[&str]) -> Result<()> {
    if known.contains(&key) { Ok(()) } else { Err(unknown_key(key, known).context(place)) }
}

fn unknown_key(key: &str, known: &[&str]) -> Error {
    match base::nearest::nearest(key, known.iter().copied()) {
        Some(near) => Error::invalid(format!("unknown key {key:?}: did you mean {near:?}?")),
        None => Error::invalid(format!("unknown key {key:?}: known are {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Kind;

    #[test]
    fn every_key_is_read_and_no_other() {
        let all = serde_json::to_value(Configuration::default()).unwrap();
        let mut fields: Vec<String> = all.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        assert_eq!(fields, KEYS);
        let registry = serde_json::to_value(RegistryConfiguration::default()).unwrap();
        let mut fields: Vec<String> = registry.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        assert_eq!(fields, REGISTRY_KEYS);
    }

    #[test]
    fn a_typo_names_the_nearest_key() {
        let table = [
            (r#"{"log_driver": "none"}"#, "did you mean \"log-driver\"?"),
            (r#"{"registry-mirors": []}"#, "did you mean \"registry-mirrors\"?"),
            (r#"{"zzzzzzzzzzzzzzz": 1}"#, "known are"),
            (r#"{"registries": {"a:5000": {"plainhttp": true}}}"#, "did you mean \"plain-http\"?"),
            (r#"{"proxies": {"http": "x"}}"#, "unknown key"),
            (r#"[]"#, "invalid type"),
            (r#"{"init": "yes"}"#, "invalid type"),
            (r#"{"default-shm-size": "much"}"#, "default-shm-size"),
            (r#"{"default-ipc-mode": "host"}"#, "default-ipc-mode"),
        ];
        for (text, expected) in table {
            let error = Configuration::parse(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{text}");
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn dockers_keys_are_honoured_or_refused() {
        let text = r#"{"live-restore": true, "log-driver": "local", "log-opts": {"max-size": "10m"}, "insecure-registries": ["a:5000"],
            "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}}, "default-cgroupns-mode": "private"}"#;
        let configuration = Configuration::parse(text).unwrap();
        assert_eq!(configuration.log_driver.as_deref(), Some("local"));
        assert_eq!(configuration.default_ulimits["nofile"].hard, 64000);
        assert_eq!(configuration.default_cgroupns_mode, Some(CgroupMode::Private));
        assert_eq!(Configuration::parse(r#"{"bip": "10.0.0.1/24"}"#).unwrap_err().kind(), Kind::Unsupported);
        assert_eq!(Configuration::parse(r#"{"live-restore": false}"#).unwrap_err().kind(), Kind::Unsupported);
        assert_eq!(Configuration::parse("  ").unwrap(), Configuration::default());
    }
}
