//! Deletes entries of connection tracking that lead to what is not there any more (`linux/netfilter/nfnetlink_conntrack.h`).
//!
//! A translation is decided once for each flow: a client that goes on sending UDP would reach the old container, or whoever has its address by then.
//! Reading the kernel's table costs time by its size, not by its use: 10 ms for 262,144 buckets, measured. So it is read once, or not at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{Failure, Result};
use rustix::io::Errno;

use super::attributes::{Attributes, number};
use super::nftables::answered;
use super::{EndpointRules, Firewall};
use crate::link;
use crate::netlink::{Request, Socket, attributes_of};
use crate::port::{Protocol, PublishedPort};

/// `NFNL_SUBSYS_CTNETLINK`, and its messages.
const SUBSYSTEM: u16 = 1;
const GET: u16 = 1;
const DELETE: u16 = 2;
const STATISTICS: u16 = 5;

/// `CTA_TUPLE_ORIG`, `CTA_TUPLE_REPLY`, `CTA_ID`, `CTA_ZONE`, `CTA_FILTER`.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const IDENTITY: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;

/// Up to so many entries are cheaper to receive all at once than to have the kernel look for some several times.
const FEW: u32 = 10_000;

/// One direction of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tuple {
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    protocol: u8,
    destination_port: u16,
}

/// A flow.
#[derive(Clone, Debug, Default)]
struct Entry {
    original: Tuple,
    reply: Tuple,
    /// The attributes that name it.
    name: Attributes,
}

/// What the kernel should look for; narrower than all, wider than what is deleted.
#[derive(Clone, Copy, Debug)]
enum Narrow {
    /// The address from which this direction comes.
    Source(u16, IpAddr),
    /// Flows of this protocol.
    Protocol(u8, Protocol),
}

impl Firewall {
    /// Deletes the entries of the endpoint's addresses: what comes from there, what goes there, and what is led there by a published port.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn forget_flows(&self, endpoint: &EndpointRules) -> Result<()> {
        let addresses = &endpoint.addresses;
        let narrow: Vec<_> = addresses
            .iter()
            .flat_map(|address| [Narrow::Source(ORIGINAL, *address), Narrow::Source(REPLY, *address)])
            .collect();
        let has = |address: Option<IpAddr>| address.is_some_and(|address| addresses.contains(&address));
        self.with_socket(|socket| {
            forget(socket, &narrow, |entry| has(entry.original.source) || has(entry.reply.source))
        })
    }

    /// Deletes the entries of UDP flows to these ports of the host, wherever they lead: a client that sent before is led to where the port now leads.
    ///
    /// Without UDP among the `published`, nothing is looked for: a TCP client connects anew.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn forget_ports(&self, published: &[PublishedPort]) -> Result<()> {
        let ports: Vec<_> = published.iter().filter(|port| port.protocol == Protocol::Udp).collect();
        if ports.is_empty() || self.with_socket(count)? == 0 {
            return Ok(());
        }
        let own: Vec<IpAddr> = link::addresses()?.into_iter().map(|(_, address)| address.addr()).collect();
        let narrow = [Narrow::Protocol(2, Protocol::Udp), Narrow::Protocol(10, Protocol::Udp)];
        let is_stale = |Entry { original, .. }: &Entry| {
            let Some(destination) = original.destination else { return false };
            let is_local = destination.is_loopback() || own.contains(&destination);
            let is_of = |port: &&PublishedPort| {
                let host = port.host_address.filter(|address| !address.is_unspecified());
                host.is_none_or(|address| address == destination)
                    && port.host_ports.contains(&original.destination_port)
            };
            is_local && original.protocol == Protocol::Udp.number() && ports.iter().any(is_of)
        };
        self.with_socket(|socket| forget(socket, &narrow, is_stale))
    }
}

