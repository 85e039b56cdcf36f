//! The process that answers a container's questions for names.
//!
//! It is made when the container first asks for something, and made anew when the container's networks change.

use super::Supervisor;
use super::worker::{self, Worker};
use crate::protocol::NamesPlan;
use base::{Context, Error, Result};
use network::names::{self, Listening, Resolver};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// What is needed to make it again, and itself.
#[derive(Debug)]
pub(super) struct Names {
    service: Service,
    worker: Worker,
}

#[derive(Debug)]
struct Service {
    listening: Listening,
    plan: NamesPlan,
    directories: Vec<OwnedFd>,
}

impl Names {
    /// `descriptors`: the UDP and the TCP socket, then the directory of each network.
    fn new(plan: NamesPlan, descriptors: Vec<OwnedFd>) -> Result<Self> {
        let mut descriptors = descriptors.into_iter();
        let (Some(udp), Some(tcp)) = (descriptors.next(), descriptors.next()) else {
            return Err(Error::invalid("the sockets for names did not come along"));
        };
        let directories: Vec<OwnedFd> = descriptors.collect();
        if directories.len() != plan.networks.len() {
            return Err(Error::invalid("the networks' directories did not come along"));
        }
        let service = Service { listening: Listening { udp, tcp }, plan, directories };
        Ok(Self { service, worker: Worker::default() })
    }

    /// Readable when it has died; while there is none, when somebody asks.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.worker.descriptors([self.service.listening.udp.as_fd(), self.service.listening.tcp.as_fd()])
    }

    /// Until when one that has died is not made anew.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.worker.deadline()
    }

    /// One of the descriptors is readable.
    pub(super) fn look_after(&mut self) {
        self.worker.look_after(|| self.service.answer());
    }

    pub(super) fn act_on_time(&mut self, now: Instant) {
        self.worker.act_on_time(now);
    }
}

impl Service {
    /// What the process does, for all its life.
    fn answer(&self) -> Result<()> {
        let directories = self.directories.iter().map(AsFd::as_fd);
        let kept: Vec<BorrowedFd<'_>> =
            [self.listening.udp.as_fd(), self.listening.tcp.as_fd()].into_iter().chain(directories).collect();
        sys::process::close_all_but(&kept).context("close what is not ours")?;
        let copy = |descriptor: &OwnedFd| descriptor.try_clone().context("keep a descriptor");
        let listening = Listening { udp: copy(&self.listening.udp)?, tcp: copy(&self.listening.tcp)? };
        let mut networks = Vec::new();
        for (network, directory) in self.plan.networks.iter().zip(&self.directories) {
            let (name, subnets) = (network.name.clone(), network.subnets.clone());
            networks.push(names::Network { name, subnets, directory: copy(directory)? });
        }
        let (resolver, _control) = Resolver::new(listening, self.plan.resolution.clone(), networks)?;
        worker::confine(names::SYSTEM_CALLS)?;
        resolver.run()
    }
}

impl Supervisor {
    /// Answers names from now on as `plan` says, instead of how it was before.
    pub(super) fn serve_names(&mut self, plan: NamesPlan, descriptors: Vec<OwnedFd>) -> Result<()> {
        // One that asks at the same time waits in the socket.
        self.names = None;
        self.names = Some(Names::new(plan, descriptors)?);
        base::crash_point!("network.names-served");
        Ok(())
    }
}
