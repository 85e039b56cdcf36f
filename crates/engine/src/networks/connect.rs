//! Puts a container on a further network, or takes it off one, whether it runs or not.

use std::os::fd::{AsFd, OwnedFd};

use base::file::{self, Durability};
use base::{Context, Error, Result, crash_point};
use network::{IpVersion, link};
use supervisor::client::{Client, ServedNetwork};

use super::attach::attach_rules;
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
        let planned = self.plan_endpoint(&network, container, (request, interface), &sandbox);
        let mut endpoint = match planned {
            Ok(endpoint) => endpoint,
            Err(error) => {
                self.forget_noted(container, &before)?;
                return Err(error);
            }
        };
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
        let firewall = self.firewall();
        // Before there is something to take back.
        let connected = self
            .tell_rules(container, &sandbox)
            .and_then(|()| self.connect_endpoint(&firewall, &network, &endpoint, namespace.as_fd()))
            .and_then(|()| network::namespace::within(namespace.as_fd(), || link::configure(&endpoint.attachment)))
            .and_then(|()| self.open_endpoint(&firewall, &network, container, &endpoint))
            .and_then(|()| relay(container, &endpoint))
            .and_then(|()| self.serve_names_anew(container, &sandbox, namespace.as_fd()))
            .and_then(|()| self.update_network_files(container, &before, &sandbox))
            .map_err(|error| error.context(format!("connect {}", container.name())));
        if connected.is_err() {
            self.detach_endpoint(Some(&firewall), &container.id, &endpoint, Some(namespace.as_fd()))?;
            sandbox.endpoints.pop();
            sandbox.idle_ports.extend(endpoint.published);
            file::replace_json(container.directory(), layout::SANDBOX, &sandbox, Durability::Lazy)?;
            // To take back what is not there does no harm.
            let _ = self.tell_rules(container, &sandbox);
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
        let firewall = self.firewall();
        // Its addresses may be somebody else's in a moment.
        if !endpoint.published.is_empty()
            && let Some(client) = Client::connect(container.directory())?
        {
            client.serve_network(ServedNetwork { relay_to: Some(Vec::new()), ..ServedNetwork::default() })?;
        }
        self.detach_endpoint(Some(&firewall), &container.id, &endpoint, Some(namespace.as_fd()))?;
        sandbox.endpoints.remove(place);
        self.move_gateway(&mut sandbox, &endpoint, namespace)?;
        let heir = sandbox.endpoints.iter().position(|other| other.leads_out() && !endpoint.published.is_empty());
        match heir {
            Some(heir) => sandbox.endpoints[heir].published = endpoint.published,
            None => sandbox.idle_ports.extend(endpoint.published),
        }
        file::replace_json(container.directory(), layout::SANDBOX, &sandbox, Durability::Lazy)?;
        self.tell_rules(container, &sandbox)?;
        if let Some(heir) = heir {
            attach_rules(&firewall, &container.id, &sandbox.endpoints[heir])?;
            relay(container, &sandbox.endpoints[heir])?;
        }
        self.serve_names_anew(container, &sandbox, namespace.as_fd())?;
        self.update_network_files(container, &before, &sandbox)
    }

    /// Tells the supervisor what it takes back of the rules from now on.
    fn tell_rules(&self, container: &Locked, sandbox: &Sandbox) -> Result<()> {
        let Some(client) = Client::connect(container.directory())? else { return Ok(()) };
        let rules = Some(self.plan_rules(&container.id, sandbox));
        client.serve_network(ServedNetwork { rules, ..ServedNetwork::default() }).map(|_| ())
    }

    /// What was noted of a container that runs beside `before` has come to nothing.
    fn forget_noted(&self, container: &Locked, before: &Sandbox) -> Result<()> {
        let noted = container.sandbox()?.endpoints;
        for endpoint in noted.iter().filter(|endpoint| !before.endpoints.contains(endpoint)) {
            self.release_endpoint(&container.id, endpoint)?;
        }
        file::replace_json(container.directory(), layout::SANDBOX, before, Durability::Lazy)
    }

    /// Lets another network lead out after `gone` has.
    fn move_gateway(&self, sandbox: &mut Sandbox, gone: &super::Endpoint, namespace: &OwnedFd) -> Result<()> {
        let mut left = gone.attachment.gateways;
        for endpoint in &mut sandbox.endpoints {
            let Some(network) = self.root.network(&endpoint.network)? else { continue };
            let gateways = &mut endpoint.attachment.gateways;
            let before = *gateways;
            for version in IpVersion::ALL {
                if gateways.of(version).is_none()
                    && left.of(version).is_some()
                    && network.record.way_out(version).is_some()
                {
                    gateways.set(version, network.record.way_out(version));
                    left.set(version, None);
                }
            }
            if *gateways != before {
                link::route_by(&endpoint.attachment, namespace.as_fd())?;
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
