//! One question to the servers outside, without its sockets: what is sent, and what each thing that is heard means. Pure.

use super::reply::empty;
use super::wire::{Code, HEADER, Query, counts, flag, records, same_question, u16_at};

/// So many servers are asked, the first ones, as by C libraries (resolv.conf(5)).
pub const SERVERS: usize = 3;
/// Random bytes that an exchange needs.
pub const RANDOM: usize = 34;
/// Longer answers are not kept while others are waited for.
const LONGEST_SPARE: usize = 2048;

/// What an answer came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Datagram,
    /// TCP.
    Stream,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Wait,
    /// This server is to be asked again, over TCP.
    Stream,
    /// This is the answer to the container.
    Done(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Silent,
    Negative,
    Failed,
}

/// A question that was sent to all servers at once, with an identifier and a spelling that nobody else can know.
#[derive(Clone, Debug)]
pub struct Exchange {
    query: Query,
    sent: Vec<u8>,
    servers: Vec<Server>,
    /// Servers whose word is waited for before another one's "no such name" is believed.
    trusted: [bool; SERVERS],
    negative: Option<(usize, Vec<u8>)>,
    truncated: Option<Vec<u8>>,
    code: Option<u8>,
}

impl Exchange {
    /// A question to `count` servers, at most [`SERVERS`]; `trusted` are those that answered lately.
    #[must_use]
    pub fn new(query: Query, random: &[u8; RANDOM], count: usize, trusted: [bool; SERVERS]) -> Self {
        let mut sent = query.bytes().to_vec();
        sent[..2].copy_from_slice(&random[..2]);
        // Letters are spelled at random; servers repeat a question as it was (draft-vixie-dnsext-dns0x20).
        let name_end = HEADER + query.question().len() - 4;
        for (index, byte) in sent[HEADER..name_end].iter_mut().enumerate() {
            if byte.is_ascii_alphabetic() && random[2 + index / 8 % 32] >> (index % 8) & 1 == 1 {
                *byte ^= 0x20;
            }
        }
        let servers = vec![Server::Silent; count.min(SERVERS)];
        Self { query, sent, servers, trusted, negative: None, truncated: None, code: None }
    }

    /// The message for every server.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.sent
    }

    /// What the container asked.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Whether this server has said nothing so far.
    #[must_use]
    pub fn waits_for(&self, server: usize) -> bool {
        self.servers.get(server) == Some(&Server::Silent)
    }

    /// Judges a message that came from the address of `server`.
    pub fn heard(&mut self, server: usize, transport: Transport, message: &[u8]) -> Verdict {
        if !self.waits_for(server) {
            return Verdict::Wait;
        }
        let Some(flags) = self.flags_of_answer(message) else { return Verdict::Wait };
        let code = flags & 0xf;
        if !matches!(code, 0 | 3) {
            self.code = self.code.filter(|code| *code != Code::Failed as u8).or(Some(code as u8));
            return self.failed(server);
        }
        let question = HEADER..HEADER + self.query.question().len();
        let Some(repeated) = message.get(question.clone()).filter(|_| counts(message)[0] == 1) else {
            return Verdict::Wait;
        };
        // Over TCP nobody else can answer, so the spelling proves nothing.
        if transport == Transport::Datagram && *repeated != self.sent[question.clone()] {
            return Verdict::Stream;
        }
        let whole = records(message).is_some_and(|mut records| records.all(|record| record.is_some()));
        if !whole && flags & flag::TRUNCATED == 0 {
            return Verdict::Wait;
        }
        let mut answer = message.to_vec();
        answer[..2].copy_from_slice(&self.query.id());
        answer[question].copy_from_slice(self.query.question());
        if flags & flag::TRUNCATED != 0 {
            if whole && answer.len() <= LONGEST_SPARE {
                self.truncated = Some(answer);
            }
            return if transport == Transport::Datagram { Verdict::Stream } else { self.failed(server) };
        }
        if code == 0 && counts(message)[1] > 0 || answer.len() > LONGEST_SPARE {
            return Verdict::Done(answer);
        }
        self.servers[server] = Server::Negative;
        if self.negative.as_ref().is_none_or(|(other, _)| server < *other) {
            self.negative = Some((server, answer));
        }
        self.settle()
    }

    /// Nothing will come from this server any more.
    pub fn failed(&mut self, server: usize) -> Verdict {
        if let Some(server) = self.servers.get_mut(server).filter(|server| **server == Server::Silent) {
            *server = Server::Failed;
        }
        self.settle()
    }

    /// Whether a "no such name" is only held back for servers that come before in the list.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        self.negative.is_some()
    }

    /// The best that can be told now: what was held back, what did not fit, or the failure.
    #[must_use]
    pub fn conclude(&mut self) -> Vec<u8> {
        if let Some((_, answer)) = self.negative.take() {
            return answer;
        }
        if let Some(answer) = self.truncated.take() {
            return answer;
        }
        let mut answer = empty(&self.query, Code::Failed);
        answer[3] = answer[3] & 0xf0 | self.code.unwrap_or(Code::Failed as u8);
        answer
    }

    fn settle(&mut self) -> Verdict {
        let silent = |(index, server): (usize, &Server)| (*server == Server::Silent).then_some(index);
        let awaited = match &self.negative {
            Some((heard, _)) => {
                self.servers[..*heard].iter().enumerate().filter_map(silent).any(|index| self.trusted[index])
            }
            None => self.servers.iter().enumerate().filter_map(silent).next().is_some(),
        };
        if awaited { Verdict::Wait } else { Verdict::Done(self.conclude()) }
    }

    /// The flags of what can be an answer to this question: its identifier, its question. A failure may leave out the question.
    fn flags_of_answer(&self, message: &[u8]) -> Option<u16> {
        let flags = u16_at(message, 2).filter(|flags| flags & (flag::ANSWER | flag::OPERATION) == flag::ANSWER)?;
        let question = HEADER..HEADER + self.query.question().len();
        let about_it = match counts(message)[0] {
            0 => message.len() >= HEADER,
            1 => same_question(message.get(question.clone())?, &self.sent[question]),
            _ => false,
        };
        (message[..2] == self.sent[..2] && about_it).then_some(flags)
    }
}
