//! Queries and answers as tests write and read them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const A: u16 = 1;
pub const SOA: u16 = 6;
pub const PTR: u16 = 12;
pub const MX: u16 = 15;
pub const TXT: u16 = 16;
pub const AAAA: u16 = 28;
pub const OPT: u16 = 41;
pub const RRSIG: u16 = 46;
pub const HTTPS: u16 = 65;

/// `name` in labels.
pub fn labels(name: &str) -> Vec<u8> {
    let labels: Vec<&[u8]> = name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes).collect();
    encode(&labels)
}

pub fn encode(labels: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in labels {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(*label);
    }
    bytes.push(0);
    bytes
}

/// A query with recursion desired.
pub fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    raw_query(id, &labels(name), kind)
}

pub fn raw_query(id: u16, name: &[u8], kind: u16) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend(name);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// A query with an extension: payload, whether DNSSEC's records are wanted (0x8000 or 0), options.
pub fn extended(mut query: Vec<u8>, payload: u16, flags: u16, options: &[u8]) -> Vec<u8> {
    query[11] = 1;
    query.push(0);
    query.extend(OPT.to_be_bytes());
    query.extend(payload.to_be_bytes());
    query.extend([0, 0]);
    query.extend(flags.to_be_bytes());
    query.extend(u16::try_from(options.len()).unwrap().to_be_bytes());
    query.extend(options);
    query
}

/// A record of an answer about the name that was asked for.
#[derive(Clone)]
pub struct Record {
    pub kind: u16,
    pub ttl: u32,
    pub data: Vec<u8>,
}

pub fn address(ttl: u32, address: &str) -> Record {
    match address.parse().unwrap() {
        IpAddr::V4(address) => Record { kind: A, ttl, data: address.octets().to_vec() },
        IpAddr::V6(address) => Record { kind: AAAA, ttl, data: address.octets().to_vec() },
    }
}

/// A zone's SOA that lets nothing be remembered longer than `minimum`.
pub fn authority(ttl: u32, minimum: u32) -> Record {
    let mut data = vec![0, 0];
    data.extend([0; 16]);
    data.extend(minimum.to_be_bytes());
    Record { kind: SOA, ttl, data }
}

/// The question of a message with one: name, type and class.
pub fn question(message: &[u8]) -> &[u8] {
    let name = message[12..].iter().position(|byte| *byte == 0).unwrap();
    &message[12..12 + name + 5]
}

/// Name in lower case and type of a query's question.
pub fn asked(query: &[u8]) -> (String, u16) {
    let question = question(query);
    let (mut name, mut at) = (String::new(), 0);
    while question[at] != 0 {
        let end = at + 1 + usize::from(question[at]);
        name.push_str(&String::from_utf8_lossy(&question[at + 1..end]).to_lowercase());
        name.push('.');
        at = end;
    }
    (name.trim_end_matches('.').to_owned(), u16::from_be_bytes([question[at + 1], question[at + 2]]))
}

/// An answer to `query`, with its extension if it has one.
pub fn respond(query: &[u8], code: u8, answers: &[Record], authority: &[Record]) -> Vec<u8> {
    let mut bytes = query[..2].to_vec();
    bytes.extend([0x81, 0x80 | code, 0, 1]);
    bytes.extend(u16::try_from(answers.len()).unwrap().to_be_bytes());
    bytes.extend(u16::try_from(authority.len()).unwrap().to_be_bytes());
    bytes.extend([0, query[11]]);
    bytes.extend(question(query));
    for record in answers.iter().chain(authority) {
        bytes.extend([0xc0, 12]);
        bytes.extend(record.kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes.extend(record.ttl.to_be_bytes());
        bytes.extend(u16::try_from(record.data.len()).unwrap().to_be_bytes());
        bytes.extend(&record.data);
    }
    if query[11] == 1 {
        bytes.extend([0, 0, 41, 4, 208, 0, 0]);
        bytes.extend(&query[12 + question(query).len() + 7..][..2]);
        bytes.extend([0, 0]);
    }
    bytes
}

/// What an answer says.
#[derive(Debug)]
pub struct Answer {
    pub bytes: Vec<u8>,
    pub code: u8,
    pub truncated: bool,
    /// Kinds, times to live and data of all records.
    pub records: Vec<(u16, u32, Vec<u8>)>,
}

impl Answer {
    pub fn read(bytes: &[u8]) -> Self {
        let records = network::names::wire::records(bytes).unwrap().map(|record| record.expect("a whole record"));
        let records = records.map(|record| (record.kind, record.ttl, bytes[record.data].to_vec())).collect();
        Self { bytes: bytes.to_vec(), code: bytes[3] & 0xf, truncated: bytes[2] & 2 != 0, records }
    }

    /// The addresses, in their order.
    pub fn addresses(&self) -> Vec<String> {
        let text = |(kind, _, data): &(u16, u32, Vec<u8>)| match *kind {
            A => Some(Ipv4Addr::from(<[u8; 4]>::try_from(&data[..]).unwrap()).to_string()),
            AAAA => Some(Ipv6Addr::from(<[u8; 16]>::try_from(&data[..]).unwrap()).to_string()),
            _ => None,
        };
        self.records.iter().filter_map(text).collect()
    }

    /// Code and number of records, but the extension.
    pub fn shape(&self) -> (u8, usize) {
        (self.code, self.records.iter().filter(|(kind, ..)| *kind != OPT).count())
    }
}
