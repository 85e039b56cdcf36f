//! Puts a container on a further network, or takes it off one, whether it runs or not.

use std::os::fd::{AsFd, OwnedFd};

use base::file::{self, Durability};
use base::{Context, Error, Result, crash_point};
use network::{IpVersion, link};
use supervisor::client::{Client, ServedNetwork};

use super::record::Driver;
use crate::caller::Operation;
use crate::containers::record::{Locked, Sandbox};
use crate::containers::{EndpointRequest, NetworkMode};
use crate::{Caller, Engine, layout};

impl Engine {
    /// Puts the container on the network; one that runs is reached there when this returns.
    ///
    /// # Errors
    /// `Denied` when it is on it already or has no network of its own.
    pub fn connect_network(
        &self,
        caller: &Caller,
        network: &str,
        container: &str,
        request: EndpointRequest,
    ) -> Result<()> {
        caller.permit(Operation::Change, &format!("connect {container} to network {network}"))?;
        let mut container = self.lock_container(container)?;
        let name = self.open_network(network)?.record.name;
        let settings = &container.record.settings;
        if matches!(settings.network, NetworkMode::Host | NetworkMode::Container(_)) {
            return Err(Error::denied(
                "container sharing network namespace with another container or host cannot be connected to any other network",
            ));
        }
        if Self::wanted_networks(settings).iter().any(|(known, _)| *known == name) {
            return Err(Error::denied(format!(
                "endpoint with name {} already exists in network {name}",
                container.name()
            )));
        }
        if let Some(namespace) = namespace_of(&container)? {
            self.connect_running(&container, &name, &request, &namespace)?;
        }
        let settings = &mut container.container.record.settings;
        if settings.network == NetworkMode::None {
            settings.network = NetworkMode::Named(name.clone());
        }
        settings.networks.insert(name.clone(), request);
        container.write_record()?;
        crash_point!("network.connected");
        self.network_event("connect", &name, &container)
    }

    fn connect_running(
        &self,
        container: &Locked,
        name: &str,
        request: &EndpointRequest,
        namespace: &OwnedFd,
    ) -> Result<()> {
        let network = self.open_network(name)?;
        let before = container.sandbox()?;
        let mut sandbox = before.clone();
        let taken: Vec<&str> =
            sandbox.endpoints.iter().map(|endpoint| endpoint.attachment.interface.as_str()).collect();
        let interface = (0..).map(|number| format!("eth{number}")).find(|name| !taken.contains(&name.as_str()));
        let interface = interface.ok_or_else(|| Error::exhausted("the container has too many interfaces"))?;
        let mut endpoint = self.plan_endpoint(&network, container, request, interface)?;
        // The default route stays where it is, unless there is none.
        if sandbox.endpoints.iter().any(|other| other.attachment.gateways.v4.is_some()) {
            endpoint.attachment.gateways.v4 = None;
        }
        if sandbox.endpoints.iter().any(|other| other.attachment.gateways.v6.is_some()) {
            endpoint.attachment.gateways.v6 = None;
        }
        if endpoint.leads_out() {
            endpoint.published = std::mem::take(&mut sandbox.idle_ports);
        }
        sandbox.endpoints.push(endpoint.clone());
        file::replace_json(container.directory(), layout::SANDBOX, &sandbox, Durability::Lazy)?;
        crash_point!("network.connect-noted");
        let connected = self
            .connect_endpoint(&endpoint, namespace.as_fd())
            .and_then(|()| network::namespace::within(namespace.as_fd(), || link::configure(&endpoint.attachment)))
            .and_then(|()| self.open_endpoint(container, &endpoint))
            .and_then(|()| relay(container, &endpoint))
            .and_then(|()| self.serve_names_anew(container, &sandbox, namespace.as_fd()))
            .and_then(|()| self.update_network_files(container, &before, &sandbox))
            .map_err(|error| error.context(format!("connect {}", container.name())));
        if connected.is_err() {
            self.detach_endpoint(&container.id, &endpoint, Some(namespace.as_fd()))?;
            sandbox.endpoints.pop();
            sandbox.idle_ports.extend(endpoint.published);
            file::replace_json(container.directory(), layout::SANDBOX, &sandbox, Durability::Lazy)?;
        }
        connected
    }

