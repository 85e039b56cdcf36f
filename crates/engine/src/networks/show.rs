//! What a container has in its networks, as `inspect` and `ps` show it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base::Result;
use base::id::Id;
use ipnet::IpNet;
use network::IpVersion;
use network::port::{Protocol, PublishedPort};

use super::record::BRIDGE;
use super::{Endpoint, NetworkRecord};
use crate::containers::record::{Container, Sandbox};
use crate::containers::{EndpointRequest, NetworkMode, Settings};
use crate::{Engine, plan};

/// What a container has in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkEndpoint {
    /// What was asked for.
    pub request: EndpointRequest,
    /// The network's id; empty where there is no such network any more.
    pub network_id: String,
    /// Docker's name for the pair of container and network; empty, as all below, where the container does not run.
    pub endpoint_id: String,
    /// As in `02:42:ac:11:00:02`.
    pub hardware_address: String,
    /// Its address, with the length of the network's prefix.
    pub ipv4: Option<IpNet>,
    /// The same.
    pub ipv6: Option<IpNet>,
    /// The network's way out.
    pub ipv4_gateway: Option<IpAddr>,
    /// The same.
    pub ipv6_gateway: Option<IpAddr>,
    /// All names that resolve to it.
    pub names: Vec<String>,
}

/// A port of a container, and one place where it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// In the container.
    pub number: u16,
    /// Of what.
    pub protocol: Protocol,
    /// On the host; `None`: the image or the user said that it has it, and it is not published.
    pub host: Option<SocketAddr>,
}

/// Networks that were read already, for a list of containers.
pub(crate) type Known = BTreeMap<Id, Option<NetworkRecord>>;

impl Engine {
    /// Name of the network → what the container has there.
    pub(crate) fn endpoints_of(
        &self,
        container: &Container,
        sandbox: &Sandbox,
        known: &mut Known,
    ) -> Result<BTreeMap<String, NetworkEndpoint>> {
        let settings = &container.record.settings;
        // Networks can be joined since the last start.
        if let mode @ (NetworkMode::Host | NetworkMode::None) = &settings.network {
            let name = mode.to_string();
            let network_id = self.root.predefined_network(&name)?.to_string();
            return Ok([(name, NetworkEndpoint { network_id, ..NetworkEndpoint::default() })].into());
        }
        let mut shown = BTreeMap::new();
        for (name, request) in Self::wanted_networks(settings) {
            let mut endpoint = match sandbox.endpoints.iter().find(|endpoint| endpoint.network_name == name) {
                Some(endpoint) => self.running(endpoint, known)?,
                None => NetworkEndpoint { network_id: self.id_of_network(&name)?, ..NetworkEndpoint::default() },
            };
            endpoint.request = request;
            shown.insert(name, endpoint);
        }
        Ok(shown)
    }

    fn running(&self, endpoint: &Endpoint, known: &mut Known) -> Result<NetworkEndpoint> {
        if !known.contains_key(&endpoint.network) {
            let network = self.root.network(&endpoint.network)?;
            known.insert(endpoint.network.clone(), network.map(|network| network.record));
        }
        let record = known.get(&endpoint.network).and_then(Option::as_ref);
        let gateway = |version| record.and_then(|record| record.way_out(version));
        Ok(NetworkEndpoint {
            request: EndpointRequest::default(),
            network_id: endpoint.network.to_string(),
            endpoint_id: endpoint.id.clone(),
            hardware_address: hardware_address(endpoint.attachment.hardware_address),
            ipv4: endpoint.address(IpVersion::V4),
            ipv6: endpoint.address(IpVersion::V6),
            ipv4_gateway: gateway(IpVersion::V4),
            ipv6_gateway: gateway(IpVersion::V6),
            names: endpoint.names.clone(),
        })
    }

    fn id_of_network(&self, name: &str) -> Result<String> {
        if name == BRIDGE {
            return Ok(self.root.predefined_network(name)?.to_string());
        }
        Ok(self.network_named(name)?.map(|id| id.to_string()).unwrap_or_default())
    }
}

