//! Makes a network: its record. What of it is in the kernel is made when the first container needs it, but for its bridge, which shows that it can be made.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use base::file::{self, Durability};
use base::id::Id;
use base::lock::Sharing;
use base::time::Timestamp;
use base::tree::Tree;
use base::{Context, Error, Result, crash_point};
use ipnet::IpNet;
use network::IpVersion;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::pool::{self, SubnetRequest as Subnet};
use super::record::{self, BRIDGE, Driver, Network, NetworkRecord, Pool, option};
use crate::caller::Operation;
use crate::{Caller, Engine, layout};

pub use super::pool::SubnetRequest;

/// A network that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkRequest {
    /// Its name.
    pub name: String,
    /// Empty: `bridge`.
    pub driver: String,
    /// Its addresses; empty: chosen.
    pub subnets: Vec<SubnetRequest>,
    /// Whether nothing outside is to be reached.
    pub internal: bool,
    /// Only reported.
    pub attachable: bool,
    /// `None`: yes.
    pub ipv4: Option<bool>,
    /// `None`: where the host has IPv6.
    pub ipv6: Option<bool>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
}

impl Engine {
    /// Makes a network and returns its id.
    ///
    /// # Errors
    /// `Invalid` for a malformed request; `Conflict` when the name or the addresses are taken; `Exhausted` when no subnet is free.
    pub fn create_network(&self, caller: &Caller, request: &NetworkRequest) -> Result<Id> {
        caller.permit(Operation::Change, "create a network")?;
        let record = self.check_network(request)?;
        let _networks = self.root.lock_networks(Sharing::Exclusive)?;
        self.clear_unfinished_networks()?;
        if self.all_networks()?.iter().any(|other| other.name == record.name) {
            return Err(Error::conflict(format!("network with name {} already exists", record.name)));
        }
        let id = record.id.clone();
        let name = record.name.clone();
        let network = self
            .place(record, &request.subnets, request.ipv6)
            .map_err(|error| error.context(format!("create network {name}")))?;
        self.record_event("network", "create", id.as_str(), attributes(&network.record));
        Ok(id)
    }

    /// Chooses addresses, and makes record, name and bridge, under the lock that keeps other engines of this network namespace from doing the same.
    fn place(&self, mut record: NetworkRecord, subnets: &[Subnet], ipv6: Option<bool>) -> Result<Network> {
        self.root.claim_host()?;
        let _machine = lock_machine()?;
        record.pools = self.choose_pools(&record, subnets, ipv6)?;
        let network = self.write_network(record)?;
        crash_point!("network.written");
        let firewall = self.firewall();
        let made = match network.record.driver {
            Driver::Bridge if firewall.is_whole()? => self.bring_up_network(&firewall, &network),
            // It is the first, or the others have lost their rules as well.
            Driver::Bridge => self.put_back_all(&firewall, &network),
            _ => Ok(()),
        };
        if let Err(error) = made {
            self.destroy_network(&network)?;
            return Err(error);
        }
        Ok(network)
    }

    /// The default bridge, made where nobody needed it yet.
    pub(super) fn default_bridge(&self) -> Result<Network> {
        let id = self.root.predefined_network(BRIDGE)?;
        if let Some(network) = self.root.network(&id)? {
            return Ok(network);
        }
        let _networks = self.root.lock_networks(Sharing::Exclusive)?;
        if let Some(network) = self.root.network(&id)? {
            return Ok(network);
        }
        let mut record = record::predefined(id, BRIDGE, Driver::Bridge);
        record.created = Timestamp::now();
        let name = match self.root.short_id.as_str() {
            "" => "berth0".to_owned(),
            _ => record.bridge_name(),
        };
        for (key, value) in [
            (option::BRIDGE_NAME, name.as_str()),
            (option::DEFAULT_BRIDGE, "true"),
            (option::INTER_CONTAINER, "true"),
            (option::MASQUERADE, "true"),
            (option::HOST_BINDING, "0.0.0.0"),
        ] {
            record.options.insert(key.to_owned(), value.to_owned());
        }
        self.place(record, &[], None).map_err(|error| error.context("make the default bridge"))
    }

