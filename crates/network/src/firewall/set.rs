//! Sets and maps of nf_tables, and their elements.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::attributes::Attributes;
use crate::netlink::attributes_of;
use crate::port::Protocol;

/// A part of a key: its number among the types that nft(8) knows, and its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type(u32, u32);

impl Type {
    /// Its length in a key of several parts.
    pub(super) const fn padded(self) -> usize {
        self.1.next_multiple_of(4) as usize
    }
}

pub(super) const FAMILY: Type = Type(2, 1);
pub(super) const ADDRESS4: Type = Type(7, 4);
pub(super) const ADDRESS6: Type = Type(8, 16);
pub(super) const TRANSPORT: Type = Type(12, 1);
pub(super) const PORT: Type = Type(13, 2);
pub(super) const INTERFACE: Type = Type(41, 16);

/// `NFT_SET_INTERVAL`, `NFT_SET_MAP`, `NFT_SET_CONCAT`.
const INTERVAL: u32 = 0x4;
const MAP: u32 = 0x8;
const CONCATENATED: u32 = 0x80;

/// How elements are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// By their exact key: a hash table, whose changes cost the same at any size.
    Exact,
    /// By ranges in two or more parts of the key: the kernel copies the whole set at each change (`nft_set_pipapo`, Linux 5.6).
    Ranges,
}

/// A set, or a map where it has `data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) key: &'static [Type],
    pub(super) data: &'static [Type],
}

impl Set {
    /// What `NFT_MSG_NEWSET` wants beside the table; `number` is its own in the batch.
    pub(super) fn describe(&self, attributes: Attributes, number: u32) -> Attributes {
        let mut flags = 0;
        if self.shape == Shape::Ranges {
            flags |= INTERVAL | CONCATENATED;
        }
        if !self.data.is_empty() {
            flags |= MAP;
        }
        let mut attributes = attributes
            .text(2, self.name)
            .number(3, flags)
            .number(4, type_of(self.key))
            .number(5, length_of(self.key))
            .number(10, number);
        if self.key == [INTERFACE] {
            // What nft(8) needs to show names: `NFTNL_UDATA_SET_KEYBYTEORDER`, the host's.
            let order = [&[0, 4], &1_u32.to_ne_bytes()[..]].concat();
            attributes = attributes.bytes(13, &order);
        }
        if !self.data.is_empty() {
            attributes = attributes.number(6, type_of(self.data)).number(7, length_of(self.data));
        }
        if self.shape == Shape::Ranges {
            let fields = self
                .key
                .iter()
                .fold(Attributes::default(), |fields, part| fields.nested(1, &Attributes::default().number(1, part.1)));
            attributes = attributes.nested(9, &Attributes::default().nested(2, &fields));
        }
        attributes
    }
}

fn type_of(parts: &[Type]) -> u32 {
    parts.iter().fold(0, |sum, part| sum << 6 | part.0)
}

fn length_of(parts: &[Type]) -> u32 {
    match parts {
        [only] => only.1,
        parts => parts.iter().map(|part| part.1.next_multiple_of(4)).sum::<u32>(),
    }
}

/// A key or a value: each part begins at a multiple of four bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Value(pub(super) Vec<u8>);

impl Value {
    pub(super) fn interface(name: &str) -> Self {
        Self::default().then(&interface(name))
    }

    pub(super) fn address(address: IpAddr) -> Self {
        Self::default().and_address(address)
    }

    pub(super) fn and_interface(self, name: &str) -> Self {
        self.then(&interface(name))
    }

    pub(super) fn and_address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.then(&address.octets()),
            IpAddr::V6(address) => self.then(&address.octets()),
        }
    }

    pub(super) fn family(address: IpAddr) -> Self {
        Self::default().then(&[family_of(address)])
    }

    pub(super) fn transport(protocol: Protocol) -> Self {
        Self::default().and_transport(protocol)
    }

    pub(super) fn and_transport(self, protocol: Protocol) -> Self {
        self.then(&[protocol.number()])
    }

    pub(super) fn and_port(self, port: u16) -> Self {
        self.then(&port.to_be_bytes())
    }

    fn then(mut self, part: &[u8]) -> Self {
        self.0.extend(part);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }
}

/// An interface's name as the kernel compares it.
pub(super) fn interface(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    bytes
}

/// `NFPROTO_IPV4` or `NFPROTO_IPV6`.
pub(super) const fn family_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 2,
        IpAddr::V6(_) => 10,
    }
}

/// The first and the last address of `network`.
pub(super) fn ends(network: IpNet) -> [IpAddr; 2] {
    match network {
        IpNet::V4(network) => [network.network().into(), network.broadcast().into()],
        IpNet::V6(network) => [network.network().into(), network.broadcast().into()],
    }
}

/// Every address of the family of `address`.
pub(super) fn every(address: IpAddr) -> [IpAddr; 2] {
    match address {
        IpAddr::V4(_) => [IpAddr::from([0; 4]), IpAddr::from([255; 4])],
        IpAddr::V6(_) => [Ipv6Addr::UNSPECIFIED.into(), IpAddr::from([255; 16])],
    }
}

/// An element of a set or map.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Element {
    /// Its key, or the lower end of its range.
    pub(super) key: Value,
    /// The upper end.
    pub(super) end: Option<Value>,
    /// What a map has for it.
    pub(super) data: Option<Value>,
    /// Whose it is: nft(8) shows it as the element's comment.
    pub(super) owner: Option<String>,
}

impl Element {
    /// For `NFTA_SET_ELEM_LIST_ELEMENTS`, with everything.
    pub(super) fn whole(&self) -> Attributes {
        let mut attributes = self.bare();
        if let Some(data) = &self.data {
            attributes = attributes.nested(2, &value(data));
        }
        if let Some(owner) = &self.owner {
            attributes = attributes.bytes(6, &comment(owner));
        }
        attributes
    }

    /// As much as finds it.
    pub(super) fn bare(&self) -> Attributes {
        let attributes = Attributes::default().nested(1, &value(&self.key));
        match &self.end {
            Some(end) => attributes.nested(10, &value(end)),
            None => attributes,
        }
    }

    /// What the kernel tells of one.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut element = Self::default();
        for (kind, content) in attributes_of(bytes) {
            match kind {
                1 => element.key = parse_value(content),
                2 => element.data = Some(parse_value(content)),
                6 => element.owner = parse_comment(content),
                10 => element.end = Some(parse_value(content)),
                _ => {}
            }
        }
        element
    }
}

fn value(value: &Value) -> Attributes {
    Attributes::default().bytes(1, &value.0)
}

fn parse_value(bytes: &[u8]) -> Value {
    Value(attributes_of(bytes).find(|(kind, _)| *kind == 1).map(|(_, value)| value.to_vec()).unwrap_or_default())
}

/// A comment as nft(8) writes it into user data: type 0, length, at most 125 bytes of text and a zero byte.
pub(super) fn comment(text: &str) -> Vec<u8> {
    let mut comment = vec![0, 0];
    comment.extend(text.bytes().take(125));
    comment.push(0);
    comment[1] = u8::try_from(comment.len() - 2).unwrap_or(0);
    comment
}

/// The comment among user data: entries of type, length and content.
pub(super) fn parse_comment(mut bytes: &[u8]) -> Option<String> {
    while let [kind, length, rest @ ..] = bytes {
        let (content, rest) = rest.split_at_checked(usize::from(*length))?;
        if *kind == 0 {
            return Some(super::attributes::text(content));
        }
        bytes = rest;
    }
    None
}
