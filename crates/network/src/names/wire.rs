//! DNS messages as bytes (RFC 1035 §4, RFC 6891): what a forwarder has to read of them. Pure; everything here is fed with hostile bytes.
//!
//! What is not understood is not interpreted: records are walked over, never decoded, and go on to the container as they came.

use std::ops::Range;

/// Length of a message's header.
pub const HEADER: usize = 12;
/// Longer queries are refused: no resolver library sends one.
pub const LONGEST_QUERY: usize = 1232;
/// What an answer may be long over UDP if the query says nothing.
pub const PLAIN_PAYLOAD: usize = 512;

/// Record types that have a meaning here.
pub mod kind {
    /// An IPv4 address.
    pub const A: u16 = 1;
    /// The start of a zone of authority, which dates what does not exist (RFC 2308).
    pub const SOA: u16 = 6;
    /// A name for an address.
    pub const PTR: u16 = 12;
    /// An IPv6 address.
    pub const AAAA: u16 = 28;
    /// The extension of the header (RFC 6891).
    pub const OPT: u16 = 41;
    /// Transfers of zones, which are no business of a container's resolver.
    pub const TRANSFERS: [u16; 2] = [251, 252];
}

/// The class of everything on the Internet.
pub const INTERNET: u16 = 1;

/// How a question ended (RFC 1035 §4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// There is an answer, or the name exists without one.
    Fine = 0,
    /// The query is no DNS.
    Malformed = 1,
    /// Nobody could tell.
    Failed = 2,
    /// The name does not exist.
    NoSuchName = 3,
    /// This kind of query is not served.
    NotImplemented = 4,
    /// It may not be asked.
    Refused = 5,
}

/// Flags of the header's second word.
pub(crate) mod flag {
    pub(crate) const ANSWER: u16 = 0x8000;
    pub(crate) const OPERATION: u16 = 0x7800;
    pub(crate) const TRUNCATED: u16 = 0x0200;
    pub(crate) const RECURSION_DESIRED: u16 = 0x0100;
    pub(crate) const RECURSION_AVAILABLE: u16 = 0x0080;
    pub(crate) const AUTHENTIC: u16 = 0x0020;
    pub(crate) const CHECKING_DISABLED: u16 = 0x0010;
}

/// What the OPT record of a query says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// How long an answer over UDP may be.
    pub payload: u16,
    /// Its version; 0 is the only one.
    pub version: u8,
    /// Whether DNSSEC's records are wanted.
    pub security: bool,
    /// Whether there are options, which may make the answer one for this query only.
    pub options: bool,
}

/// A query with one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    bytes: Vec<u8>,
    question_end: usize,
    extension: Option<Extension>,
}

/// Why there is no [`Query`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not even a query: an answer to it could go round in circles.
    Silent,
    /// It is answered with this.
    Answered(Code),
}

impl Query {
    /// Reads a query with exactly one question and nothing else but additional records.
    ///
    /// # Errors
    /// How it is to be answered instead, see [`refusal`](super::reply::refusal).
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let malformed = Unreadable::Answered(Code::Malformed);
        let flags = u16_at(bytes, 2).filter(|_| bytes.len() >= HEADER).ok_or(Unreadable::Silent)?;
        if flags & flag::ANSWER != 0 {
            return Err(Unreadable::Silent);
        }
        if flags & flag::OPERATION != 0 {
            return Err(Unreadable::Answered(Code::NotImplemented));
        }
        if bytes.len() > LONGEST_QUERY || counts(bytes)[..3] != [1, 0, 0] {
            return Err(malformed);
        }
        let name = bytes.get(HEADER..).and_then(plain_name_length).ok_or(malformed)?;
        let question_end = HEADER + name + 4;
        if question_end > bytes.len() {
            return Err(malformed);
        }
        let mut end = question_end;
        let mut extension = None;
        for record in records(bytes).ok_or(malformed)? {
            let record = record.ok_or(malformed)?;
            if record.kind == kind::OPT {
                let alone = extension.is_none() && record.start + 11 + record.data.len() == record.end;
                if !alone {
                    return Err(malformed);
                }
                extension = Some(Extension {
                    payload: record.class,
                    version: (record.ttl >> 16) as u8,
                    security: record.ttl & 0x8000 != 0,
                    options: !record.data.is_empty(),
                });
            }
            end = record.end;
        }
        if end == bytes.len() { Ok(Self { bytes: bytes.to_vec(), question_end, extension }) } else { Err(malformed) }
    }

    /// The whole message.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The question: name, type and class.
    #[must_use]
    pub fn question(&self) -> &[u8] {
        &self.bytes[HEADER..self.question_end]
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> [u8; 2] {
        [self.bytes[0], self.bytes[1]]
    }

    /// The type that is asked for.
    #[must_use]
    pub fn kind(&self) -> u16 {
        u16_at(&self.bytes, self.question_end - 4).unwrap_or_default()
    }

    /// The class that is asked for.
    #[must_use]
    pub fn class(&self) -> u16 {
        u16_at(&self.bytes, self.question_end - 2).unwrap_or_default()
    }

    /// Flags of the header.
    pub(crate) fn flags(&self) -> u16 {
        u16_at(&self.bytes, 2).unwrap_or_default()
    }

    /// What its OPT record says, if it has one.
    #[must_use]
    pub fn extension(&self) -> Option<Extension> {
        self.extension
    }

    /// How long an answer over UDP may be.
    #[must_use]
    pub fn payload(&self) -> usize {
        self.extension.map_or(PLAIN_PAYLOAD, |extension| usize::from(extension.payload).max(PLAIN_PAYLOAD))
    }

    /// The name in lower case with dots between its labels, if it is one that a container can have: `a` to `z`, digits, `_` and `-` only.
    ///
    /// Such a name has no empty label, no dot but the borders, at most 253 bytes, and is therefore safe as the name of a file.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let mut labels = &self.bytes[HEADER..self.question_end - 5];
        let mut name = String::with_capacity(labels.len());
        while let Some((length, rest)) = labels.split_first() {
            let (label, rest) = rest.split_at_checked(usize::from(*length))?;
            if !name.is_empty() {
                name.push('.');
            }
            for byte in label {
                let allowed = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
                name.push(char::from(if allowed { byte.to_ascii_lowercase() } else { return None }));
            }
            labels = rest;
        }
        Some(name).filter(|name| !name.is_empty())
    }

    /// What makes two queries the same to a cache; `None` for one whose options may make its answer one of a kind.
    #[must_use]
    pub fn key(&self) -> Option<Vec<u8>> {
        const KEPT: u16 = flag::RECURSION_DESIRED | flag::AUTHENTIC | flag::CHECKING_DISABLED;
        if self.extension.is_some_and(|extension| extension.options) {
            return None;
        }
        let extension = self.extension.map_or(0, |extension| 1 | (u16::from(extension.security) << 1));
        let mut key = self.question().to_ascii_lowercase();
        // Type and class are numbers, not letters.
        let numbers = key.len() - 4;
        key[numbers..].copy_from_slice(&self.question()[numbers..]);
        key.extend(((self.flags() & KEPT) | extension).to_be_bytes());
        Some(key)
    }
}