    fn check_network(&self, request: &NetworkRequest) -> Result<NetworkRecord> {
        check_name(&request.name)?;
        let driver = match request.driver.as_str() {
            "" | "bridge" => Driver::Bridge,
            "macvlan" => Driver::Macvlan,
            "host" | "null" | "none" => {
                return Err(Error::denied(format!("only one instance of {:?} network is allowed", request.driver)));
            }
            "ipvlan" => ipvlan()?,
            other => {
                return Err(Error::not_found(format!(
                    "could not find plugin {other} in v1 plugin registry: plugin not found"
                )));
            }
        };
        check_options(driver, &request.options)?;
        if request.ipv4 == Some(false) && request.ipv6 == Some(false) {
            return Err(Error::invalid("a network needs IPv4 or IPv6"));
        }
        if request.ipv4 == Some(false) {
            return Err(Error::unsupported("not supported: --ipv4=false: a network always has IPv4"));
        }
        Ok(NetworkRecord {
            format: layout::FORMAT,
            id: Id::random()?,
            name: request.name.clone(),
            created: Timestamp::now(),
            driver,
            pools: Vec::new(),
            internal: request.internal,
            attachable: request.attachable,
            labels: request.labels.clone(),
            options: request.options.clone(),
        })
    }

    fn choose_pools(&self, record: &NetworkRecord, subnets: &[Subnet], ipv6: Option<bool>) -> Result<Vec<Pool>> {
        let mut pools = Vec::new();
        for subnet in subnets.iter().filter(|subnet| !subnet.subnet.is_empty()) {
            pools.push(pool::requested(subnet)?);
        }
        if subnets.iter().any(|subnet| subnet.subnet.is_empty() && *subnet != Subnet::default()) {
            return Err(Error::invalid("an ip-range, a gateway or an auxiliary address needs a subnet: give --subnet"));
        }
        for version in IpVersion::ALL {
            if pools.iter().filter(|pool: &&Pool| IpVersion::of(pool.subnet.addr()) == version).count() > 1 {
                return Err(Error::unsupported("not supported: several subnets of one family in a network"));
            }
        }
        let own = self.own_subnets()?;
        for pool in &pools {
            self.check_overlap(pool, record.driver, &own)?;
        }
        let has = |pools: &[Pool], version| pools.iter().any(|pool| IpVersion::of(pool.subnet.addr()) == version);
        if !has(&pools, IpVersion::V4) {
            let mut taken: Vec<IpNet> = own.iter().map(|(_, net)| *net).collect();
            taken.extend(network::link::routes()?.into_iter().map(|(_, net)| net));
            pools.insert(0, pool::choose(&taken)?);
        }
        if !has(&pools, IpVersion::V6) {
            match (ipv6, network::forwarding::has_ipv6()) {
                (Some(true), false) => {
                    return Err(Error::unsupported("this host has no IPv6: make the network without --ipv6"));
                }
                (Some(true), true) => pools.push(pool::unique_local(record.id.as_str())?),
                (None, true) if record.driver == Driver::Bridge => pools.push(pool::unique_local(record.id.as_str())?),
                _ => {}
            }
        }
        Ok(pools)
    }

    fn own_subnets(&self) -> Result<Vec<(String, IpNet)>> {
        let networks = self.root.made_networks()?.into_iter().map(|network| network.record);
        Ok(networks
            .flat_map(|record| record.pools.into_iter().map(move |pool| (record.name.clone(), pool.subnet)))
            .collect())
    }

    fn check_overlap(&self, pool: &Pool, driver: Driver, own: &[(String, IpNet)]) -> Result<()> {
        if let Some((name, net)) = own.iter().find(|(_, net)| pool::overlap(pool.subnet, *net)) {
            return Err(Error::denied(format!(
                "invalid pool request: Pool overlaps with other one on this address space: {} and {net} of network {name}",
                pool.subnet
            )));
        }
        // A macvlan network is the parent's.
        if driver != Driver::Bridge {
            return Ok(());
        }
        match network::link::addresses()?.into_iter().find(|(_, net)| pool::overlap(pool.subnet, net.trunc())) {
            Some((_, net)) => Err(Error::conflict(format!(
                "the subnet {} overlaps with {net}, an address of this host: choose another one",
                pool.subnet
            ))),
            None => Ok(()),
        }
    }

    /// Makes the directory whole, with the name last.
    fn write_network(&self, record: NetworkRecord) -> Result<Network> {
        let folder = self.root.networks_folder()?;
        let staging = file::temporary_name("network");
        let directory = file::make_directory_at(folder.as_fd(), &staging, 0o700)?;
        for name in [layout::ADDRESSES, layout::NAMES, layout::REVERSE] {
            file::make_directory_at(directory.as_fd(), name, 0o700)?;
        }
        file::replace_json(directory.as_fd(), layout::CONFIG, &record, Durability::Synced)?;
        crash_point!("network.filled");
        rustix::fs::renameat(&folder, &staging, &folder, record.id.as_str()).context("put the network in place")?;
        crash_point!("network.placed");
        let names = self.root.network_names()?;
        // Nobody has the name: what is left of it is stale.
        file::remove(names.as_fd(), &record.name)?;
        rustix::fs::symlinkat(record.id.as_str(), &names, &*record.name).context("name the network")?;
        Ok(Network { record, directory })
    }

