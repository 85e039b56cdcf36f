//! Orders to a resolver that runs: other networks, another configuration, its end.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use base::{Context, Result};
use rustix::event::{EventfdFlags, eventfd};

use super::{Network, Resolution};

/// What a resolver is to do next.
#[derive(Debug)]
pub(super) enum Order {
    Replace(Resolution, Vec<Network>),
    Stop,
}

/// The last order that was not heard yet, and what wakes the resolver for it.
#[derive(Debug)]
pub(super) struct Orders {
    next: Mutex<Option<Order>>,
    pub(super) bell: OwnedFd,
}

impl Orders {
    pub(super) fn new() -> Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).context("make a resolver's eventfd")?;
        Ok(Self { next: Mutex::new(None), bell })
    }

    pub(super) fn take(&self) -> Option<Order> {
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, order: Order) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*next, Some(Order::Stop)) {
            *next = Some(order);
        }
        // A counter that is full rings, too.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }
}

/// The hand on a [`Resolver`](super::Resolver) that runs in another thread. When it is dropped, the resolver ends.
#[derive(Debug)]
pub struct Control(pub(super) Arc<Orders>);

impl Control {
    /// Replaces everything that names are answered from. What was asked upstream and not answered yet is asked again.
    pub fn replace(&self, resolution: Resolution, networks: Vec<Network>) {
        self.0.put(Order::Replace(resolution, networks));
    }

    /// Lets the resolver close its sockets and return, as dropping does.
    pub fn stop(self) {}
}

impl Drop for Control {
    fn drop(&mut self) {
        self.0.put(Order::Stop);
    }
}