fn forget(socket: &mut Socket, narrow: &[Narrow], is_stale: impl Fn(&Entry) -> bool) -> Result<()> {
    let requests = match count(socket)? {
        0 => return Ok(()),
        1..=FEW => vec![message(GET, Attributes::of_message(0, 0))],
        _ => narrow.iter().map(|narrow| message(GET, narrow.request())).collect(),
    };
    let mut stale = Vec::new();
    for request in requests {
        let answers = match socket.list(&request)? {
            Ok(answers) => answers,
            Err(refusal) => return Err(refusal.errno.into_error().context("list tracked connections")),
        };
        stale.extend(answers.iter().map(|answer| Entry::parse(&answer.body)).filter(&is_stale));
    }
    let requests: Vec<_> = stale
        .into_iter()
        .map(|entry| {
            let family = if entry.original.source.is_some_and(|source| source.is_ipv6()) { 10 } else { 2 };
            let body = [Attributes::of_message(family, 0).0, entry.name.0].concat();
            message(DELETE, Attributes(body))
        })
        .collect();
    for part in requests.chunks(256) {
        let refusals = socket.each(part)?;
        // An entry may end by itself meanwhile.
        if let Some(refusal) = refusals.into_iter().find(|refusal| refusal.errno != Errno::NOENT) {
            return Err(refusal.into_error("delete a tracked connection"));
        }
    }
    Ok(())
}

/// How many entries this network namespace has; none where the kernel tracks nothing.
fn count(socket: &mut Socket) -> Result<u32> {
    let answers = match socket.ask(&message(STATISTICS, Attributes::of_message(0, 0)))? {
        Ok(answers) => answers,
        Err(refusal) if matches!(refusal.errno, Errno::INVAL | Errno::OPNOTSUPP) => return Ok(0),
        Err(refusal) => return Err(refusal.errno.into_error().context("count tracked connections")),
    };
    let entries = answers.iter().flat_map(|answer| answered(&answer.body)).find(|(kind, _)| *kind == 1);
    Ok(entries.map_or(0, |(_, content)| number(content)))
}

fn message(kind: u16, body: Attributes) -> Request {
    Request { kind: SUBSYSTEM << 8 | kind, flags: 0, body: body.0 }
}

impl Narrow {
    /// With a filter of the kernel's (Linux 5.8): in which direction which parts of a tuple count.
    fn request(self) -> Attributes {
        let (family, direction, tuple, parts) = match self {
            Self::Source(direction, address) => {
                let (kind, bytes) = match address {
                    IpAddr::V4(address) => (1, address.octets().to_vec()),
                    IpAddr::V6(address) => (3, address.octets().to_vec()),
                };
                let tuple = Attributes::default().nested(1, &Attributes::default().bytes(kind, &bytes));
                (super::set::family_of(address), direction, tuple, 1_u32 << 0)
            }
            Self::Protocol(family, protocol) => {
                let content = Attributes::default().bytes(1, &[protocol.number()]);
                (family, ORIGINAL, Attributes::default().nested(2, &content), 1 << 3)
            }
        };
        let flags = |of: u16| if of == direction { parts } else { 0 }.to_ne_bytes();
        let filter = Attributes::default().bytes(1, &flags(ORIGINAL)).bytes(2, &flags(REPLY));
        Attributes::of_message(family, 0).nested(direction, &tuple).nested(FILTER, &filter)
    }
}

impl Entry {
    fn parse(body: &[u8]) -> Self {
        let mut entry = Self::default();
        for (kind, content) in answered(body) {
            match kind {
                ORIGINAL => {
                    entry.original = Tuple::parse(content);
                    entry.name = entry.name.nested(ORIGINAL, &Attributes(content.to_vec()));
                }
                REPLY => entry.reply = Tuple::parse(content),
                IDENTITY | ZONE => entry.name = entry.name.bytes(kind, content),
                _ => {}
            }
        }
        entry
    }
}

impl Tuple {
    fn parse(bytes: &[u8]) -> Self {
        let mut tuple = Self::default();
        for (kind, content) in attributes_of(bytes) {
            for (part, value) in attributes_of(content) {
                match (kind, part) {
                    (1, 1 | 3) => tuple.source = address(value),
                    (1, 2 | 4) => tuple.destination = address(value),
                    (2, 1) => tuple.protocol = value.first().copied().unwrap_or(0),
                    (2, 3) => tuple.destination_port = value.first_chunk().copied().map_or(0, u16::from_be_bytes),
                    _ => {}
                }
            }
        }
        tuple
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => bytes.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into()),
        _ => bytes.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).into()),
    }
}
