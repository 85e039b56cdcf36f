//! A container's place in its networks: decided and taken before it is made, connected before its process runs, taken back when it has ended.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use base::digest::Digest;
use base::file::{self, Durability};
use base::id::Id;
use base::{Context, Error, Result, crash_point};
use ipnet::IpNet;
use network::IpVersion;
use network::firewall::{EndpointRules, Firewall};
use network::lease::PortRequest;
use network::link::{self, Attachment, Gateways, Kind, MacvlanMode};
use network::port::PublishedPort;
use serde::{Deserialize, Serialize};
use supervisor::client::{GivenRules, ServedNetwork, Starting};
use supervisor::protocol::RulesPlan;
use supervisor::state::State;

use super::record::{Driver, Network, option};
use crate::containers::record::{Container, Locked, Sandbox};
use crate::containers::{EndpointRequest, NetworkMode, Settings};
use crate::{Engine, layout, names, plan};

/// What a container has in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// Docker's name for the pair of container and network.
    pub(crate) id: String,
    pub(crate) network: Id,
    /// The network's name when the container was connected.
    pub(crate) network_name: String,
    pub(crate) attachment: Attachment,
    /// What it is called there.
    #[serde(default)]
    pub(crate) names: Vec<String>,
    /// Ports of the host that lead to it.
    #[serde(default)]
    pub(crate) published: Vec<PublishedPort>,
}

impl Endpoint {
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.attachment.addresses.iter().map(IpNet::addr)
    }

    pub(crate) fn address(&self, version: IpVersion) -> Option<IpNet> {
        self.attachment.addresses.iter().copied().find(|net| IpVersion::of(net.addr()) == version)
    }

    /// Whether the container's default route is here, and rules are in its way.
    pub(super) fn leads_out(&self) -> bool {
        let gateways = self.attachment.gateways;
        self.has_rules() && (gateways.v4.is_some() || gateways.v6.is_some())
    }

    fn has_rules(&self) -> bool {
        matches!(self.attachment.kind, Kind::Bridge { .. })
    }

    fn rules(&self, owner: &Id) -> EndpointRules {
        let interface = match &self.attachment.kind {
            Kind::Bridge { port, .. } => port.clone(),
            Kind::Macvlan { .. } => String::new(),
        };
        EndpointRules {
            owner: owner.to_string(),
            interface,
            addresses: self.addresses().collect(),
            link_local: Some(link::link_local(self.attachment.hardware_address)),
            published: self.published.clone(),
        }
    }
}

impl Engine {
    /// The networks that `settings` name, with what is asked of each; the first has the container's first interface.
    pub(crate) fn wanted_networks(settings: &Settings) -> Vec<(String, EndpointRequest)> {
        let first = match &settings.network {
            NetworkMode::Default => super::record::BRIDGE.to_owned(),
            NetworkMode::Named(name) => name.clone(),
            NetworkMode::None | NetworkMode::Host | NetworkMode::Container(_) => return Vec::new(),
        };
        let mut wanted = Vec::new();
        let asked = settings.networks.get(&first).or_else(|| settings.networks.get("default"));
        wanted.push((first.clone(), asked.cloned().unwrap_or_default()));
        let others = settings.networks.iter().filter(|(name, _)| **name != first && *name != "default");
        wanted.extend(others.map(|(name, request)| (name.clone(), request.clone())));
        wanted
    }

    /// Decides how `container` is connected, takes its addresses, and notes both in its directory. What is taken when this fails is taken back by whoever tears it down.
    ///
    /// # Errors
    /// `NotFound` for a network that is not there; as [`Engine::take_addresses`].
    pub(crate) fn plan_endpoints(&self, container: &Locked, sandbox: &mut Sandbox) -> Result<()> {
        let mut priorities = BTreeMap::new();
        for (name, request) in Self::wanted_networks(&container.record.settings) {
            let interface = format!("eth{}", sandbox.endpoints.len());
            let network = self.open_network(&name)?;
            let endpoint = self.plan_endpoint(&network, container, (&request, interface), sandbox)?;
            priorities.insert(endpoint.network.clone(), request.gateway_priority);
            sandbox.endpoints.push(endpoint);
        }
        choose_gateways(&mut sandbox.endpoints, &priorities);
        Ok(())
    }

