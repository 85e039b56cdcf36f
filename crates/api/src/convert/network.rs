//! Networks, and what a container has in one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Error, Result};
use engine::containers::EndpointRequest;
use engine::networks::{
    self, IpVersion, NetworkDetails, NetworkEndpoint, NetworkRecord, NetworkRequest, Pool, Port, SubnetRequest,
};

use super::create::unsupported;
use crate::types::{
    EndpointResource, EndpointSettings, Ipam, IpamConfig, IpamEndpoint, Network, NetworkCreate, PortBinding,
    PortSummary,
};

/// The engine's request.
///
/// # Errors
/// `Unsupported` for what this engine has not, by name.
pub(crate) fn request(body: NetworkCreate) -> Result<NetworkRequest> {
    let ipam = body.ipam.unwrap_or_default();
    for (field, is_given) in [
        ("Scope", !matches!(body.scope.as_str(), "" | "local")),
        ("Ingress", body.ingress),
        ("ConfigOnly", body.config_only),
        ("ConfigFrom", body.config_from.is_some_and(|from| !from.network.is_empty())),
        ("IPAM.Driver", !matches!(ipam.driver.as_str(), "" | "default")),
        ("IPAM.Options", ipam.options.is_some_and(|options| !options.is_empty())),
    ] {
        if is_given {
            return Err(unsupported(field));
        }
    }
    Ok(NetworkRequest {
        name: body.name,
        driver: body.driver,
        subnets: ipam.config.into_iter().map(subnet).collect(),
        internal: body.internal,
        attachable: body.attachable,
        ipv4: body.enable_ipv4,
        ipv6: body.enable_ipv6,
        labels: body.labels,
        options: body.options,
    })
}

fn subnet(config: IpamConfig) -> SubnetRequest {
    SubnetRequest {
        subnet: config.subnet,
        ip_range: config.ip_range,
        gateway: config.gateway,
        auxiliary_addresses: config.auxiliary_addresses,
    }
}

pub(crate) fn network(record: NetworkRecord) -> Network {
    Network {
        id: record.id.to_string(),
        created: record.created.rfc3339_nano(),
        scope: "local".to_owned(),
        driver: record.driver.name().to_owned(),
        // It gets its addresses with its first container.
        enable_ipv4: record.pool(IpVersion::V4).is_some() || record.is_default_bridge(),
        enable_ipv6: record.pool(IpVersion::V6).is_some(),
        ipam: Ipam {
            driver: "default".to_owned(),
            options: None,
            config: record.pools.into_iter().map(pool).collect(),
        },
        internal: record.internal,
        attachable: record.attachable,
        options: record.options,
        labels: record.labels,
        name: record.name,
        ..Network::default()
    }
}

fn pool(pool: Pool) -> IpamConfig {
    let reserved = pool.reserved.into_iter();
    IpamConfig {
        subnet: pool.subnet.to_string(),
        ip_range: pool.range.map(|range| range.to_string()).unwrap_or_default(),
        gateway: text(pool.gateway),
        auxiliary_addresses: reserved.map(|(name, address)| (name, address.to_string())).collect(),
    }
}

pub(crate) fn details(details: NetworkDetails) -> Network {
    let members = details.members.into_iter();
    let containers = members.map(|(id, member)| {
        let resource = EndpointResource {
            name: member.name,
            endpoint_id: member.endpoint,
            mac_address: networks::hardware_address(member.hardware_address),
            ipv4_address: member.ipv4.map(|net| net.to_string()).unwrap_or_default(),
            ipv6_address: member.ipv6.map(|net| net.to_string()).unwrap_or_default(),
        };
        (id.to_string(), resource)
    });
    Network { containers: containers.collect(), ..network(details.record) }
}

