//! The process that carries what comes to the container's ports on `::1`.

use super::worker::{self, Worker};
use super::{Supervisor, network};
use ::network::lease::Lease;
use ::network::relay;
use base::{Context, Result};
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// What is needed to make it again, and itself.
#[derive(Debug)]
pub(super) struct Relay {
    relay: relay::Relay,
    worker: Worker,
}

impl Relay {
    /// Readable when it has died; while there is none, when there is something to carry.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.worker.descriptors([self.relay.descriptor()])
    }

    /// Until when one that has died is not made anew.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.worker.deadline()
    }

    /// One of the descriptors is readable.
    pub(super) fn look_after(&mut self, leases: &[Lease]) {
        self.worker.look_after(|| carry(&self.relay, leases));
    }

    pub(super) fn act_on_time(&mut self, now: Instant) {
        self.worker.act_on_time(now);
    }
}

/// What the process does, for all its life.
fn carry(relay: &relay::Relay, leases: &[Lease]) -> Result<()> {
    let needed: Vec<BorrowedFd<'_>> = relay.needed(leases).collect();
    sys::process::close_all_but(&needed).context("close what is not ours")?;
    drop(needed);
    // Two descriptors for each connection, beside the ports.
    network::raise_descriptor_limit()?;
    worker::confine(relay::SYSTEM_CALLS)?;
    relay.run(leases)
}

impl Supervisor {
    /// Carries to the container's addresses `to` from now on, instead of where it was before; nowhere, where there are none.
    pub(super) fn serve_relay(&mut self, to: Vec<IpAddr>) -> Result<()> {
        let was_open = self.relay.take().is_some();
        if was_open || !to.is_empty() {
            let opened = relay::Relay::open(&self.leases, to)?;
            self.relay = opened.map(|relay| Relay { relay, worker: Worker::default() });
        }
        Ok(())
    }
}
