//! Makes our tables, and lets them know a network.

use std::net::IpAddr;

use base::Result;

use super::change::Entry;
use super::nftables::{self, Batch, IPV4, IPV6};
use super::ruleset::{ADDRESSES, BRIDGES, GUARDED, INTERNAL, MASQUERADE, PLACES, Place, ROUTED, SAME, SUBNETS};
use super::set::{Element, Value, ends};
use super::{Firewall, NetworkRules};
use crate::netlink::Socket;

impl Firewall {
    /// Makes our tables where they are missing or torn, and gives them the network. Repeated, it changes nothing.
    ///
    /// # Errors
    /// `Unsupported` when the kernel lacks a part of nf_tables; when it refuses.
    pub fn bring_up(&self, network: &NetworkRules) -> Result<()> {
        let (wanted, unwanted) = entries(network);
        self.settle(&format!("let the packet filter know {}", network.bridge), |socket, batch| {
            if !self.whole(socket)? {
                self.lay(batch);
            }
            self.withdraw(socket, batch, &unwanted)?;
            self.replace(socket, batch, &wanted)
        })
    }

    /// All tables, sets and chains where they are missing; rules anew, so that no set loses an element.
    fn lay(&self, batch: &mut Batch) {
        for place in PLACES {
            let table = place.table(&self.tag);
            batch.table(&table);
            for set in place.sets() {
                batch.set(&table, &set);
            }
            batch.flush(&table);
            for chain in place.chains() {
                batch.chain(&table, &chain);
            }
        }
    }

    pub(super) fn whole(&self, socket: &mut Socket) -> Result<bool> {
        let (mut chains, mut wanted) = (Vec::new(), Vec::new());
        for place in PLACES {
            for chain in place.chains() {
                chains.push((place.table(&self.tag), chain.name));
                wanted.push(u32::try_from(chain.rules.len()).ok());
            }
        }
        Ok(nftables::rules_in(socket, &chains)? == wanted)
    }
}

pub(super) fn version(address: IpAddr) -> usize {
    usize::from(address.is_ipv6())
}

/// The elements that a network has, and those that it could have and has not.
pub(super) fn entries(network: &NetworkRules) -> (Vec<Entry>, Vec<Entry>) {
    let name = || Value::interface(&network.bridge);
    let mut wanted = vec![Entry::key(Place::Main, BRIDGES, name()), Entry::key(Place::Router, ROUTED, name())];
    let mut unwanted = Vec::new();
    let mut choose = |chosen: bool, entry: Entry| if chosen { wanted.push(entry) } else { unwanted.push(entry) };
    choose(network.internal, Entry::key(Place::Main, INTERNAL, name()));
    choose(network.inter_container, Entry::key(Place::Main, SAME, name().and_interface(&network.bridge)));
    for subnet in &network.subnets {
        let [first, last] = ends(*subnet);
        let version = version(first);
        let range = |set, key, end| Entry {
            place: Place::Main,
            set,
            element: Element { key, end: Some(end), ..Element::default() },
        };
        choose(true, range(SUBNETS[version], name().and_address(first), name().and_address(last)));
        let masqueraded = |address| Value::family(address).and_address(address);
        choose(
            network.masquerade && !network.internal,
            range(MASQUERADE[version], masqueraded(first), masqueraded(last)),
        );
    }
    for gateway in &network.gateways {
        choose(true, Entry::key(Place::Bridge, ADDRESSES[version(*gateway)], Value::address(*gateway)));
    }
    for (guarded, family) in [(network.router_guard.v4, IPV4), (network.router_guard.v6, IPV6)] {
        if guarded {
            wanted.push(Entry::key(Place::Router, GUARDED, Value(vec![family])));
        }
    }
    (wanted, unwanted)
}