    /// The network that `name` means, made where it is the default bridge.
    ///
    /// # Errors
    /// `NotFound` in Docker's words.
    pub(super) fn open_network(&self, name: &str) -> Result<Network> {
        if name == super::record::BRIDGE {
            return self.default_bridge();
        }
        let record = self.find_network(name)?;
        if matches!(record.driver, Driver::Host | Driver::None) {
            return Err(Error::invalid(format!(
                "cannot connect a container to network {name} beside others: use --network {name} alone"
            )));
        }
        if record.is_default_bridge() {
            return self.default_bridge();
        }
        self.root.network(&record.id)?.ok_or_else(|| super::record::no_such(name))
    }

    /// One more endpoint beside those of `sandbox`; noted in the container's directory, and its addresses taken.
    ///
    /// # Errors
    /// As [`Engine::plan_endpoints`].
    pub(super) fn plan_endpoint(
        &self,
        network: &Network,
        container: &Container,
        (request, interface): (&EndpointRequest, String),
        sandbox: &Sandbox,
    ) -> Result<Endpoint> {
        check_request(&network.record, request)?;
        let wanted: Vec<IpAddr> =
            request.ipv4.map(IpAddr::V4).into_iter().chain(request.ipv6.map(IpAddr::V6)).collect();
        let mut planned = None;
        self.take_addresses(network, &container.id, &wanted, |addresses| {
            let endpoint = shape(&network.record, container, (request, interface), addresses)?;
            let mut noted = sandbox.clone();
            noted.endpoints.push(endpoint.clone());
            planned = Some(endpoint);
            file::replace_json(container.directory(), layout::SANDBOX, &noted, Durability::Lazy)
        })?;
        planned.ok_or_else(|| Error::internal("an endpoint without addresses was planned"))
    }

    /// Connects a container that was created and does not run yet, and lets others reach it; what its supervisor is to take back of the rules.
    ///
    /// # Errors
    /// What the kernel refuses; `Conflict` for a port that somebody has.
    pub(crate) fn connect_starting(
        &self,
        container: &Locked,
        sandbox: &mut Sandbox,
        starting: &Starting,
    ) -> Result<Option<GivenRules>> {
        if sandbox.endpoints.is_empty() {
            return Ok(None);
        }
        let namespace = starting
            .network_namespace()
            .ok_or_else(|| Error::internal("the container has no network namespace of its own"))?
            .try_clone_to_owned()
            .context("keep the network namespace")?;
        let firewall = self.firewall();
        let networks: Vec<_> =
            sandbox.endpoints.iter().map(|endpoint| self.network_of(endpoint)).collect::<Result<_>>()?;
        for (endpoint, network) in sandbox.endpoints.iter().zip(&networks) {
            self.connect_endpoint(&firewall, network, endpoint, namespace.as_fd())?;
        }
        let plan = self.plan_names(container, sandbox, &networks)?;
        let listening = network::namespace::within(namespace.as_fd(), || {
            sandbox.endpoints.iter().try_for_each(|endpoint| link::configure(&endpoint.attachment))?;
            plan.as_ref().map(|_| super::names::listen()).transpose()
        })?;
        crash_point!("network.configured");
        let leading = sandbox.endpoints.iter().zip(&networks).find(|(endpoint, _)| endpoint.leads_out());
        let ports = leading.map_or_else(|| Ok(Vec::new()), |(_, network)| wanted_ports(container, network))?;
        let relay_to = leading.filter(|_| !ports.is_empty()).map(|(endpoint, _)| endpoint.addresses().collect());
        let names = plan.as_ref().zip(listening.as_ref()).map(|(plan, listening)| plan.told(listening));
        let has_rules = sandbox.endpoints.iter().any(Endpoint::has_rules);
        let published = if ports.is_empty() && names.is_none() && has_rules {
            // The release will tell the rest.
            Vec::new()
        } else {
            starting
                .serve_network(ServedNetwork { ports: ports.clone(), relay_to, names, rules: None })
                .map_err(|error| self.with_holder(error, &ports))?
        };
        if let Some(endpoint) = sandbox.endpoints.iter_mut().find(|endpoint| endpoint.leads_out())
            && !published.is_empty()
        {
            endpoint.published = published;
            file::replace_json(container.directory(), layout::SANDBOX, sandbox, Durability::Lazy)?;
        }
        crash_point!("network.ports-known");
        for (endpoint, network) in sandbox.endpoints.iter().zip(&networks) {
            self.open_endpoint(&firewall, network, container, endpoint)?;
        }
        let plan = self.plan_rules(&container.id, sandbox);
        Ok((!plan.endpoints.is_empty()).then(|| GivenRules { plan, socket: firewall.into_socket() }))
    }

