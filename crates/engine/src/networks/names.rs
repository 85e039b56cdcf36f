//! What a container's resolver is told, and where the container's `resolv.conf` sends it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use base::{Context, Error, Result};
use network::names::{self, Listening, Resolution};
use network::{firewall, namespace};
use supervisor::client::{Client, ServedNetwork};
use supervisor::protocol::{NamedNetwork, NamesPlan};

use super::record::Network;
use crate::containers::record::{Container, Sandbox};
use crate::{Engine, plan};

/// By this name every container finds the host.
const HOST_NAME: &str = "host.docker.internal";

/// What a resolver is told, with the directory of each network.
#[derive(Debug)]
pub(super) struct Names {
    plan: NamesPlan,
    directories: Vec<OwnedFd>,
}

impl Names {
    /// As a supervisor takes it.
    pub(super) fn told<'a>(&'a self, listening: &'a Listening) -> (NamesPlan, Vec<BorrowedFd<'a>>) {
        let sockets = [listening.udp.as_fd(), listening.tcp.as_fd()];
        (self.plan.clone(), sockets.into_iter().chain(self.directories.iter().map(AsFd::as_fd)).collect())
    }
}

/// In the container's namespace, which is this thread's: sockets for its questions, and the way to them.
///
/// # Errors
/// What the kernel refuses.
pub(super) fn listen() -> Result<Listening> {
    let listening = names::listen_here()?;
    firewall::redirect_names(listening.udp_port()?, listening.tcp_port()?)?;
    Ok(listening)
}

impl Engine {
    /// How the container's questions for names are answered; `None` where it asks the host's servers itself.
    ///
    /// # Errors
    /// When a network or the host's `resolv.conf` cannot be read.
    pub(super) fn plan_names(
        &self,
        container: &Container,
        sandbox: &Sandbox,
        networks: &[Network],
    ) -> Result<Option<Names>> {
        let settings = &container.record.settings;
        let host = self.host_resolv_conf()?;
        if !uses_resolver(sandbox, &plan::files::servers(settings, &host)) {
            return Ok(None);
        }
        let forward = networks.iter().any(|network| !network.record.internal);
        let mut named = Vec::new();
        let mut directories = Vec::new();
        for Network { record, directory } in networks.iter().filter(|network| network.record.has_names()) {
            let subnets = record.pools.iter().map(|pool| pool.subnet).collect();
            named.push(NamedNetwork { name: record.name.clone(), subnets });
            directories.push(directory.try_clone().context("keep a network's directory")?);
        }
        let upstreams = plan::files::servers(settings, &host).into_iter().map(|server| SocketAddr::new(server, 53));
        let resolution = Resolution {
            hosts: self.own_hosts(container, sandbox)?,
            upstreams: upstreams.collect(),
            forward,
            ..Resolution::default()
        };
        Ok(Some(Names { plan: NamesPlan { resolution, networks: named }, directories }))
    }

    /// Names that only this container uses: of the host, and of the containers that it is linked to.
    fn own_hosts(&self, container: &Container, sandbox: &Sandbox) -> Result<BTreeMap<String, Vec<IpAddr>>> {
        let mut hosts = BTreeMap::new();
        let gateways: Vec<IpAddr> = sandbox
            .endpoints
            .iter()
            .flat_map(|endpoint| [endpoint.attachment.gateways.v4, endpoint.attachment.gateways.v6])
            .flatten()
            .collect();
        if !gateways.is_empty() {
            hosts.insert(HOST_NAME.to_owned(), gateways);
        }
        hosts.extend(self.linked_hosts(container, sandbox)?);
        Ok(hosts)
    }

    /// The containers that this one is linked to, by the names that only it uses.
    ///
    /// # Errors
    /// `NotFound` for a container that is not there, `Conflict` for one that has no address where this one has.
    pub(crate) fn linked_hosts(
        &self,
        container: &Container,
        sandbox: &Sandbox,
    ) -> Result<BTreeMap<String, Vec<IpAddr>>> {
        let mut hosts = BTreeMap::new();
        let wanted = Self::wanted_networks(&container.record.settings);
        for link in wanted.iter().flat_map(|(_, request)| &request.links) {
            let (target, alias) = link.split_once(':').unwrap_or((link, link));
            let target = self.root.find(target)?;
            let shared =
                |endpoint: &&super::Endpoint| sandbox.endpoints.iter().any(|own| own.network == endpoint.network);
            let linked = target.sandbox_seen(&target.view()?)?;
            let addresses: Vec<IpAddr> =
                linked.endpoints.iter().filter(shared).flat_map(super::Endpoint::addresses).collect();
            if addresses.is_empty() {
                return Err(Error::conflict(format!(
                    "cannot link to {}: it does not run on a network of this container",
                    target.name()
                )));
            }
            hosts.insert(alias.to_ascii_lowercase(), addresses);
        }
        Ok(hosts)
    }

    /// Tells the resolver of a container that runs about its present networks.
    pub(super) fn serve_names_anew(
        &self,
        container: &Container,
        sandbox: &Sandbox,
        namespace: BorrowedFd<'_>,
    ) -> Result<()> {
        let networks: Vec<_> =
            sandbox.endpoints.iter().map(|endpoint| self.network_of(endpoint)).collect::<Result<_>>()?;
        let Some(names) = self.plan_names(container, sandbox, &networks)? else { return Ok(()) };
        let Some(client) = Client::connect(container.directory())? else { return Ok(()) };
        let listening = namespace::within(namespace, listen)?;
        client.serve_network(ServedNetwork { names: Some(names.told(&listening)), ..ServedNetwork::default() })?;
        Ok(())
    }
}

/// Whether the container asks a resolver of its own: where containers have names, and where the host's servers are on its loopback.
pub(crate) fn uses_resolver(sandbox: &Sandbox, servers: &[IpAddr]) -> bool {
    let is_named = sandbox.endpoints.iter().any(|endpoint| !endpoint.names.is_empty());
    is_named || !sandbox.endpoints.is_empty() && servers.iter().any(IpAddr::is_loopback)
}
