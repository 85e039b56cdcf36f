//! What a network is, on disk.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};

use base::digest::Digest;
use base::id::Id;
use base::lock::{Lock, Sharing};
use base::time::Timestamp;
use base::{Context, Error, Result, file};
use ipnet::IpNet;
use network::IpVersion;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::root::{Root, ids_in};
use crate::{Engine, layout};

/// How containers are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// By a bridge of the host.
    #[default]
    Bridge,
    /// They are on the host's network.
    Host,
    /// Not at all.
    None,
    /// By interfaces of their own on top of one of the host's.
    Macvlan,
}

impl Driver {
    /// Docker's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::None => "null",
            Self::Macvlan => "macvlan",
        }
    }
}

/// Addresses of one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// All of them.
    pub subnet: IpNet,
    /// Those that containers get where they ask for none; `None`: all.
    #[serde(default)]
    pub range: Option<IpNet>,
    /// The host's own, which is the containers' way out.
    pub gateway: Option<IpAddr>,
    /// Name → an address that no container gets.
    #[serde(default)]
    pub reserved: BTreeMap<String, IpAddr>,
}

/// One network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// Format of this record.
    pub format: u32,
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// How containers are connected.
    pub driver: Driver,
    /// Its addresses, at most one pool for each family.
    pub pools: Vec<Pool>,
    /// Whether nothing outside is reached.
    #[serde(default)]
    pub internal: bool,
    /// Only reported.
    #[serde(default)]
    pub attachable: bool,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The driver's options as they were given.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// Options of Docker's bridge driver, without `com.docker.network.`.
pub(super) mod option {
    pub(crate) const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
    pub(crate) const INTER_CONTAINER: &str = "com.docker.network.bridge.enable_icc";
    pub(crate) const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
    pub(crate) const HOST_BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";
    pub(crate) const DEFAULT_BRIDGE: &str = "com.docker.network.bridge.default_bridge";
    pub(crate) const MTU: &str = "com.docker.network.driver.mtu";
    pub(crate) const PARENT: &str = "parent";
    pub(crate) const MACVLAN_MODE: &str = "macvlan_mode";
}

/// The networks that are always there.
pub(crate) const BRIDGE: &str = "bridge";
pub(crate) const PREDEFINED: [(&str, Driver); 3] =
    [(BRIDGE, Driver::Bridge), ("host", Driver::Host), ("none", Driver::None)];

impl NetworkRecord {
    /// Whether this is the network of containers that ask for none.
    #[must_use]
    pub fn is_default_bridge(&self) -> bool {
        self.name == BRIDGE
    }

    /// Whether it can be removed.
    #[must_use]
    pub fn is_predefined(&self) -> bool {
        PREDEFINED.iter().any(|(name, _)| *name == self.name)
    }

    /// Its addresses of one version.
    #[must_use]
    pub fn pool(&self, version: IpVersion) -> Option<&Pool> {
        self.pools.iter().find(|pool| IpVersion::of(pool.subnet.addr()) == version)
    }

    /// The way out for containers: none of an internal network.
    pub(super) fn way_out(&self, version: IpVersion) -> Option<IpAddr> {
        self.pool(version)?.gateway.filter(|_| !self.internal)
    }

    /// A truth among the options, which is one unless the opposite is given.
    pub(super) fn is_enabled(&self, key: &str) -> bool {
        self.options.get(key).and_then(|text| truth(text)) != Some(false)
    }

    /// Whether containers of it reach each other.
    #[must_use]
    pub fn inter_container(&self) -> bool {
        self.is_enabled(option::INTER_CONTAINER)
    }

    /// The bridge's interface.
    pub(crate) fn bridge_name(&self) -> String {
        self.options.get(option::BRIDGE_NAME).cloned().unwrap_or_else(|| format!("br-{}", self.id.short()))
    }

    /// What names resolve for: on the default bridge none do, as in Docker.
    pub(crate) fn has_names(&self) -> bool {
        matches!(self.driver, Driver::Bridge | Driver::Macvlan) && !self.is_default_bridge()
    }
}

/// As Go reads it, and with it Docker.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Docker's words for a network that is not there.
pub(crate) fn no_such(name: &str) -> Error {
    let shown: String = name.chars().take(300).collect();
    Error::not_found(format!("network {shown} not found"))
}

/// An open network.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) record: NetworkRecord,
    pub(crate) directory: OwnedFd,
}

