//! Networks, and what a container has in one.

use std::collections::BTreeMap;

use super::{Map, wire};

wire! {
    /// One network.
    pub struct Network {
        /// Its name.
        pub name: String,
        /// Its id.
        pub id: String,
        /// RFC 3339.
        pub created: String,
        /// `local`.
        pub scope: String,
        /// `bridge`, `host`, `macvlan` or `null`.
        pub driver: String,
        /// Whether containers get addresses of IPv4.
        #[serde(rename = "EnableIPv4")]
        pub enable_ipv4: bool,
        /// Whether containers get addresses of IPv6.
        #[serde(rename = "EnableIPv6")]
        pub enable_ipv6: bool,
        /// Its addresses.
        #[serde(rename = "IPAM")]
        pub ipam: Ipam,
        /// Whether nothing outside is reached.
        pub internal: bool,
        /// Only of swarms.
        pub attachable: bool,
        /// Only of swarms.
        pub ingress: bool,
        /// Always empty.
        pub config_from: ConfigReference,
        /// Always false.
        pub config_only: bool,
        /// By id, those that run; always empty in a list.
        pub containers: BTreeMap<String, EndpointResource>,
        /// Options of the driver.
        pub options: Map,
        /// Labels.
        pub labels: Map,
    }

    /// Where a network takes its addresses from.
    pub struct Ipam {
        /// `default`.
        pub driver: String,
        /// Options of the driver.
        pub options: Option<Map>,
        /// One for each subnet.
        pub config: Vec<IpamConfig>,
    }

    /// A subnet of a network.
    pub struct IpamConfig {
        /// Address and length of the prefix.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub subnet: String,
        /// The part that containers get addresses from.
        #[serde(rename = "IPRange", skip_serializing_if = "String::is_empty")]
        pub ip_range: String,
        /// The host's address.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub gateway: String,
        /// Name → an address that no container gets.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub auxiliary_addresses: Map,
    }

    /// A network that another one is configured by.
    pub struct ConfigReference {
        /// Its name.
        pub network: String,
    }

    /// A container on a network.
    pub struct EndpointResource {
        /// The container's name.
        pub name: String,
        /// The endpoint.
        #[serde(rename = "EndpointID")]
        pub endpoint_id: String,
        /// Hardware address.
        pub mac_address: String,
        /// With the length of the prefix.
        #[serde(rename = "IPv4Address")]
        pub ipv4_address: String,
        /// With the length of the prefix.
        #[serde(rename = "IPv6Address")]
        pub ipv6_address: String,
    }

    /// A network that is wanted.
    pub struct NetworkCreate {
        /// Its name.
        pub name: String,
        /// Empty: `bridge`.
        pub driver: String,
        /// Empty or `local`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub scope: String,
        /// Absent: yes.
        #[serde(rename = "EnableIPv4", skip_serializing_if = "Option::is_none")]
        pub enable_ipv4: Option<bool>,
        /// Absent: as the engine has it.
        #[serde(rename = "EnableIPv6", skip_serializing_if = "Option::is_none")]
        pub enable_ipv6: Option<bool>,
        /// Its addresses; absent: chosen.
        #[serde(rename = "IPAM", skip_serializing_if = "Option::is_none")]
        pub ipam: Option<Ipam>,
        /// Whether nothing outside is to be reached.
        pub internal: bool,
        /// Only of swarms.
        pub attachable: bool,
        /// Only of swarms.
        pub ingress: bool,
        /// Whether it only configures others.
        pub config_only: bool,
        /// By which it is configured.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub config_from: Option<ConfigReference>,
        /// Options of the driver.
        pub options: Map,
        /// Labels.
        pub labels: Map,
    }

    /// What a create of a network answers.
    pub struct NetworkCreated {
        /// Of the new network.
        pub id: String,
        /// What was left out.
        pub warning: String,
    }

    /// A container that a network is to have.
    pub struct NetworkConnect {
        /// Id or name.
        pub container: String,
        /// What is asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub endpoint_config: Option<EndpointSettings>,
    }

    /// A container that a network is not to have any more.
    pub struct NetworkDisconnect {
        /// Id or name.
        pub container: String,
        /// Whether one that is gone is no error.
        pub force: bool,
    }

    /// What a prune of networks answers.
    pub struct NetworkPrune {
        /// Names.
        pub networks_deleted: Vec<String>,
    }

    /// What a container has in a network.
    pub struct EndpointSettings {
        /// Addresses that were asked for.
        #[serde(rename = "IPAMConfig")]
        pub ipam_config: Option<IpamEndpoint>,
        /// Containers that it is linked to.
        pub links: Option<Vec<String>>,
        /// Further names.
        pub aliases: Option<Vec<String>>,
        /// Hardware address.
        pub mac_address: String,
        /// Options of the driver.
        pub driver_opts: Option<Map>,
        /// Which endpoint gives the default route.
        pub gw_priority: i64,
        /// The network.
        #[serde(rename = "NetworkID")]
        pub network_id: String,
        /// The endpoint.
        #[serde(rename = "EndpointID")]
        pub endpoint_id: String,
        /// IPv4.
        pub gateway: String,
        /// IPv4.
        #[serde(rename = "IPAddress")]
        pub ip_address: String,
        /// IPv4.
        #[serde(rename = "IPPrefixLen")]
        pub ip_prefix_len: u8,
        /// IPv6.
        #[serde(rename = "IPv6Gateway")]
        pub ipv6_gateway: String,
        /// IPv6.
        #[serde(rename = "GlobalIPv6Address")]
        pub global_ipv6_address: String,
        /// IPv6.
        #[serde(rename = "GlobalIPv6PrefixLen")]
        pub global_ipv6_prefix_len: u8,
        /// All names that resolve to it.
        #[serde(rename = "DNSNames")]
        pub dns_names: Option<Vec<String>>,
    }

    /// Addresses that were asked for.
    pub struct IpamEndpoint {
        /// IPv4.
        #[serde(rename = "IPv4Address", skip_serializing_if = "String::is_empty")]
        pub ipv4_address: String,
        /// IPv6.
        #[serde(rename = "IPv6Address", skip_serializing_if = "String::is_empty")]
        pub ipv6_address: String,
        /// Link-local ones.
        #[serde(rename = "LinkLocalIPs", skip_serializing_if = "Vec::is_empty")]
        pub link_local_ips: Vec<String>,
    }
}
