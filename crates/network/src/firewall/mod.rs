//! The packet filter of our networks: nf_tables of our own, and the entries of connection tracking that outlive what they were made for.
//!
//! Rules are few and fixed; what differs is in sets and maps, so that an endpoint costs the same beside five others and beside five hundred. Everything
//! happens in the network namespace of the calling thread, each operation in one batch, which the kernel carries out whole or not at all (Linux 5.10).

mod attach;
mod attributes;
mod bring_up;
mod change;
pub mod conntrack;
mod foreign;
mod nftables;
mod redirect_names;
mod rule;
mod ruleset;
mod set;
mod sweep;
mod take_down;

use std::net::{IpAddr, Ipv6Addr};

use base::Result;
use ipnet::IpNet;
pub use redirect_names::redirect_names;
use serde::{Deserialize, Serialize};

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

/// The packet filter of a state root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firewall {
    tag: String,
}

impl Firewall {
    /// That of the state root with this `tag`; the usual one has none.
    #[must_use]
    pub fn new(tag: &str) -> Self {
        Self { tag: tag.to_owned() }
    }

    /// Whether our tables are there with all their rules. A program that flushes all tables, as firewalls do when they are reloaded, takes them away;
    /// [`Firewall::bring_up`] for each network and [`Firewall::attach`] for each endpoint bring them back.
    ///
    /// # Errors
    /// When the kernel could not be asked.
    pub fn is_whole(&self) -> Result<bool> {
        self.whole(&mut nftables::open()?)
    }
}
