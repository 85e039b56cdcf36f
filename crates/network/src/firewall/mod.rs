//! The packet filter of our networks: nf_tables of our own, and the entries of connection tracking that outlive what they were made for.
//!
//! Rules are few and fixed; what differs is in sets and maps, so that an endpoint costs the same beside five others and beside five hundred. Everything
//! happens in the network namespace of the calling thread, each operation in one batch, which the kernel carries out whole or not at all (Linux 5.10).

mod attach;
mod attributes;
mod bring_up;
mod change;
mod conntrack;
mod foreign;
mod nftables;
mod redirect_names;
mod rule;
mod ruleset;
mod set;
mod sweep;
mod take_down;

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use base::Result;
use ipnet::IpNet;
pub use redirect_names::redirect_names;
use serde::{Deserialize, Serialize};

use crate::netlink::Socket;
use crate::port::PublishedPort;

/// What a network allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRules {
    /// The interface of its bridge.
    pub bridge: String,
    /// Its subnets, of either family.
    pub subnets: Vec<IpNet>,
    /// The bridge's own addresses, its link-local one among them: no container may claim them. No other network has any of them.
    pub gateways: Vec<IpAddr>,
    /// Whether it is cut off from everything but itself and the host.
    pub internal: bool,
    /// Whether its addresses are replaced by the host's where they leave.
    pub masquerade: bool,
    /// Whether its containers reach each other by routing. On the bridge itself that is decided by its ports.
    pub inter_container: bool,
    /// The families whose forwarding is on for containers alone.
    pub router_guard: RouterGuard,
}

/// For which families this host drops what it would forward between interfaces that are not ours.
///
/// It stays as long as there is a network of any state root: what later networks say adds to it. What is forwarded between two bridges is let
/// through, since it may not be told from frames on one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterGuard {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

/// What a container has of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRules {
    /// The container's id, at most 125 bytes.
    pub owner: String,
    /// The host's end of its veth.
    pub interface: String,
    /// Its addresses; ports lead to the first of each family.
    pub addresses: Vec<IpAddr>,
    /// The link-local address that the kernel gives its interface.
    pub link_local: Option<Ipv6Addr>,
    /// Its published ports.
    pub published: Vec<PublishedPort>,
}

/// The packet filter of a state root, in the network namespace where it is first used.
///
/// All that is done by one of these goes over one socket. After something was removed, by whomever, the kernel lets whoever closes such a socket
/// wait until no packet can see it any more, and with that everybody who changes the packet filter: 10 ms, measured on Linux 6.18. So it is opened as rarely as possible, and
/// given away to a process that nobody waits for.
#[derive(Debug)]
pub struct Firewall {
    tag: String,
    socket: Mutex<Option<Socket>>,
}

impl Firewall {
    /// That of the state root with this `tag`; the usual one has none.
    #[must_use]
    pub fn new(tag: &str) -> Self {
        Self { tag: tag.to_owned(), socket: Mutex::default() }
    }

    /// The same over a socket that another process gave away.
    #[must_use]
    pub fn on(tag: &str, socket: OwnedFd) -> Self {
        Self { tag: tag.to_owned(), socket: Mutex::new(Some(Socket::of(socket))) }
    }

    /// The socket, to be given away; `None` when nothing was done.
    #[must_use]
    pub fn into_socket(mut self) -> Option<OwnedFd> {
        self.take_socket().map(Socket::into_descriptor)
    }

    /// Whether our tables are there with all their rules. A program that flushes all tables, as firewalls do when they are reloaded, takes them away;
    /// [`Firewall::bring_up`] for each network and [`Firewall::attach`] for each endpoint bring them back.
    ///
    /// # Errors
    /// When the kernel could not be asked.
    pub fn is_whole(&self) -> Result<bool> {
        self.with_socket(|socket| self.whole(socket))
    }

    fn with_socket<T>(&self, work: impl FnOnce(&mut Socket) -> Result<T>) -> Result<T> {
        let mut kept = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = match &mut *kept {
            Some(socket) => socket,
            None => kept.insert(nftables::open()?),
        };
        work(socket)
    }

    fn take_socket(&mut self) -> Option<Socket> {
        self.socket.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Firewall {
    /// In a thread of its own: a daemon's client does not wait for the kernel.
    fn drop(&mut self) {
        if let Some(socket) = self.take_socket() {
            let _ = std::thread::Builder::new().name("netfilter".to_owned()).spawn(move || drop(socket));
        }
    }
}
