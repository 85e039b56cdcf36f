//! A synchronous netlink socket (netlink(7)): several requests in one message, every answer awaited.

use std::os::fd::OwnedFd;

use base::{Context, Error, Failure, Result};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
pub use sys::netlink::Family;

/// The answer to a request that is refused, and the mark of a list's end.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Flags of requests.
const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const DUMP: u16 = 0x300;
/// Flags of answers: the list changed while it was told; further attributes follow an error.
const INTERRUPTED: u16 = 0x10;
const ATTRIBUTES: u16 = 0x200;
/// Flags of requests that make something.
pub const CREATE: u16 = 0x400;
/// It may not be there yet.
pub const EXCLUSIVE: u16 = 0x200;
/// It takes the place of what is there.
pub const REPLACE: u16 = 0x100;

const HEADER: usize = 16;
/// Answers are told in pieces of at most 32 KiB.
const ANSWER: usize = 64 << 10;
/// Longer lists are refused rather than kept in memory.
const LIST_LIMIT: usize = 64 << 20;
/// A list that changes meanwhile is asked for again so often.
const ATTEMPTS: usize = 8;

/// A request without its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its type.
    pub kind: u16,
    /// Its flags beside those that every request has.
    pub flags: u16,
    /// The family's header and the attributes.
    pub body: Vec<u8>,
}

/// An answer without its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its type.
    pub kind: u16,
    /// The family's header and the attributes.
    pub body: Vec<u8>,
}

/// Which request of a batch the kernel refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Index of the request in the batch.
    pub index: usize,
    /// Why.
    pub errno: Errno,
    /// The same in the kernel's words, where it has some (Linux 4.12).
    pub reason: Option<String>,
}

impl Refusal {
    /// As an error about `action`.
    #[must_use]
    pub fn into_error(self, action: &str) -> Error {
        let error = self.errno.into_error();
        match self.reason {
            Some(reason) => error.context(format!("{action} ({reason})")),
            None => error.context(action),
        }
    }
}

/// A socket in the network namespace where it was opened.
#[derive(Debug)]
pub struct Socket {
    descriptor: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// Opens one in the network namespace of this thread.
    ///
    /// # Errors
    /// As [`sys::netlink::open`].
    pub fn open(family: Family) -> Result<Self> {
        let descriptor = sys::netlink::open(family).with_context(|| format!("open a netlink socket ({family:?})"))?;
        Ok(Self { descriptor, sequence: 0 })
    }