/// One record behind the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it begins.
    pub start: usize,
    /// 0 for answers, 1 for authority, 2 for additional ones.
    pub section: usize,
    /// Its type.
    pub kind: u16,
    /// Its class; the payload size of an OPT.
    pub class: u16,
    /// Its time to live in seconds; flags of an OPT.
    pub ttl: u32,
    /// Its data.
    pub data: Range<usize>,
    /// Where it ends.
    pub end: usize,
}

impl Record {
    /// Where its time to live stands.
    pub(crate) fn ttl_at(&self) -> usize {
        self.data.start - 6
    }
}

/// All records behind the one question, or the none, of a message; `None` instead of the first that is torn. There may be bytes behind the last one.
///
/// `None` where even the question is torn.
pub fn records(bytes: &[u8]) -> Option<impl Iterator<Item = Option<Record>> + '_> {
    let [_, mut left @ ..] = counts(bytes);
    let mut at = question_end(bytes)?;
    Some(std::iter::from_fn(move || {
        let section = left.iter().position(|left| *left > 0)?;
        left[section] -= 1;
        let record = record(bytes, at, section);
        match &record {
            Some(record) => at = record.end,
            None => left = [0; 3],
        }
        Some(record)
    }))
}

/// Where the one question of a message ends, or the header where there is none.
pub(crate) fn question_end(bytes: &[u8]) -> Option<usize> {
    match counts(bytes)[0] {
        0 => Some(HEADER),
        1 => Some(name_end(bytes, HEADER)? + 4),
        _ => None,
    }
    .filter(|end| *end <= bytes.len())
}

/// Whether two questions ask the same in any spelling.
pub(crate) fn same_question(one: &[u8], other: &[u8]) -> bool {
    let Some((name, numbers)) = one.split_last_chunk::<4>() else { return false };
    let Some((other_name, other_numbers)) = other.split_last_chunk::<4>() else { return false };
    name.eq_ignore_ascii_case(other_name) && numbers == other_numbers
}

fn record(bytes: &[u8], start: usize, section: usize) -> Option<Record> {
    let fixed = name_end(bytes, start)?;
    let data = fixed + 10..fixed + 10 + usize::from(u16_at(bytes, fixed + 8)?);
    let end = data.end;
    (end <= bytes.len()).then_some(Record {
        start,
        section,
        kind: u16_at(bytes, fixed)?,
        class: u16_at(bytes, fixed + 2)?,
        ttl: u32_at(bytes, fixed + 4)?,
        data,
        end,
    })
}

/// Where the name at `at` ends: behind its root label or behind its first pointer, which is not followed.
fn name_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0.. => return (at + 2 <= bytes.len()).then_some(at + 2),
            _ => return None,
        }
    }
}

/// Length of the name at the head of `bytes`, which has no pointers and the length of a name.
fn plain_name_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 if at + usize::from(length) < 254 => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}

/// Numbers of questions, answers, authority and additional records; zeros where there is no whole header.
pub(crate) fn counts(bytes: &[u8]) -> [u16; 4] {
    [4, 6, 8, 10].map(|at| u16_at(bytes, at).unwrap_or_default())
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