/// The ports of a container that runs: where each is published, and those that are only exposed.
pub(crate) fn ports(settings: &Settings, endpoints: &[Endpoint]) -> Vec<Port> {
    if endpoints.is_empty() {
        return Vec::new();
    }
    let mut ports: Vec<Port> = endpoints
        .iter()
        .flat_map(|endpoint| {
            let versions = IpVersion::ALL.map(|version| endpoint.address(version).map(|_| version));
            endpoint.published.iter().flat_map(move |published| places(published, versions))
        })
        .collect();
    ports.sort_unstable();
    let is_published = |number: u16, protocol: Protocol| {
        let found = ports.binary_search_by_key(&(number, protocol), |port| (port.number, port.protocol));
        found.is_ok()
    };
    let said = settings.exposed_ports.iter().chain(settings.published_ports.keys());
    let said = said.filter_map(|text| plan::ports::parse(text).ok());
    let exposed = said.flat_map(|(range, protocol)| range.map(move |number| (number, protocol)));
    let exposed: Vec<Port> = exposed
        .filter(|(number, protocol)| !is_published(*number, *protocol))
        .map(|(number, protocol)| Port { number, protocol, host: None })
        .collect();
    ports.extend(exposed);
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// What is published on all addresses is reached by those of IPv6 only where the container has one.
fn places(published: &PublishedPort, versions: [Option<IpVersion>; 2]) -> impl Iterator<Item = Port> + use<> {
    let addresses = match published.host_address {
        Some(address) => vec![address],
        None => versions.into_iter().flatten().map(unspecified).collect(),
    };
    let protocol = published.protocol;
    let pairs: Vec<(u16, u16)> = published.container_ports().zip(published.host_ports.clone()).collect();
    pairs.into_iter().flat_map(move |(number, host)| {
        let places: Vec<Port> = addresses
            .iter()
            .map(|address| Port { number, protocol, host: Some(SocketAddr::new(*address, host)) })
            .collect();
        places
    })
}

fn unspecified(version: IpVersion) -> IpAddr {
    match version {
        IpVersion::V4 => Ipv4Addr::UNSPECIFIED.into(),
        IpVersion::V6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// `02:42:ac:11:00:02`.
#[must_use]
pub fn hardware_address(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::link::{Attachment, Gateways, Kind};

    fn endpoint(addresses: &[&str], published: Vec<PublishedPort>) -> Endpoint {
        Endpoint {
            id: "e".to_owned(),
            network: Id::random().unwrap(),
            network_name: "front".to_owned(),
            attachment: Attachment {
                kind: Kind::Bridge { bridge: "b".to_owned(), port: "p".to_owned(), isolated: false },
                interface: "eth0".to_owned(),
                hardware_address: [2, 0x42, 0xac, 0x11, 0, 2],
                mtu: 0,
                addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
                gateways: Gateways::default(),
            },
            names: Vec::new(),
            published,
        }
    }

    fn published(
        address: Option<&str>,
        host_ports: std::ops::RangeInclusive<u16>,
        container_port: u16,
    ) -> PublishedPort {
        PublishedPort {
            host_address: address.map(|address| address.parse().unwrap()),
            protocol: Protocol::Tcp,
            host_ports,
            container_port,
        }
    }

    fn shown(settings: &Settings, endpoints: &[Endpoint]) -> Vec<String> {
        let show = |port: Port| match port.host {
            Some(host) => format!("{host}->{}/{}", port.number, port.protocol),
            None => format!("{}/{}", port.number, port.protocol),
        };
        ports(settings, endpoints).into_iter().map(show).collect()
    }

    #[test]
    fn every_place_of_every_port() {
        let settings = Settings {
            exposed_ports: ["443/tcp", "80/tcp", "80/udp", "90-91/tcp"].map(str::to_owned).into(),
            published_ports: [("80/tcp".to_owned(), Vec::new())].into(),
            ..Settings::default()
        };
        let both = endpoint(&["10.0.0.2/24", "fd00::2/64"], vec![published(None, 8080..=8080, 80)]);
        let expected = ["0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp", "80/udp", "90/tcp", "91/tcp", "443/tcp"];
        assert_eq!(shown(&settings, &[both]), expected);
        let one = endpoint(&["10.0.0.2/24"], vec![published(None, 8080..=8081, 90)]);
        let expected = ["80/tcp", "80/udp", "0.0.0.0:8080->90/tcp", "0.0.0.0:8081->91/tcp", "443/tcp"];
        assert_eq!(shown(&settings, &[one]), expected);
        let own = endpoint(&["10.0.0.2/24"], vec![published(Some("127.0.0.1"), 1..=1, 443)]);
        assert!(shown(&settings, &[own]).contains(&"127.0.0.1:1->443/tcp".to_owned()));
        assert!(shown(&settings, &[]).is_empty());
    }

    #[test]
    fn hardware_addresses() {
        assert_eq!(hardware_address([2, 0x42, 0xac, 0x11, 0, 2]), "02:42:ac:11:00:02");
    }
}
