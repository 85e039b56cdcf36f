//! What of a network is in the kernel: its bridge and its rules, made where they are missing.

use base::digest::Digest;
use base::file::{self, Durability};
use base::{Result, crash_point};
use ipnet::IpNet;
use network::IpVersion;
use network::firewall::{Firewall, NetworkRules, RouterGuard};
use network::forwarding;
use network::link::{self, Bridge, Link};
use serde::{Deserialize, Serialize};

use super::record::{Driver, Network, NetworkRecord, option};
use crate::root::Host;
use crate::{Engine, layout};

/// What a link carries that nobody chose.
const DEFAULT_MTU: u32 = 1500;

/// What berth has changed of this host: `forwarding`.
#[derive(Debug, Serialize, Deserialize)]
struct Forwarding {
    host: Host,
    v4: bool,
    v6: bool,
}

impl Engine {
    pub(crate) fn firewall(&self) -> Firewall {
        Firewall::new(&self.root.short_id)
    }

    /// Sees to it that the network's bridge and rules are there; cheap where they are, and then the bridge is returned.
    ///
    /// # Errors
    /// What the kernel refuses, and what it lacks.
    pub(super) fn ensure_network(&self, firewall: &Firewall, network: &Network) -> Result<Option<Link>> {
        if network.record.driver != Driver::Bridge {
            return Ok(None);
        }
        let bridge = self.find_whole(firewall, network)?;
        if bridge.is_some() {
            return Ok(bridge);
        }
        // Of several who miss it at once, one makes it.
        let _machine = super::create::lock_machine()?;
        if self.find_whole(firewall, network)?.is_none() {
            self.put_back_all(firewall, network)?;
        }
        Ok(None)
    }

    /// Puts back what is missing of all networks; what is wrong with others than `network` is not its matter.
    ///
    /// # Errors
    /// What keeps `network` down.
    pub(super) fn put_back_all(&self, firewall: &Firewall, network: &Network) -> Result<()> {
        let put_back = self.put_back_rules(firewall);
        if self.find_whole(firewall, network)?.is_some() { Ok(()) } else { put_back }
    }

    /// The network's bridge, where it is up and the rules are there.
    fn find_whole(&self, firewall: &Firewall, network: &Network) -> Result<Option<Link>> {
        let bridge = link::find(&network.record.bridge_name())?;
        let bridge = bridge.filter(|bridge| bridge.is_up && bridge.alias == self.alias(&network.record));
        if bridge.is_some() && firewall.is_whole()? { Ok(bridge) } else { Ok(None) }
    }

    /// Makes what is missing of the bridge and the rules. Repeating it changes nothing.
    ///
    /// # Errors
    /// As [`Engine::ensure_network`].
    pub(super) fn bring_up_network(&self, firewall: &Firewall, network: &Network) -> Result<()> {
        let record = &network.record;
        let router_guard = self.forward(record)?;
        let gateway = |pool: &super::Pool| IpNet::new(pool.gateway?, pool.subnet.prefix_len()).ok();
        let bridge = Bridge {
            name: record.bridge_name(),
            alias: self.alias(record),
            mtu: mtu(record)?,
            hardware_address: hardware_address(record),
            addresses: record.pools.iter().filter_map(gateway).collect(),
        };
        // Rules stand before there is something to reach.
        firewall.bring_up(&NetworkRules { router_guard, ..rules(record) })?;
        crash_point!("network.rules-made");
        bridge.bring_up()?;
        firewall.open_foreign(&bridge.name)?;
        crash_point!("network.foreign-opened");
        self.sweep_rules(firewall)
    }

    /// Takes bridge and rules away.
    pub(super) fn take_down_network(&self, network: &Network) -> Result<()> {
        let record = &network.record;
        if record.driver != Driver::Bridge {
            return Ok(());
        }
        if let Some(bridge) = link::find(&record.bridge_name())?
            && bridge.alias == self.alias(record)
        {
            link::remove(&bridge.name)?;
        }
        let firewall = self.firewall();
        firewall.close_foreign(&record.bridge_name())?;
        firewall.take_down(&rules(record))
    }

    /// Whose a bridge is.
    fn alias(&self, record: &NetworkRecord) -> String {
        format!("berth {} {}", record.id.short(), self.root.layout.root().display())
    }

    /// Makes the host forward what the network needs; for which families berth was who made it.
    fn forward(&self, record: &NetworkRecord) -> Result<RouterGuard> {
        let host = Host::current()?;
        let known: Option<Forwarding> = file::read_json(self.root.directory(), layout::FORWARDING).unwrap_or_default();
        let known = known.filter(|known| known.host.is_same_network(&host));
        let before = known.map_or_else(RouterGuard::default, |known| RouterGuard { v4: known.v4, v6: known.v6 });
        let mut guard = before;
        if !record.internal {
            guard.v4 |= forwarding::raise_v4()?;
            guard.v6 |= record.pool(IpVersion::V6).is_some() && forwarding::raise_v6()?;
        }
        if guard != before {
            let forwarding = Forwarding { host, v4: guard.v4, v6: guard.v6 };
            file::replace_json(self.root.directory(), layout::FORWARDING, &forwarding, Durability::Lazy)?;
        }
        Ok(guard)
    }
}

/// The bridge's own: without one, it would change with the ports.
fn hardware_address(record: &NetworkRecord) -> [u8; 6] {
    let digest = Digest::sha256(record.id.as_str().as_bytes());
    let mut address = [0x02, 0x42, 0, 0, 0, 0];
    for (index, byte) in address.iter_mut().enumerate().skip(2) {
        *byte = u8::from_str_radix(&digest.hex()[2 * index..2 * index + 2], 16).unwrap_or_default();
    }
    address
}

/// The rules that a network needs.
pub(super) fn rules(record: &NetworkRecord) -> NetworkRules {
    NetworkRules {
        bridge: record.bridge_name(),
        subnets: record.pools.iter().map(|pool| pool.subnet).collect(),
        gateways: record
            .pools
            .iter()
            .filter_map(|pool| pool.gateway)
            .chain([link::link_local(hardware_address(record)).into()])
            .collect(),
        internal: record.internal,
        masquerade: record.is_enabled(option::MASQUERADE),
        inter_container: record.inter_container(),
        router_guard: RouterGuard::default(),
    }
}

/// What the options say, else what the host's way out carries.
fn mtu(record: &NetworkRecord) -> Result<u32> {
    if let Some(mtu) = record.options.get(option::MTU).and_then(|text| text.parse().ok()) {
        return Ok(mtu);
    }
    Ok(link::uplink()?.map_or(DEFAULT_MTU, |uplink| uplink.mtu))
}
