//! Requests about links, addresses and routes, from the types of `netlink-packet-route`.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::Emitable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, link};

use crate::netlink::{CREATE, EXCLUSIVE, REPLACE, Request};

pub(super) fn request(message: &RouteNetlinkMessage, flags: u16) -> Request {
    let mut body = vec![0; message.buffer_len()];
    message.emit(&mut body);
    Request { kind: message.message_type(), flags, body }
}

pub(super) fn link_message(attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes = attributes;
    message
}

/// Makes a link that may not be there yet.
pub(super) fn new_link(attributes: Vec<LinkAttribute>, flags: LinkFlags) -> Request {
    let mut message = link_message(attributes);
    message.header.flags = flags;
    message.header.change_mask = flags;
    request(&RouteNetlinkMessage::NewLink(message), CREATE | EXCLUSIVE)
}

/// Changes the link of this index, or, where that is 0, of the name among the attributes.
pub(super) fn change_link(index: u32, attributes: Vec<LinkAttribute>, up: Option<bool>) -> Request {
    let mut message = link_message(attributes);
    message.header.index = index;
    if let Some(up) = up {
        message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        message.header.change_mask = LinkFlags::Up;
    }
    request(&RouteNetlinkMessage::NewLink(message), 0)
}

/// Changes a port of a bridge.
pub(super) fn change_port(port: &str, settings: Vec<link::InfoBridgePort>) -> Request {
    let data = link::InfoPortData::BridgePort(settings);
    let info = vec![link::LinkInfo::PortKind(link::InfoPortKind::Bridge), link::LinkInfo::PortData(data)];
    change_link(0, vec![LinkAttribute::IfName(port.to_owned()), LinkAttribute::LinkInfo(info)], None)
}

pub(super) fn delete_link(name: &str) -> Request {
    request(&RouteNetlinkMessage::DelLink(link_message(vec![LinkAttribute::IfName(name.to_owned())])), 0)
}

pub(super) fn get_link(name: &str) -> Request {
    request(&RouteNetlinkMessage::GetLink(link_message(vec![LinkAttribute::IfName(name.to_owned())])), 0)
}

/// Gives an interface an address. IPv6 skips the search for duplicates: whoever gives out the addresses has made sure.
pub(super) fn new_address(index: u32, address: IpNet) -> Request {
    let mut message = AddressMessage::default();
    message.header.family = family(address.addr());
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    message.header.scope = AddressScope::Universe;
    message.attributes = vec![AddressAttribute::Address(address.addr()), AddressAttribute::Local(address.addr())];
    match address {
        IpNet::V4(net) if net.prefix_len() < 31 => {
            message.attributes.push(AddressAttribute::Broadcast(net.broadcast()));
        }
        IpNet::V4(_) => {}
        IpNet::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
    }
    request(&RouteNetlinkMessage::NewAddress(message), CREATE | REPLACE)
}

/// The default route by `gateway`.
pub(super) fn default_route(index: u32, gateway: IpAddr) -> Request {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(gateway),
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Boot,
        scope: RouteScope::Universe,
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    message.attributes = vec![RouteAttribute::Gateway(RouteAddress::from(gateway)), RouteAttribute::Oif(index)];
    request(&RouteNetlinkMessage::NewRoute(message), CREATE | REPLACE)
}

/// The same, taken away.
pub(super) fn no_default_route(index: u32, family: AddressFamily) -> Request {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.scope = RouteScope::NoWhere;
    message.attributes = vec![RouteAttribute::Oif(index)];
    request(&RouteNetlinkMessage::DelRoute(message), 0)
}

pub(super) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// `kind` with its data, as an attribute of a link.
pub(super) fn info(kind: link::InfoKind, data: Option<link::InfoData>) -> LinkAttribute {
    let mut info = vec![link::LinkInfo::Kind(kind)];
    info.extend(data.map(link::LinkInfo::Data));
    LinkAttribute::LinkInfo(info)
}