/// What a client asks of a network for a container; `field` is where it stands in the request.
///
/// # Errors
/// `Invalid` for what is no address, `Unsupported` for what this engine has not, by name.
pub(crate) fn endpoint_request(field: &str, settings: EndpointSettings) -> Result<EndpointRequest> {
    let ipam = settings.ipam_config.unwrap_or_default();
    for (member, is_given) in [
        ("DriverOpts", settings.driver_opts.is_some_and(|options| !options.is_empty())),
        ("IPAMConfig.LinkLocalIPs", !ipam.link_local_ips.is_empty()),
    ] {
        if is_given {
            return Err(unsupported(&format!("{field}.{member}")));
        }
    }
    Ok(EndpointRequest {
        aliases: settings.aliases.unwrap_or_default(),
        links: settings.links.unwrap_or_default(),
        ipv4: address("IPv4", &ipam.ipv4_address)?,
        ipv6: address("IPv6", &ipam.ipv6_address)?,
        hardware_address: Some(settings.mac_address).filter(|address| !address.is_empty()),
        gateway_priority: settings.gw_priority,
    })
}

fn address<T: std::str::FromStr>(family: &str, text: &str) -> Result<Option<T>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Error::invalid(format!("invalid {family} address: {text}")))
}

/// What a container has in a network.
pub(crate) fn endpoint(own: NetworkEndpoint) -> EndpointSettings {
    let request = own.request;
    let ipam = IpamEndpoint {
        ipv4_address: request.ipv4.map(|address| address.to_string()).unwrap_or_default(),
        ipv6_address: request.ipv6.map(|address| address.to_string()).unwrap_or_default(),
        link_local_ips: Vec::new(),
    };
    let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
    EndpointSettings {
        ipam_config: (ipam != IpamEndpoint::default()).then_some(ipam),
        links: some(request.links),
        aliases: some(request.aliases),
        mac_address: match own.hardware_address {
            none if none.is_empty() => request.hardware_address.unwrap_or_default(),
            address => address,
        },
        driver_opts: None,
        gw_priority: request.gateway_priority,
        network_id: own.network_id,
        endpoint_id: own.endpoint_id,
        gateway: text(own.ipv4_gateway),
        ip_address: text(own.ipv4.map(|net| net.addr())),
        ip_prefix_len: own.ipv4.map_or(0, |net| net.prefix_len()),
        ipv6_gateway: text(own.ipv6_gateway),
        global_ipv6_address: text(own.ipv6.map(|net| net.addr())),
        global_ipv6_prefix_len: own.ipv6.map_or(0, |net| net.prefix_len()),
        dns_names: some(own.names),
    }
}

fn text(address: Option<IpAddr>) -> String {
    address.map(|address| address.to_string()).unwrap_or_default()
}

/// `80/tcp` → where on the host it is reached; null for what is only exposed.
pub(crate) fn bindings(ports: Vec<Port>) -> BTreeMap<String, Option<Vec<PortBinding>>> {
    let mut bindings: BTreeMap<String, Option<Vec<PortBinding>>> = BTreeMap::new();
    for port in ports {
        let places = bindings.entry(format!("{}/{}", port.number, port.protocol)).or_default();
        if let Some(host) = port.host {
            let binding = PortBinding { host_ip: host.ip().to_string(), host_port: host.port().to_string() };
            places.get_or_insert_default().push(binding);
        }
    }
    bindings
}