    /// What the packet filter knows of the container.
    pub(super) fn plan_rules(&self, container: &Id, sandbox: &Sandbox) -> RulesPlan {
        let endpoints = sandbox.endpoints.iter().filter(|endpoint| endpoint.has_rules());
        RulesPlan {
            tag: self.root.short_id.clone(),
            endpoints: endpoints.map(|endpoint| endpoint.rules(container)).collect(),
        }
    }

    pub(super) fn network_of(&self, endpoint: &Endpoint) -> Result<Network> {
        self.root
            .network(&endpoint.network)?
            .ok_or_else(|| Error::not_found(format!("network {} was removed meanwhile", endpoint.network_name)))
    }

    /// Connects `namespace`, the container's, as its endpoint says. Names and rules follow by [`Engine::open_endpoint`].
    ///
    /// # Errors
    /// What the kernel refuses; what was made goes with the namespace.
    pub(super) fn connect_endpoint(
        &self,
        firewall: &Firewall,
        network: &Network,
        endpoint: &Endpoint,
        namespace: BorrowedFd<'_>,
    ) -> Result<()> {
        let connect = || {
            let bridge = self.ensure_network(firewall, network)?;
            crash_point!("network.ensured");
            link::attach(&endpoint.attachment, bridge, namespace)
        };
        connect().map_err(|error| error.context(format!("connect to network {}", endpoint.network_name)))
    }

