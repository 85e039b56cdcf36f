//! Answers as bytes: our own, and those of others cut to what fits or dated back.

use std::net::IpAddr;

use super::wire::{Code, HEADER, INTERNET, Query, counts, flag, kind, question_end, records, u16_at, u32_at};

/// What we accept over UDP, as our own answers say.
const PAYLOAD: u16 = 1232;
/// Length of an OPT record without options.
const EXTENSION: usize = 11;

/// The answer to what could not be read as a query: a header that repeats its identifier.
#[must_use]
pub fn refusal(bytes: &[u8], code: Code) -> Vec<u8> {
    let mut answer = vec![0; HEADER];
    answer[..2].copy_from_slice(bytes.first_chunk::<2>().unwrap_or(&[0; 2]));
    let asked = u16_at(bytes, 2).unwrap_or_default() & (flag::OPERATION | flag::RECURSION_DESIRED);
    answer[2..4].copy_from_slice(&(asked | flag::ANSWER | code as u16).to_be_bytes());
    answer
}

/// An answer that is being written.
#[derive(Debug)]
pub struct Reply<'a> {
    query: &'a Query,
    bytes: Vec<u8>,
    room: usize,
    answers: u16,
}

impl<'a> Reply<'a> {
    /// One to `query` that may have `limit` bytes.
    #[must_use]
    pub fn new(query: &'a Query, limit: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + query.question().len() + 64);
        bytes.extend(query.id());
        let asked = query.flags() & (flag::RECURSION_DESIRED | flag::CHECKING_DISABLED);
        bytes.extend((asked | flag::ANSWER | flag::RECURSION_AVAILABLE).to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 0, 0, 0]);
        bytes.extend(query.question());
        let room = limit.saturating_sub(if query.extension().is_some() { EXTENSION } else { 0 });
        Self { query, bytes, room, answers: 0 }
    }

    /// Adds a record about the name that was asked for. One that has no room makes the answer a truncated one.
    fn push(&mut self, kind: u16, ttl: u32, data: &[u8]) {
        let Ok(length) = u16::try_from(data.len()) else { return };
        if self.bytes.len() + 12 + data.len() > self.room || self.bytes[2] & 2 != 0 {
            self.bytes[2] |= (flag::TRUNCATED >> 8) as u8;
            return;
        }
        self.bytes.extend([0xc0, HEADER as u8]);
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend(INTERNET.to_be_bytes());
        self.bytes.extend(ttl.to_be_bytes());
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(data);
        self.answers += 1;
    }

    /// Adds those of `addresses` that were asked for.
    #[must_use]
    pub fn addresses(mut self, addresses: &[IpAddr], ttl: u32) -> Self {
        for address in addresses {
            match (self.query.kind(), address) {
                (kind::A, IpAddr::V4(address)) => self.push(kind::A, ttl, &address.octets()),
                (kind::AAAA, IpAddr::V6(address)) => self.push(kind::AAAA, ttl, &address.octets()),
                _ => {}
            }
        }
        self
    }

    /// Adds the name of an address. What cannot be a name is left out.
    #[must_use]
    pub fn pointer(mut self, name: &str, ttl: u32) -> Self {
        if let Some(name) = encode(name) {
            self.push(kind::PTR, ttl, &name);
        }
        self
    }

    /// The whole answer.
    #[must_use]
    pub fn finish(mut self, code: Code) -> Vec<u8> {
        self.bytes[3] |= code as u8;
        self.bytes[6..8].copy_from_slice(&self.answers.to_be_bytes());
        if let Some(extension) = self.query.extension() {
            self.extend(0, extension.security);
        }
        self.bytes
    }

    /// The answer to a version of the extension that does not exist (`BADVERS`, RFC 6891 §6.1.3).
    #[must_use]
    pub fn bad_version(mut self) -> Vec<u8> {
        self.extend(1, self.query.extension().is_some_and(|extension| extension.security));
        self.bytes
    }

    fn extend(&mut self, code: u8, security: impl Into<u8>) {
        self.bytes.push(0);
        self.bytes.extend(kind::OPT.to_be_bytes());
        self.bytes.extend(PAYLOAD.to_be_bytes());
        self.bytes.extend([code, 0, security.into() << 7, 0, 0, 0]);
        self.bytes[11] = 1;
    }
}

/// An answer without records.
#[must_use]
pub fn empty(query: &Query, code: Code) -> Vec<u8> {
    Reply::new(query, usize::MAX).finish(code)
}

/// `name` as labels, if it can be: each of 1 to 63 bytes, 255 in all.
fn encode(name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    (bytes.len() <= 255).then_some(bytes)
}

/// `answer`, whose records are whole, in at most `limit` bytes: as many answers as fit, the extension, and the mark that some are missing.
///
/// Some libraries do not ask again over TCP and use what they get.
#[must_use]
pub fn shorten(mut answer: Vec<u8>, limit: usize) -> Vec<u8> {
    if answer.len() <= limit {
        return answer;
    }
    let extension = records(&answer).into_iter().flatten().flatten().find(|record| record.kind == kind::OPT);
    let extension = extension.map_or(Vec::new(), |record| answer[record.start..record.end].to_vec());
    let Some(mut kept) = question_end(&answer) else { return answer };
    let mut count = 0_u16;
    for record in records(&answer).into_iter().flatten().flatten() {
        if record.section != 0 || record.end + extension.len() > limit {
            break;
        }
        (kept, count) = (record.end, count + 1);
    }
    answer.truncate(kept);
    answer[2] |= (flag::TRUNCATED >> 8) as u8;
    answer[6..8].copy_from_slice(&count.to_be_bytes());
    answer[8..HEADER].fill(0);
    if !extension.is_empty() && kept + extension.len() <= limit {
        answer[11] = 1;
        answer.extend(extension);
    }
    answer
}

/// Takes `seconds` off every time to live.
pub(crate) fn age(answer: &mut [u8], seconds: u32) {
    let places: Vec<_> = records(answer)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|record| record.kind != kind::OPT)
        .map(|record| (record.ttl_at(), record.ttl))
        .collect();
    for (at, ttl) in places {
        answer[at..at + 4].copy_from_slice(&ttl.saturating_sub(seconds).to_be_bytes());
    }
}

/// How long an answer may be kept, in seconds: its shortest time to live; without answers, what the zone's SOA grants (RFC 2308 §5).
///
/// `None` for what must not be kept at all: failures, truncated answers, and empty ones without an SOA.
pub(crate) fn lifetime(answer: &[u8]) -> Option<u32> {
    let flags = u16_at(answer, 2)?;
    let fit = flags & flag::TRUNCATED == 0 && matches!(flags & 0xf, 0 | 3);
    let mut lifetime = (fit && counts(answer)[1] > 0 && flags & 0xf == 0).then_some(u32::MAX);
    if !fit {
        return None;
    }
    for record in records(answer)? {
        let record = record?;
        // The highest bit is no number (RFC 2181 §8).
        let mut ttl = if record.ttl >> 31 == 0 { record.ttl } else { 0 };
        match record.kind {
            kind::OPT => continue,
            kind::SOA if record.section == 1 => {
                let minimum = u32_at(answer, record.data.end.checked_sub(4)?)?;
                ttl = ttl.min(minimum);
                lifetime.get_or_insert(ttl);
            }
            _ => {}
        }
        lifetime = lifetime.map(|lifetime| lifetime.min(ttl));
    }
    lifetime.filter(|lifetime| *lifetime > 0)
}