    /// Goes on with one that another process has opened.
    pub(crate) fn of(descriptor: OwnedFd) -> Self {
        // What the other may not have read is no answer to what is asked from here on.
        Self { descriptor, sequence: 1 << 31 }
    }

    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.descriptor
    }

    /// Sends all `requests` in one system call and awaits an answer to each.
    ///
    /// The kernel carries them out one after the other, also those after a refused one; nf_tables does all of a batch or nothing.
    ///
    /// # Errors
    /// The first refusal by the kernel is the inner error; the outer one says that it could not be asked.
    pub fn batch(&mut self, requests: &[Request]) -> Result<std::result::Result<(), Refusal>> {
        let refusals = self.each(requests)?;
        Ok(refusals.into_iter().next().map_or(Ok(()), Err))
    }

    /// As [`Socket::batch`], with every refusal, in the order of the requests.
    ///
    /// # Errors
    /// When the kernel could not be asked.
    pub fn each(&mut self, requests: &[Request]) -> Result<Vec<Refusal>> {
        let first = self.sequence.wrapping_add(1);
        let mut message = Vec::with_capacity(requests.iter().map(|request| HEADER + request.body.len() + 3).sum());
        for request in requests {
            self.put(&mut message, request, ACKNOWLEDGE)?;
        }
        self.send(&message)?;
        let mut refusals = Vec::new();
        let mut open = requests.len();
        let mut buffer = vec![0; ANSWER];
        while open > 0 {
            for part in parts(self.receive(&mut buffer)?) {
                let part = part?;
                let index = part.sequence.wrapping_sub(first) as usize;
                if part.kind != ERROR || index >= requests.len() {
                    continue;
                }
                open -= 1;
                refusals.extend(refusal(index, &part)?);
            }
        }
        refusals.sort_by_key(|refusal| refusal.index);
        Ok(refusals)
    }

    /// As [`Socket::each`] for `requests` that the kernel carries out together or not at all, between `begin` and `end`, which newer kernels may
    /// answer and older ones do not. What is said of the whole is a refusal of request 0.
    ///
    /// # Errors
    /// When the kernel could not be asked.
    pub fn enclosed(&mut self, begin: &Request, requests: &[Request], end: &Request) -> Result<Vec<Refusal>> {
        let first = self.sequence.wrapping_add(2);
        let mut message = Vec::with_capacity(requests.iter().map(|request| HEADER + request.body.len() + 3).sum());
        self.put(&mut message, begin, 0)?;
        for request in requests {
            self.put(&mut message, request, ACKNOWLEDGE)?;
        }
        self.put(&mut message, end, 0)?;
        self.send(&message)?;
        let mut refusals = Vec::new();
        let mut buffer = vec![0; ANSWER];
        let mut open = requests.len();
        // Everything is answered within the call that sends it; a batch that fails as a whole is answered once.
        while open > 0 {
            let answer = match rustix::net::recv(&self.descriptor, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) => &buffer[..length],
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) if !refusals.is_empty() => break,
                Err(errno) => return Err(errno).context("receive over netlink"),
            };
            for part in parts(answer) {
                let part = part?;
                let index = part.sequence.wrapping_sub(first) as usize;
                if part.kind != ERROR {
                    continue;
                }
                if index < requests.len() {
                    open -= usize::from(open > 0);
                    refusals.extend(refusal(index, &part)?);
                } else if part.sequence == first.wrapping_sub(1) {
                    refusals.extend(refusal(0, &part)?);
                }
            }
        }
        refusals.sort_by_key(|refusal| refusal.index);
        Ok(refusals)
    }

    /// Sends one request that is answered with data.
    ///
    /// # Errors
    /// As [`Socket::batch`].
    pub fn ask(&mut self, request: &Request) -> Result<std::result::Result<Vec<Answer>, Refusal>> {
        let mut message = Vec::new();
        self.put(&mut message, request, ACKNOWLEDGE)?;
        self.send(&message)?;
        self.collect().map(|(outcome, _)| outcome)
    }

    /// The same for several requests in one message; the outcomes in their order. All answers must fit into the socket's room: a few requests.
    ///
    /// # Errors
    /// As [`Socket::batch`].
    pub fn ask_each(&mut self, requests: &[Request]) -> Result<Vec<std::result::Result<Vec<Answer>, Refusal>>> {
        let first = self.sequence.wrapping_add(1);
        let mut message = Vec::new();
        for request in requests {
            self.put(&mut message, request, ACKNOWLEDGE)?;
        }
        self.send(&message)?;
        let mut outcomes: Vec<_> = requests.iter().map(|_| Ok(Vec::new())).collect();
        let mut open = requests.len();
        let mut buffer = vec![0; ANSWER];
        while open > 0 {
            for part in parts(self.receive(&mut buffer)?) {
                let part = part?;
                let index = part.sequence.wrapping_sub(first) as usize;
                let Some(outcome) = outcomes.get_mut(index) else { continue };
                if part.kind == ERROR {
                    open -= 1;
                    if let Some(refusal) = refusal(index, &part)? {
                        *outcome = Err(refusal);
                    }
                } else if let Ok(answers) = outcome {
                    answers.push(Answer { kind: part.kind, body: part.body.to_vec() });
                }
            }
        }
        Ok(outcomes)
    }

    /// Everything that `request` lists.
    ///
    /// # Errors
    /// As [`Socket::batch`]; `Unavailable` for a list that never stands still.
    pub fn list(&mut self, request: &Request) -> Result<std::result::Result<Vec<Answer>, Refusal>> {
        for _ in 0..ATTEMPTS {
            let mut message = Vec::new();
            self.put(&mut message, request, DUMP)?;
            self.send(&message)?;
            let (outcome, whole) = self.collect()?;
            if whole || outcome.is_err() {
                return Ok(outcome);
            }
        }
        Err(Error::unavailable("what the kernel should list over netlink changes all the time: try again"))
    }

    fn put(&mut self, message: &mut Vec<u8>, request: &Request, flags: u16) -> Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let length =
            u32::try_from(HEADER + request.body.len()).map_err(|_| Error::invalid("a netlink request is too long"))?;
        message.extend(length.to_ne_bytes());
        message.extend(request.kind.to_ne_bytes());
        message.extend((request.flags | REQUEST | flags).to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend(0_u32.to_ne_bytes());
        message.extend(&request.body);
        message.resize(message.len().next_multiple_of(4), 0);
        Ok(())
    }

    /// What answers the last request, and whether it stood still meanwhile.
    fn collect(&mut self) -> Result<(std::result::Result<Vec<Answer>, Refusal>, bool)> {
        let mut answers = Vec::new();
        let mut whole = true;
        let mut size = 0;
        let mut buffer = vec![0; ANSWER];
        loop {
            let sequence = self.sequence;
            for part in parts(self.receive(&mut buffer)?) {
                let part = part?;
                if part.sequence != sequence {
                    continue;
                }
                whole &= part.flags & INTERRUPTED == 0;
                match part.kind {
                    ERROR => return Ok((refusal(0, &part)?.map_or(Ok(answers), Err), whole)),
                    // A list that fails half-way says so at its end.
                    DONE => return Ok((refusal(0, &part)?.map_or(Ok(answers), Err), whole)),
                    kind => {
                        size += part.body.len();
                        if size > LIST_LIMIT {
                            return Err(Error::exhausted("the kernel lists more over netlink than fits in memory"));
                        }
                        answers.push(Answer { kind, body: part.body.to_vec() });
                    }
                }
            }
        }
    }

    fn send(&mut self, message: &[u8]) -> Result<()> {
        if message.len() > 100 << 10 {
            let room = u32::try_from(2 * message.len()).unwrap_or(u32::MAX);
            sys::netlink::make_room(&self.descriptor, room).context("make room for a netlink batch")?;
        }
        loop {
            match rustix::net::send(&self.descriptor, message, SendFlags::empty()) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).context("send over netlink"),
            }
        }
    }

    fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8]> {
        loop {
            match rustix::net::recv(&self.descriptor, &mut *buffer, RecvFlags::empty()) {
                Ok((length, _)) => return Ok(&buffer[..length]),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).context("receive over netlink"),
            }
        }
    }
}