    /// Takes away everything of a network. Its lock on networks is held.
    pub(super) fn destroy_network(&self, network: &Network) -> Result<()> {
        let record = &network.record;
        self.take_down_network(network)?;
        crash_point!("network.down");
        if self.network_named(&record.name)?.as_ref() == Some(&record.id) {
            rustix::fs::unlinkat(self.root.network_names()?, &*record.name, AtFlags::empty())
                .context("release the network's name")?;
        }
        crash_point!("network.unnamed");
        Tree::new(self.root.networks_folder()?).remove_all(record.id.as_str().as_ref())
    }
}

/// What events of a network carry.
pub(super) fn attributes(record: &NetworkRecord) -> BTreeMap<String, String> {
    [("name".to_owned(), record.name.clone()), ("type".to_owned(), record.driver.name().to_owned())].into()
}

/// Choosing a subnet and making its bridge is one step for all engines of a network namespace: the lock is on the namespace itself.
pub(super) fn lock_machine() -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace =
        rustix::fs::open("/proc/thread-self/ns/net", flags, Mode::empty()).context("open the network namespace")?;
    loop {
        match rustix::fs::flock(&namespace, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(namespace),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).context("lock the network namespace"),
        }
    }
}

/// Docker's rule for names, and nothing that reads as an id or a mode.
fn check_name(name: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    let shown: String = name.chars().take(80).collect();
    if !first || !rest || name.len() > 255 {
        return Err(Error::invalid(format!(
            "invalid network name {shown:?}: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )));
    }
    if name == "default" || name == "container" || record::PREDEFINED.iter().any(|(predefined, _)| *predefined == name)
    {
        return Err(Error::denied(format!("operation is not permitted on predefined {name} network")));
    }
    Ok(())
}

fn check_options(driver: Driver, options: &BTreeMap<String, String>) -> Result<()> {
    let known: &[&str] = match driver {
        Driver::Macvlan => &[option::PARENT, option::MACVLAN_MODE, option::MTU],
        _ => &[option::BRIDGE_NAME, option::INTER_CONTAINER, option::MASQUERADE, option::HOST_BINDING, option::MTU],
    };
    for (key, value) in options {
        if !known.contains(&key.as_str()) {
            return Err(Error::unsupported(format!(
                "not supported: -o {key}: the driver {} knows {}",
                driver.name(),
                known.join(", ")
            )));
        }
        let refuse = |why: &str| Err(Error::invalid(format!("invalid value {value:?} of {key}: {why}")));
        match key.as_str() {
            option::MTU if !value.parse::<u32>().is_ok_and(|mtu| (68..=65_535).contains(&mtu)) => {
                return refuse("a number of bytes from 68 to 65535");
            }
            option::INTER_CONTAINER | option::MASQUERADE if record::truth(value).is_none() => {
                return refuse("true or false");
            }
            option::HOST_BINDING if value.parse::<std::net::Ipv4Addr>().is_err() => return refuse("an IPv4 address"),
            option::MACVLAN_MODE if !matches!(value.as_str(), "bridge" | "private") => {
                return refuse("bridge or private");
            }
            option::BRIDGE_NAME | option::PARENT if !is_interface(value) => {
                return refuse("the name of an interface: 1 to 15 bytes without blanks, slashes and colons");
            }
            _ => {}
        }
    }
    if driver == Driver::Macvlan && !options.contains_key(option::PARENT) {
        return Err(Error::invalid("a macvlan network needs the host's interface that it is on: -o parent=eth0"));
    }
    Ok(())
}

fn is_interface(name: &str) -> bool {
    (1..=network::link::NAME_LIMIT).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':')
}

/// The kernel of this host decides whether there can be any.
fn ipvlan() -> Result<Driver> {
    let modules = File::open("/sys/module/ipvlan").is_ok();
    Err(Error::unsupported(if modules {
        "not supported: networks of the driver ipvlan: use macvlan or bridge"
    } else {
        "not supported: networks of the driver ipvlan: this kernel has no ipvlan device; use macvlan or bridge"
    }))
}

impl Engine {
    /// Removes what a crash left of networks that were being made. Whoever makes one holds the lock on networks, as the caller does.
    pub(super) fn clear_unfinished_networks(&self) -> Result<()> {
        let folder = self.root.networks_folder()?;
        for entry in rustix::fs::Dir::read_from(&folder).context("list the networks")? {
            let entry = entry.context("list the networks")?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') && name.contains("network") && !name.ends_with(".lock") {
                match Tree::new(folder.try_clone().context("keep a folder")?).remove_all(name.as_ref()) {
                    Err(error) if error.errno() != Some(Errno::NOENT) => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