    /// Lets others reach the container by its addresses, names and ports.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(super) fn open_endpoint(
        &self,
        firewall: &Firewall,
        network: &Network,
        container: &Container,
        endpoint: &Endpoint,
    ) -> Result<()> {
        if endpoint.has_rules() {
            attach_rules(firewall, &container.id, endpoint)?;
        }
        crash_point!("network.rules-attached");
        if endpoint.names.is_empty() {
            return Ok(());
        }
        let text: Vec<String> = endpoint.addresses().map(|address| address.to_string()).collect();
        for name in &endpoint.names {
            network.add_name(name, &container.id, &text.join(","))?;
        }
        for address in endpoint.addresses() {
            network.add_reverse(address, container.name())?;
        }
        crash_point!("network.named");
        Ok(())
    }

    /// Takes the container off a network: nobody reaches it by its names, ports or addresses when this returns, and they are free.
    ///
    /// Idempotent: an endpoint whose addresses are somebody else's by now is left alone. Without a `firewall`, its rules were withdrawn by its supervisor.
    ///
    /// # Errors
    /// What could not be taken back; the addresses are kept then.
    pub(super) fn detach_endpoint(
        &self,
        firewall: Option<&Firewall>,
        container: &Id,
        endpoint: &Endpoint,
        namespace: Option<BorrowedFd<'_>>,
    ) -> Result<()> {
        let Some(network) = self.root.network(&endpoint.network)? else { return Ok(()) };
        let mut is_ours = false;
        for address in endpoint.addresses() {
            is_ours |= network.owner_of(address)?.as_ref() == Some(container);
        }
        if !is_ours {
            return Ok(());
        }
        for name in &endpoint.names {
            network.remove_name(name, container)?;
        }
        crash_point!("network.unnamed-endpoint");
        let known = firewall.filter(|_| endpoint.has_rules()).map(|firewall| (firewall, endpoint.rules(container)));
        if let Some((firewall, rules)) = &known {
            firewall.detach(rules)?;
            crash_point!("network.rules-detached");
        }
        link::detach(&endpoint.attachment, namespace)?;
        if let Some((firewall, rules)) = &known {
            // What is still tracked would lead to whoever has the addresses next.
            firewall.forget_flows(rules)?;
        }
        crash_point!("network.link-down");
        release(&network, container, endpoint)
    }

    pub(super) fn release_endpoint(&self, container: &Id, endpoint: &Endpoint) -> Result<()> {
        let Some(network) = self.root.network(&endpoint.network)? else { return Ok(()) };
        release(&network, container, endpoint)
    }

    /// Takes a container that is down off all its networks.
    ///
    /// # Errors
    /// As [`Engine::detach_endpoint`].
    pub(crate) fn detach_all(&self, container: &Container) -> Result<()> {
        let endpoints = container.sandbox()?.endpoints;
        if endpoints.is_empty() {
            return Ok(());
        }
        // One that cannot be read tells nothing.
        let last = State::read(container.directory()).ok().flatten();
        let firewall = if last.is_some_and(|state| state.rules_withdrawn) { None } else { Some(self.firewall()) };
        endpoints.iter().try_for_each(|endpoint| self.detach_endpoint(firewall.as_ref(), &container.id, endpoint, None))
    }
}

/// Ports are published by the network that leads out; without one there is nobody to reach the container.
fn wanted_ports(container: &Container, network: &Network) -> Result<Vec<PortRequest>> {
    let binding = network.record.options.get(option::HOST_BINDING);
    let address = binding.and_then(|text| text.parse().ok()).filter(|address: &IpAddr| !address.is_unspecified());
    plan::ports::requests(&container.record.settings, address)
}

pub(super) fn attach_rules(firewall: &Firewall, container: &Id, endpoint: &Endpoint) -> Result<()> {
    let rules = endpoint.rules(container);
    firewall.attach(&rules)?;
    // Clients that sent before are led here from now on.
    firewall.forget_ports(&rules.published)
}

fn release(network: &Network, container: &Id, endpoint: &Endpoint) -> Result<()> {
    endpoint.addresses().try_for_each(|address| network.release(address, container))
}

/// What a container with these addresses has in a network.
fn shape(
    record: &super::NetworkRecord,
    container: &Container,
    (request, interface): (&EndpointRequest, String),
    taken: &[IpAddr],
) -> Result<Endpoint> {
    let prefix = |address: &IpAddr| {
        let pool = record.pools.iter().find(|pool| pool.subnet.contains(address))?;
        IpNet::new(*address, pool.subnet.prefix_len()).ok()
    };
    let hardware_address = match &request.hardware_address {
        Some(address) => parse_hardware_address(address)?,
        None => made_up_hardware_address(taken),
    };
    let kind = match record.driver {
        Driver::Macvlan => Kind::Macvlan {
            parent: record.options.get(option::PARENT).cloned().unwrap_or_default(),
            mode: match record.options.get(option::MACVLAN_MODE).map(String::as_str) {
                Some("private") => MacvlanMode::Private,
                _ => MacvlanMode::Bridge,
            },
        },
        _ => Kind::Bridge {
            bridge: record.bridge_name(),
            // A namespace that lingers keeps the name of its last run.
            port: format!("veth{}", &Id::random()?.as_str()[..11]),
            isolated: !record.inter_container(),
        },
    };
    Ok(Endpoint {
        id: Digest::sha256(format!("{}\0{}", container.id, record.id).as_bytes()).hex().to_owned(),
        network: record.id.clone(),
        network_name: record.name.clone(),
        attachment: Attachment {
            kind,
            interface,
            hardware_address,
            mtu: 0,
            addresses: taken.iter().filter_map(prefix).collect(),
            gateways: Gateways { v4: record.way_out(IpVersion::V4), v6: record.way_out(IpVersion::V6) },
        },
        names: if record.has_names() { names_of(container, request) } else { Vec::new() },
        published: Vec::new(),
    })
}