impl Root {
    /// The id of a network that is always there: the same for every engine on this root.
    pub(crate) fn predefined_network(&self, name: &str) -> Result<Id> {
        Digest::sha256(format!("{}\0{name}", self.layout.root().display()).as_bytes()).hex().parse()
    }

    pub(super) fn networks_folder(&self) -> Result<OwnedFd> {
        file::make_directory_at(self.directory(), layout::NETWORKS, 0o700)
    }

    pub(super) fn network_names(&self) -> Result<OwnedFd> {
        file::make_directory_at(self.directory(), layout::NETWORK_NAMES, 0o700)
    }

    /// Keeps networks from being made and removed.
    pub(super) fn lock_networks(&self, sharing: Sharing) -> Result<Lock> {
        Lock::acquire(self.networks_folder()?.as_fd(), layout::NAMES_LOCK, sharing)
    }

    /// The network of this id; `None` where it is not there or not whole.
    pub(crate) fn network(&self, id: &Id) -> Result<Option<Network>> {
        let directory = match file::open_directory_at(self.networks_folder()?.as_fd(), id.as_str()) {
            Ok(directory) => directory,
            Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error),
        };
        let record: Option<NetworkRecord> = file::read_json(directory.as_fd(), layout::CONFIG)
            .map_err(|error| error.context(format!("network {}", id.short())))?;
        let Some(record) = record else { return Ok(None) };
        if record.format > layout::FORMAT {
            return Err(Error::unsupported(format!(
                "network {} was written by a newer berth: use that one",
                record.name
            )));
        }
        Ok(Some(Network { record, directory }))
    }

    /// All networks that were made, in no order; `bridge`, `host` and `none` are among them once something was.
    pub(super) fn made_networks(&self) -> Result<Vec<Network>> {
        let mut networks = Vec::new();
        for id in ids_in(self.networks_folder()?.as_fd())? {
            networks.extend(self.network(&id)?);
        }
        Ok(networks)
    }
}

impl Engine {
    /// The network that `text` means: its id, its name, or the beginning of its id, in this order. Those that are always there may not have been made
    /// yet, and then have no addresses.
    ///
    /// # Errors
    /// `NotFound` in Docker's words; `Invalid` for an ambiguous beginning.
    pub(crate) fn find_network(&self, text: &str) -> Result<NetworkRecord> {
        if let Some(id) = text.parse().ok().filter(|_| text.len() == 64)
            && let Some(network) = self.root.network(&id)?
        {
            return Ok(network.record);
        }
        if let Some(id) = self.network_named(text)?
            && let Some(network) = self.root.network(&id)?
        {
            return Ok(network.record);
        }
        let mut candidates = self.all_networks()?;
        candidates
            .retain(|network| network.name == text || Id::is_prefix(text) && network.id.as_str().starts_with(text));
        if let Some(named) = candidates.iter().position(|network| network.name == text) {
            return Ok(candidates.swap_remove(named));
        }
        match candidates.len() {
            0 => Err(no_such(text)),
            1 => Ok(candidates.swap_remove(0)),
            _ => {
                Err(Error::invalid(format!("network {text} is ambiguous ({} matches found on name)", candidates.len())))
            }
        }
    }

    /// Whose the name is, as far as the link tells.
    pub(super) fn network_named(&self, name: &str) -> Result<Option<Id>> {
        match rustix::fs::readlinkat(self.root.network_names()?, name, Vec::new()) {
            Ok(target) => Ok(target.to_str().ok().and_then(|text| text.parse().ok())),
            Err(Errno::NOENT | Errno::INVAL | Errno::NAMETOOLONG | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(errno).with_context(|| format!("read the name of network {name}")),
        }
    }

    /// All networks by name, with those that are always there.
    pub(crate) fn all_networks(&self) -> Result<Vec<NetworkRecord>> {
        let mut records: Vec<_> = self.root.made_networks()?.into_iter().map(|network| network.record).collect();
        for (name, driver) in PREDEFINED {
            if !records.iter().any(|record| record.name == name) {
                records.push(predefined(self.root.predefined_network(name)?, name, driver));
            }
        }
        records.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(records)
    }
}

/// One that is always there, before anybody needed it.
pub(super) fn predefined(id: Id, name: &str, driver: Driver) -> NetworkRecord {
    NetworkRecord {
        format: layout::FORMAT,
        id,
        name: name.to_owned(),
        created: Timestamp::ZERO,
        driver,
        pools: Vec::new(),
        internal: false,
        attachable: false,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
    }
}