/// One message of an answer.
struct Part<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

fn parts(mut bytes: &[u8]) -> impl Iterator<Item = Result<Part<'_>>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let Some((part, rest)) = part(bytes) else {
            bytes = &[];
            return Some(Err(Error::internal("the kernel answered over netlink with a torn message")));
        };
        bytes = rest;
        Some(Ok(part))
    })
}

fn part(bytes: &[u8]) -> Option<(Part<'_>, &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let message = bytes.get(..length)?;
    let kind = u16::from_ne_bytes(*message.get(4..)?.first_chunk()?);
    let flags = u16::from_ne_bytes(*message.get(6..)?.first_chunk()?);
    let sequence = u32::from_ne_bytes(*message.get(8..)?.first_chunk()?);
    let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((Part { kind, flags, sequence, body: message.get(HEADER..)? }, rest))
}

/// What an error message, or the end of a list, says; `None` for an acknowledgement.
fn refusal(index: usize, part: &Part<'_>) -> Result<Option<Refusal>> {
    // The kernel ends a list without an error in the shortest way.
    let Some(code) = part.body.first_chunk() else { return Ok(None) };
    let code = i32::from_ne_bytes(*code);
    if code == 0 {
        return Ok(None);
    }
    // After an error stands the header of the request, whose body is left out; a list's end has none.
    let start = if part.kind == ERROR { 4 + HEADER } else { 4 };
    let reason = if part.flags & ATTRIBUTES != 0 { part.body.get(start..).and_then(reason) } else { None };
    Ok(Some(Refusal { index, errno: Errno::from_raw_os_error(-code), reason }))
}

/// `NLMSGERR_ATTR_MSG` (1), the kernel's words.
fn reason(attributes: &[u8]) -> Option<String> {
    let (_, text) = attributes_of(attributes).find(|(kind, _)| *kind == 1)?;
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    Some(String::from_utf8_lossy(text).into_owned())
}

/// The attributes (`struct nlattr`) in `bytes`: type without its flags, and content; ends at the first torn one.
pub fn attributes_of(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?) & 0x3fff;
        let content = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, content))
    })
}
