//! Lets our tables know an endpoint, and forget it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::Result;

use super::bring_up::version;
use super::change::{Entry, is_there};
use super::nftables::Batch;
use super::ruleset::{ADDRESSES, ANYWHERE, OWN, PORTS, PUBLISHED, Place, RANGES};
use super::set::{Element, Value, every};
use super::{EndpointRules, Firewall};
use crate::port::PublishedPort;

impl Firewall {
    /// Lets the endpoint claim its addresses, and its published ports lead to it. What a dead owner left at the same place is replaced; the caller
    /// holds the addresses and the ports, so that no living owner has them.
    ///
    /// # Errors
    /// When the kernel refuses, as it does when the network is not brought up.
    pub fn attach(&self, endpoint: &EndpointRules) -> Result<()> {
        let entries = entries(endpoint);
        let mut batch = Batch::default();
        self.add_all(&mut batch, &entries);
        let action = format!("let the packet filter know {}", endpoint.interface);
        let outcome = self.with_socket(|socket| batch.commit(socket, None))?;
        if is_there(&outcome) {
            return self.settle(&action, |socket, batch| self.replace(socket, batch, &entries));
        }
        outcome.into_result(&action)
    }

    /// Removes what [`Firewall::attach`] made, as far as it is still there and still this owner's.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn detach(&self, endpoint: &EndpointRules) -> Result<()> {
        let entries = entries(endpoint);
        let action = format!("let the packet filter forget {}", endpoint.interface);
        self.settle(&action, |socket, batch| self.withdraw(socket, batch, &entries))
    }
}

fn entries(endpoint: &EndpointRules) -> Vec<Entry> {
    let own = |set, key| Entry::key(Place::Bridge, set, key).of(&endpoint.owner);
    let mut entries = vec![own(PORTS, Value::interface(&endpoint.interface))];
    let link_local = endpoint.link_local.map(IpAddr::from);
    for address in endpoint.addresses.iter().copied().chain(link_local) {
        let version = version(address);
        entries.push(own(ADDRESSES[version], Value::address(address)));
        entries.push(own(OWN[version], Value::interface(&endpoint.interface).and_address(address)));
    }
    let mut published = BTreeMap::new();
    for target in [
        endpoint.addresses.iter().find(|address| address.is_ipv4()),
        endpoint.addresses.iter().find(|address| address.is_ipv6()),
    ] {
        let Some(target) = target else { continue };
        for port in &endpoint.published {
            for entry in destinations(port, *target) {
                // Of a port that is published twice, the kernel would refuse the second.
                published.insert((entry.set.name, entry.element.key.clone()), entry.of(&endpoint.owner));
            }
        }
    }
    entries.extend(published.into_values());
    entries
}

/// The elements by which `port` leads to `target`; none when its address is of the other family.
fn destinations(port: &PublishedPort, target: IpAddr) -> Vec<Entry> {
    let version = version(target);
    let address = port.host_address.filter(|address| !address.is_unspecified());
    if port.host_address.is_some_and(|address| address.is_ipv4() != target.is_ipv4()) {
        return Vec::new();
    }
    let (first, last) = (*port.host_ports.start(), *port.host_ports.end());
    if first == port.container_port && last > first {
        let [low, high] = address.map_or(every(target), |address| [address, address]);
        let key = |address, port_number| Value::address(address).and_transport(port.protocol).and_port(port_number);
        let element = Element {
            key: key(low, first),
            end: Some(key(high, last)),
            data: Some(Value::address(target)),
            owner: None,
        };
        return vec![Entry { place: Place::Main, set: RANGES[version], element }];
    }
    let pairs = port.host_ports.clone().zip(port.container_ports());
    pairs
        .map(|(from, to)| {
            let (set, key) = match address {
                None => (ANYWHERE[version], Value::transport(port.protocol)),
                Some(address) => (PUBLISHED[version], Value::address(address).and_transport(port.protocol)),
            };
            let data = Some(Value::address(target).and_port(to));
            let element = Element { key: key.and_port(from), data, ..Element::default() };
            Entry { place: Place::Main, set, element }
        })
        .collect()
}
