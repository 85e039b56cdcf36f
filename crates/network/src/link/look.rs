//! What there is: links, addresses, routes.

use std::net::IpAddr;

use base::{Context, Error, Result};
use ipnet::IpNet;
use netlink_packet_core::Parseable;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;

use super::message;
use crate::netlink::{Answer, Family, Socket};

/// An interface of the namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What somebody called it beside that.
    pub alias: String,
    /// Its maximum transmission unit, in bytes.
    pub mtu: u32,
    /// The bridge that it is a port of; 0: none.
    pub controller: u32,
    /// Its hardware address.
    pub address: Vec<u8>,
    /// Whether it is up.
    pub is_up: bool,
}

/// The interface of this name; `None` where there is none.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn find(name: &str) -> Result<Option<Link>> {
    let mut socket = Socket::open(Family::Route)?;
    find_by(&mut socket, name)
}

pub(super) fn find_by(socket: &mut Socket, name: &str) -> Result<Option<Link>> {
    match socket.ask(&message::get_link(name))? {
        Ok(answers) => answers.iter().map(link).next().transpose(),
        Err(refusal) if refusal.errno == Errno::NODEV => Ok(None),
        Err(refusal) => Err(refusal.into_error(&format!("look for the interface {name}"))),
    }
}

/// All interfaces of the namespace.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn links() -> Result<Vec<Link>> {
    let request = message::request(&RouteNetlinkMessage::GetLink(LinkMessage::default()), 0);
    list("the interfaces", &request)?.iter().map(link).collect()
}

/// All addresses of the namespace's interfaces, with the interface's index.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn addresses() -> Result<Vec<(u32, IpNet)>> {
    let request = message::request(&RouteNetlinkMessage::GetAddress(AddressMessage::default()), 0);
    let mut addresses = Vec::new();
    for answer in list("the addresses", &request)? {
        let message = AddressMessage::parse(&answer.body[..]).map_err(torn)?;
        let local = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        });
        let address = local.or_else(|| {
            message.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Address(address) => Some(*address),
                _ => None,
            })
        });
        let net = address.and_then(|address| IpNet::new(address, message.header.prefix_len).ok());
        addresses.extend(net.map(|net| (message.header.index, net)));
    }
    Ok(addresses)
}

/// Destinations of the host's routes other than the default ones, with the interface's index: what a new network must not overlap.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn routes() -> Result<Vec<(u32, IpNet)>> {
    Ok(all_routes()?
        .into_iter()
        .filter(|(_, net, _)| net.prefix_len() > 0)
        .map(|(index, net, _)| (index, net))
        .collect())
}

/// The interface over which the host reaches the rest of the world: that of its default route with the lowest metric.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn uplink() -> Result<Option<Link>> {
    let defaults = all_routes()?.into_iter().filter(|(_, net, _)| net.prefix_len() == 0);
    let Some((index, ..)) = defaults.min_by_key(|(_, net, metric)| (*metric, net.addr().is_ipv6())) else {
        return Ok(None);
    };
    Ok(links()?.into_iter().find(|link| link.index == index))
}

/// Names of the interfaces with a default route of IPv6 that came by `protocol`.
///
/// # Errors
/// When the kernel cannot be asked.
pub(crate) fn default_route_interfaces(protocol: RouteProtocol) -> Result<Vec<String>> {
    let messages = route_messages(AddressFamily::Inet6)?;
    let defaults = messages
        .iter()
        .filter(|message| message.header.destination_prefix_length == 0 && message.header.protocol == protocol);
    let indices: Vec<u32> = defaults.filter_map(route).map(|(index, ..)| index).collect();
    if indices.is_empty() {
        return Ok(Vec::new());
    }
    Ok(links()?.into_iter().filter(|link| indices.contains(&link.index)).map(|link| link.name).collect())
}

fn all_routes() -> Result<Vec<(u32, IpNet, u32)>> {
    let mut routes = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        routes.extend(route_messages(family)?.iter().filter_map(route));
    }
    Ok(routes)
}

fn route_messages(family: AddressFamily) -> Result<Vec<RouteMessage>> {
    let mut asked = RouteMessage::default();
    asked.header.address_family = family;
    let request = message::request(&RouteNetlinkMessage::GetRoute(asked), 0);
    list("the routes", &request)?.iter().map(|answer| RouteMessage::parse(&answer.body[..]).map_err(torn)).collect()
}

/// Interface, destination and metric of a unicast route outside of the table of local addresses.
fn route(message: &RouteMessage) -> Option<(u32, IpNet, u32)> {
    const LOCAL: u32 = 255;
    let header = &message.header;
    let mut table = u32::from(header.table);
    let (mut index, mut metric) = (0, 0);
    let mut destination: IpAddr =
        if header.address_family == AddressFamily::Inet { [0; 4].into() } else { [0; 16].into() };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => destination = IpAddr::V4(*address),
            RouteAttribute::Destination(RouteAddress::Inet6(address)) => destination = IpAddr::V6(*address),
            RouteAttribute::Oif(oif) => index = *oif,
            RouteAttribute::Priority(priority) => metric = *priority,
            RouteAttribute::Table(number) => table = *number,
            _ => {}
        }
    }
    let is_plain = header.kind == RouteType::Unicast && table != LOCAL && header.table != RouteHeader::RT_TABLE_UNSPEC;
    is_plain.then_some(())?;
    Some((index, IpNet::new(destination, header.destination_prefix_length).ok()?, metric))
}

fn list(what: &str, request: &crate::netlink::Request) -> Result<Vec<Answer>> {
    let mut socket = Socket::open(Family::Route)?;
    match socket.list(request)? {
        Ok(answers) => Ok(answers),
        // A host without IPv6.
        Err(refusal) if matches!(refusal.errno, Errno::OPNOTSUPP | Errno::AFNOSUPPORT) => Ok(Vec::new()),
        Err(refusal) => Err(refusal.into_error(&format!("list {what}"))),
    }
}

fn link(answer: &Answer) -> Result<Link> {
    let message = LinkMessage::parse(&answer.body[..]).map_err(torn).context("look at an interface")?;
    let mut link =
        Link { index: message.header.index, is_up: message.header.flags.contains(LinkFlags::Up), ..Link::default() };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::IfAlias(alias) => link.alias = alias,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Controller(index) => link.controller = index,
            LinkAttribute::Address(address) => link.address = address,
            _ => {}
        }
    }
    Ok(link)
}

fn torn(error: netlink_packet_core::DecodeError) -> Error {
    Error::internal(format!("the kernel answered over netlink with what cannot be read: {error}"))
}
