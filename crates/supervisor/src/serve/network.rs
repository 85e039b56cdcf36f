//! What a supervisor holds of its container's network: the namespace between two runs, and the ports of the host.

use super::{Phase, Supervisor};
use crate::plan::AfterExit;
use crate::protocol::{NamesPlan, Reply};
use ::network::lease::{Lease, PortRequest};
use base::{Context, Error, Result};
use runtime::spec::Namespace;
use rustix::process::{Resource, Rlimit};
use std::net::IpAddr;
use std::os::fd::OwnedFd;

/// Beyond so many ports the supervisor needs more descriptors than it keeps for everything else.
const FEW_PORTS: usize = 100;
/// The key of the network namespace among those that a container joins.
const NETWORK: &str = "network";

impl Supervisor {
    /// Takes the ports, and keeps the container's network namespace for all runs that follow.
    pub(super) fn serve_network(
        &mut self,
        ports: &[PortRequest],
        relay_to: Option<Vec<IpAddr>>,
        names: Option<NamesPlan>,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(Reply, Vec<OwnedFd>)> {
        if !matches!(self.phase, Phase::Created | Phase::Running) {
            return Err(crate::state::not_running(&self.plan.id));
        }
        if ports.iter().map(|port| usize::from(port.count)).sum::<usize>() > FEW_PORTS {
            raise_descriptor_limit()?;
        }
        let leases = ports.iter().map(Lease::take).collect::<Result<Vec<_>>>()?;
        self.keep_network()?;
        if let Some(names) = names {
            self.serve_names(names, descriptors)?;
        }
        let ports = leases.iter().map(|lease| lease.port.clone()).collect();
        let held = self.leases.len();
        self.leases.extend(leases);
        if let Some(to) = relay_to
            && let Err(error) = self.serve_relay(to)
        {
            self.leases.truncate(held);
            return Err(error);
        }
        base::crash_point!("network.ports-held");
        Ok((Reply::Serving { ports }, Vec::new()))
    }

    /// Keeps the container's network namespace for all runs that follow.
    pub(super) fn keep_network(&mut self) -> Result<()> {
        let network = match &self.container {
            Some(container) => container.network()?,
            None => return Err(Error::internal("there is no container with a network")),
        };
        if let (Some(network), Namespace::New) = (network, self.plan.spec.namespaces.network) {
            self.joined.insert(NETWORK.to_owned(), network);
            self.plan.spec.namespaces.network = Namespace::Join;
        }
        // Whatever it was told at its start: there is something to take back now.
        self.plan.after_exit = AfterExit::CallEngine;
        Ok(())
    }

    /// Lets go of everything: an open descriptor keeps the namespace alive, and the ports taken.
    pub(super) fn leave_network(&mut self) {
        // First who serves at the ports, then the ports.
        self.relay = None;
        self.leases.clear();
        self.names = None;
        self.joined.clear();
    }
}

/// The container's own limit is set in its processes.
pub(super) fn raise_descriptor_limit() -> Result<()> {
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("raise the limit on open files")
}