/// A port in a list.
pub(crate) fn port(port: Port) -> PortSummary {
    PortSummary {
        ip: text(port.host.map(|host| host.ip())),
        private_port: port.number,
        public_port: port.host.map(|host| host.port()),
        kind: port.protocol.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_becomes_the_engines() {
        let body = json!({
            "Name": "front", "CheckDuplicate": true, "Driver": "bridge", "EnableIPv6": true, "Internal": true, "Options": null,
            "IPAM": {"Driver": "default", "Options": {}, "Config": [
                {"Subnet": "10.9.0.0/24", "IPRange": "10.9.0.128/25", "Gateway": "10.9.0.1", "AuxiliaryAddresses": {"router": "10.9.0.2"}}
            ]},
            "Labels": {"a": "b"}
        });
        let request = request(serde_json::from_value(body).unwrap()).unwrap();
        assert_eq!(
            (request.name.as_str(), request.ipv4, request.ipv6, request.internal),
            ("front", None, Some(true), true)
        );
        assert_eq!(request.labels["a"], "b");
        let subnet = &request.subnets[0];
        assert_eq!((subnet.subnet.as_str(), subnet.ip_range.as_str()), ("10.9.0.0/24", "10.9.0.128/25"));
        assert_eq!((subnet.gateway.as_str(), subnet.auxiliary_addresses["router"].as_str()), ("10.9.0.1", "10.9.0.2"));
    }

    #[test]
    fn what_is_not_done_is_refused_by_name() {
        for (body, word) in [
            (json!({"Scope": "swarm"}), "Scope"),
            (json!({"Ingress": true}), "Ingress"),
            (json!({"ConfigOnly": true}), "ConfigOnly"),
            (json!({"ConfigFrom": {"Network": "x"}}), "ConfigFrom"),
            (json!({"IPAM": {"Driver": "dhcp"}}), "IPAM.Driver"),
            (json!({"IPAM": {"Options": {"a": "b"}}}), "IPAM.Options"),
        ] {
            let error = request(serde_json::from_value(body).unwrap()).unwrap_err();
            assert_eq!((error.http_status(), error.to_string()), (501, format!("not supported: {word}")));
        }
        for (settings, status, word) in [
            (json!({"DriverOpts": {"a": "b"}}), 501, "EndpointConfig.DriverOpts"),
            (json!({"IPAMConfig": {"LinkLocalIPs": ["169.254.1.1"]}}), 501, "EndpointConfig.IPAMConfig.LinkLocalIPs"),
            (json!({"IPAMConfig": {"IPv4Address": "10.9.0"}}), 400, "invalid IPv4 address: 10.9.0"),
            (json!({"IPAMConfig": {"IPv6Address": "10.9.0.1"}}), 400, "invalid IPv6 address: 10.9.0.1"),
        ] {
            let error = endpoint_request("EndpointConfig", serde_json::from_value(settings).unwrap()).unwrap_err();
            assert_eq!(error.http_status(), status, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn what_was_asked_of_a_network_is_shown() {
        let asked = EndpointSettings {
            ipam_config: Some(IpamEndpoint {
                ipv4_address: "10.9.0.9".to_owned(),
                ipv6_address: "fd00::9".to_owned(),
                ..IpamEndpoint::default()
            }),
            links: Some(vec!["db:store".to_owned()]),
            aliases: Some(vec!["www".to_owned()]),
            mac_address: "02:42:ac:11:00:02".to_owned(),
            gw_priority: 7,
            ..EndpointSettings::default()
        };
        let request = endpoint_request("", asked.clone()).unwrap();
        assert_eq!(endpoint(NetworkEndpoint { request, ..NetworkEndpoint::default() }), asked);
        assert_eq!(endpoint(NetworkEndpoint::default()), EndpointSettings::default());
    }

    #[test]
    fn what_a_container_has_is_dockers_json() {
        let own = NetworkEndpoint {
            network_id: "n".to_owned(),
            endpoint_id: "e".to_owned(),
            hardware_address: "02:42:0a:09:00:02".to_owned(),
            ipv4: Some("10.9.0.2/24".parse().unwrap()),
            ipv6: Some("fd00::2/64".parse().unwrap()),
            ipv4_gateway: Some("10.9.0.1".parse().unwrap()),
            ipv6_gateway: Some("fd00::1".parse().unwrap()),
            names: vec!["web".to_owned()],
            ..NetworkEndpoint::default()
        };
        let expected = json!({
            "IPAMConfig": null, "Links": null, "Aliases": null, "MacAddress": "02:42:0a:09:00:02", "DriverOpts": null, "GwPriority": 0,
            "NetworkID": "n", "EndpointID": "e", "Gateway": "10.9.0.1", "IPAddress": "10.9.0.2", "IPPrefixLen": 24,
            "IPv6Gateway": "fd00::1", "GlobalIPv6Address": "fd00::2", "GlobalIPv6PrefixLen": 64, "DNSNames": ["web"]
        });
        assert_eq!(serde_json::to_value(endpoint(own)).unwrap(), expected);
    }
}