    /// Takes the container off the network.
    ///
    /// # Errors
    /// `Denied` when it is not on it.
    pub fn disconnect_network(&self, caller: &Caller, network: &str, container: &str) -> Result<()> {
        caller.permit(Operation::Change, &format!("disconnect {container} from network {network}"))?;
        let mut container = self.lock_container(container)?;
        let record = self.find_network(network)?;
        if record.driver == Driver::Host {
            return Err(Error::denied("container cannot be disconnected from host network"));
        }
        let settings = &container.record.settings;
        let not_on_it =
            || Error::denied(format!("container {} is not connected to network {}", container.id, record.name));
        if !Self::wanted_networks(settings).iter().any(|(known, _)| *known == record.name) {
            return Err(not_on_it());
        }
        if let Some(namespace) = namespace_of(&container)? {
            self.disconnect_running(&container, &record.name, &namespace)?;
        }
        crash_point!("network.disconnected");
        let settings = &mut container.container.record.settings;
        settings.networks.remove(&record.name);
        let was_first = settings.network == NetworkMode::Named(record.name.clone())
            || settings.network == NetworkMode::Default && record.is_default_bridge();
        if was_first {
            settings.networks.remove("default");
            settings.network = settings.networks.keys().next().cloned().map_or(NetworkMode::None, NetworkMode::Named);
        }
        container.write_record()?;
        self.network_event("disconnect", &record.name, &container)
    }

    fn disconnect_running(&self, container: &Locked, name: &str, namespace: &OwnedFd) -> Result<()> {
        let before = container.sandbox()?;
        let mut sandbox = before.clone();
        let Some(place) = sandbox.endpoints.iter().position(|endpoint| endpoint.network_name == name) else {
            return Ok(());
        };
        let endpoint = sandbox.endpoints[place].clone();
        // Its addresses may be somebody else's in a moment.
        if !endpoint.published.is_empty()
            && let Some(client) = Client::connect(container.directory())?
        {
            client.serve_network(ServedNetwork { relay_to: Some(Vec::new()), ..ServedNetwork::default() })?;
        }
        self.detach_endpoint(&container.id, &endpoint, Some(namespace.as_fd()))?;
        sandbox.endpoints.remove(place);
        self.move_gateway(&mut sandbox, &endpoint, namespace)?;
        let heir = sandbox.endpoints.iter().position(|other| other.leads_out() && !endpoint.published.is_empty());
        match heir {
            Some(heir) => sandbox.endpoints[heir].published = endpoint.published,
            None => sandbox.idle_ports.extend(endpoint.published),
        }
        file::replace_json(container.directory(), layout::SANDBOX, &sandbox, Durability::Lazy)?;
        if let Some(heir) = heir {
            self.attach_rules(&container.id, &sandbox.endpoints[heir])?;
            relay(container, &sandbox.endpoints[heir])?;
        }
        self.serve_names_anew(container, &sandbox, namespace.as_fd())?;
        self.update_network_files(container, &before, &sandbox)
    }

    /// Lets another network lead out after `gone` has.
    fn move_gateway(&self, sandbox: &mut Sandbox, gone: &super::Endpoint, namespace: &OwnedFd) -> Result<()> {
        let left = gone.attachment.gateways;
        for endpoint in &mut sandbox.endpoints {
            let Some(network) = self.root.network(&endpoint.network)? else { continue };
            let gateways = &mut endpoint.attachment.gateways;
            let before = *gateways;
            gateways.v4 = gateways.v4.or_else(|| left.v4.and_then(|_| network.record.way_out(IpVersion::V4)));
            gateways.v6 = gateways.v6.or_else(|| left.v6.and_then(|_| network.record.way_out(IpVersion::V6)));
            if *gateways != before {
                return link::route_by(&endpoint.attachment, namespace.as_fd());
            }
        }
        Ok(())
    }

    fn network_event(&self, action: &str, name: &str, container: &Locked) -> Result<()> {
        let record = self.find_network(name)?;
        let mut attributes = super::create::attributes(&record);
        attributes.insert("container".to_owned(), container.id.to_string());
        self.record_event("network", action, record.id.as_str(), attributes);
        Ok(())
    }
}

/// Lets what the supervisor carries itself lead to the endpoint, where ports do.
fn relay(container: &Locked, endpoint: &super::Endpoint) -> Result<()> {
    if endpoint.published.is_empty() {
        return Ok(());
    }
    let Some(client) = Client::connect(container.directory())? else { return Ok(()) };
    let relay_to = Some(endpoint.addresses().collect());
    client.serve_network(ServedNetwork { relay_to, ..ServedNetwork::default() }).map(|_| ())
}

/// The network namespace of a container that runs.
fn namespace_of(container: &Locked) -> Result<Option<OwnedFd>> {
    let Some(client) = Client::connect(container.directory())? else { return Ok(None) };
    // Connected from here on, it keeps it from one run to the next.
    client.serve_network(ServedNetwork::default())?;
    let namespaces = client.namespaces().context("reach the container's network")?;
    Ok(namespaces.into_iter().find(|(name, _)| name == "network").map(|(_, namespace)| namespace))
}