/// One endpoint of each family leads out: that of the highest priority, then the first by the network's name, as in Docker.
fn choose_gateways(endpoints: &mut [Endpoint], priorities: &BTreeMap<Id, i64>) {
    for version in IpVersion::ALL {
        let rank = |endpoint: &Endpoint| {
            (-priorities.get(&endpoint.network).copied().unwrap_or_default(), endpoint.network_name.clone())
        };
        let leading = endpoints.iter().filter(|endpoint| endpoint.attachment.gateways.of(version).is_some());
        let chosen = leading.min_by_key(|endpoint| rank(endpoint)).map(|endpoint| endpoint.network.clone());
        for endpoint in endpoints.iter_mut().filter(|endpoint| Some(&endpoint.network) != chosen.as_ref()) {
            endpoint.attachment.gateways.set(version, None);
        }
    }
}

pub(super) fn check_request(record: &super::NetworkRecord, request: &EndpointRequest) -> Result<()> {
    if record.is_default_bridge() && (!request.aliases.is_empty()) {
        return Err(Error::invalid("network-scoped aliases are only supported for user-defined networks"));
    }
    if record.is_default_bridge() && (request.ipv4.is_some() || request.ipv6.is_some()) {
        return Err(Error::invalid("user specified IP address is supported on user defined networks only"));
    }
    if let Some(address) = &request.hardware_address {
        parse_hardware_address(address)?;
    }
    if request.ipv6.is_some() && record.pool(IpVersion::V6).is_none() {
        return Err(Error::invalid(format!("network {} has no IPv6: make it with --ipv6", record.name)));
    }
    Ok(())
}

/// Everything by which the container is found: its name, short and long id, host name and aliases.
fn names_of(container: &Container, request: &EndpointRequest) -> Vec<String> {
    let own = [container.name(), container.id.short(), container.id.as_str(), container.record.hostname()];
    let all = own.into_iter().map(str::to_owned).chain(request.aliases.iter().cloned());
    let mut seen = Vec::new();
    for name in all.map(|name| name.to_ascii_lowercase()) {
        if !seen.contains(&name) && names::check(&name).is_ok() {
            seen.push(name);
        }
    }
    seen
}

/// `02:42` and the IPv4 address, as in Docker: whoever remembers the last owner of the address by mistake finds the present one.
fn made_up_hardware_address(addresses: &[IpAddr]) -> [u8; 6] {
    let tail = addresses.iter().find_map(|address| match address {
        IpAddr::V4(address) => Some(address.octets()),
        IpAddr::V6(_) => None,
    });
    let tail = tail.unwrap_or_else(|| {
        let last = addresses.first().map(|address| match address {
            IpAddr::V6(address) => address.octets(),
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        });
        last.map_or([0; 4], |octets| [octets[12], octets[13], octets[14], octets[15]])
    });
    [0x02, 0x42, tail[0], tail[1], tail[2], tail[3]]
}

/// # Errors
/// `Invalid` for what is no address of one station.
pub(crate) fn parse_hardware_address(text: &str) -> Result<[u8; 6]> {
    let refuse = || {
        Error::invalid(format!(
            "invalid MAC address {text:?}: use six pairs of hexadecimal digits, as in 02:42:ac:11:00:02"
        ))
    };
    let mut address = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut address {
        let part = parts.next().filter(|part| part.len() == 2).ok_or_else(refuse)?;
        *byte = u8::from_str_radix(part, 16).map_err(|_| refuse())?;
    }
    if parts.next().is_some() || address[0] & 1 == 1 || address == [0; 6] {
        return Err(refuse());
    }
    Ok(address)
}
