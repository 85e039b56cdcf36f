//! Questions to the servers outside, with their sockets: a fresh port for each question and server, so many at once and no more.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::exchange::{Exchange, RANDOM, SERVERS, Transport, Verdict};
use super::frames::{Frames, framed};
use super::poll::{Poll, Token};
use super::reply::empty;
use super::resolver::Client;
use super::wire::{Code, Query};

/// So many questions at once.
const EXCHANGES: usize = 64;
/// So many of them for one port or connection of the container.
const OF_ONE_CLIENT: usize = 16;
/// A negative answer waits so long for servers that come before its own in the list.
const GRACE: Duration = Duration::from_millis(300);
/// A server that let others wait is not waited for again for so long.
const DISTRUST: Duration = Duration::from_secs(30);
/// The most bytes that are read over TCP and not whole yet, all in all.
const HELD: usize = 128 << 10;

/// What a container's query came to. Those without an answer are dropped.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) client: Client,
    pub(super) query: Query,
    pub(super) answer: Vec<u8>,
}

#[derive(Debug)]
enum Link {
    Datagram(OwnedFd),
    Stream { socket: OwnedFd, unsent: Vec<u8>, read: Frames },
}

#[derive(Debug)]
struct Active {
    client: Client,
    exchange: Exchange,
    links: [Option<Link>; SERVERS],
    life: u32,
    resend: Instant,
    grace: Option<Instant>,
    deadline: Instant,
}

impl Active {
    fn wakes(&self) -> Instant {
        let next = self.deadline.min(self.resend);
        self.grace.map_or(next, |grace| grace.min(next))
    }
}

/// All questions that are open.
#[derive(Debug)]
pub(super) struct Upstreams {
    slots: Vec<Option<Active>>,
    lives: u32,
    servers: Vec<SocketAddr>,
    distrusted: [Option<Instant>; SERVERS],
    timeout: Duration,
    interval: Duration,
    poll: Arc<Poll>,
    finished: Vec<Finished>,
}

impl Upstreams {
    pub(super) fn new(poll: Arc<Poll>) -> Self {
        Self {
            slots: (0..EXCHANGES).map(|_| None).collect(),
            lives: 0,
            servers: Vec::new(),
            distrusted: [None; SERVERS],
            timeout: Duration::ZERO,
            interval: Duration::ZERO,
            poll,
            finished: Vec::new(),
        }
    }

    /// Takes other servers, and gives back what was open.
    pub(super) fn replace(&mut self, resolution: &super::Resolution) -> Vec<(Client, Query)> {
        self.servers = resolution.upstreams.iter().take(SERVERS).copied().collect();
        self.distrusted = [None; SERVERS];
        (self.timeout, self.interval) = (resolution.timeout(), resolution.interval());
        let open = self.slots.iter_mut().filter_map(Option::take);
        open.map(|active| (active.client, active.exchange.query().clone())).collect()
    }

    /// What has finished since this was asked for.
    pub(super) fn finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.finished)
    }

    /// When something is to be done next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.slots.iter().flatten().map(Active::wakes).min()
    }

    /// Asks all servers. A question that is open already, or one too many, is dropped.
    pub(super) fn begin(&mut self, client: Client, query: Query, now: Instant) {
        let repeated = |active: &Active| active.client == client && active.exchange.query().bytes() == query.bytes();
        if self.slots.iter().flatten().any(repeated) {
            return self.drop(client, query);
        }
        let Some(slot) = self.slot_for(client) else { return self.drop(client, query) };
        let mut random = [0; RANDOM];
        if !matches!(rustix::rand::getrandom(&mut random[..], rustix::rand::GetRandomFlags::empty()), Ok(RANDOM)) {
            return self.drop(client, query);
        }
        let trusted = self.distrusted.map(|until| until.is_none_or(|until| until <= now));
        let exchange = Exchange::new(query, &random, self.servers.len(), trusted);
        self.lives = self.lives.wrapping_add(1);
        let (life, links) = (self.lives, Default::default());
        let (resend, deadline) = (now + self.interval, now + self.timeout);
        self.slots[slot] = Some(Active { client, exchange, links, life, resend, grace: None, deadline });
        for server in 0..self.servers.len().max(1) {
            if self.open_datagram(slot, server).is_none() {
                self.fail(slot, server, now);
            }
        }
    }

    /// A place for a question of `client`: where all are taken, that of the oldest question of whoever has more than this one.
    fn slot_for(&mut self, client: Client) -> Option<usize> {
        let open = |client: Client| self.slots.iter().flatten().filter(|active| active.client == client).count();
        let mine = open(client);
        if mine >= OF_ONE_CLIENT {
            return None;
        }
        if let Some(free) = self.slots.iter().position(Option::is_none) {
            return Some(free);
        }
        let (_, slot) = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(slot, active)| active.as_ref().map(|active| (slot, active)))
            .map(|(slot, active)| ((open(active.client), std::cmp::Reverse(active.deadline)), slot))
            .max()
            .filter(|((theirs, _), _)| *theirs > mine + 1)?;
        let dropped = self.slots[slot].take()?;
        self.drop(dropped.client, dropped.exchange.query().clone());
        Some(slot)
    }

    /// Over UDP the client asks again; on a connection it would wait for ever.
    fn drop(&mut self, client: Client, query: Query) {
        if matches!(client, Client::Stream { .. }) {
            let answer = empty(&query, Code::Failed);
            self.finished.push(Finished { client, query, answer });
        }
    }

    fn open_datagram(&mut self, slot: usize, server: usize) -> Option<()> {
        let address = self.servers.get(server)?;
        let active = self.slots[slot].as_mut()?;
        let socket = connected(address, SocketType::DGRAM)?;
        let token = Token::Upstream { slot, server, life: active.life };
        self.poll.add(&socket, token, EventFlags::IN).ok()?;
        rustix::net::send(&socket, active.exchange.message(), SendFlags::NOSIGNAL).ok()?;
        active.links[server] = Some(Link::Datagram(socket));
        Some(())
    }

    fn open_stream(&mut self, slot: usize, server: usize) -> Option<()> {
        let address = self.servers.get(server)?;
        let active = self.slots[slot].as_mut()?;
        let socket = connected(address, SocketType::STREAM)?;
        let token = Token::Upstream { slot, server, life: active.life };
        self.poll.add(&socket, token, EventFlags::OUT).ok()?;
        let (unsent, read) = (framed(active.exchange.message()), Frames::default());
        active.links[server] = Some(Link::Stream { socket, unsent, read });
        Some(())
    }

    /// Reads and writes what is possible with a server.
    pub(super) fn ready(&mut self, (slot, server, life): (usize, usize, u32), buffer: &mut [u8], now: Instant) {
        // A forger may send much: the rest is for the next turn.
        for _ in 0..8 {
            let held = self.held();
            let Some(active) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
            let Some(link) = active.links[server].as_mut().filter(|_| active.life == life) else { return };
            let token = Token::Upstream { slot, server, life };
            let (transport, received) = match link {
                Link::Datagram(socket) => (Transport::Datagram, receive(socket, buffer)),
                Link::Stream { socket, unsent, read } => {
                    (Transport::Stream, converse(&self.poll, token, (socket, unsent, read), (buffer, held)))
                }
            };
            match received {
                Ok(length) => {
                    let verdict = active.exchange.heard(server, transport, &buffer[..length]);
                    self.follow((slot, server), verdict, now);
                }
                Err(Errno::AGAIN) => return,
                Err(_) => return self.fail(slot, server, now),
            }
        }
    }

    /// What is read over TCP and not whole yet.
    fn held(&self) -> usize {
        let links = self.slots.iter().flatten().flat_map(|active| active.links.iter().flatten());
        links.map(|link| if let Link::Stream { read, .. } = link { read.held() } else { 0 }).sum()
    }

    /// Nothing will come from a server any more.
    fn fail(&mut self, slot: usize, server: usize, now: Instant) {
        if let Some(active) = self.slots[slot].as_mut() {
            let verdict = active.exchange.failed(server);
            self.follow((slot, server), verdict, now);
        }
    }

    /// Does what follows from the word of a server.
    fn follow(&mut self, (slot, server): (usize, usize), verdict: Verdict, now: Instant) {
        let Some(active) = self.slots[slot].as_mut() else { return };
        match verdict {
            Verdict::Wait => {
                if !active.exchange.waits_for(server) {
                    active.links[server] = None;
                }
                if active.exchange.holds_back() {
                    active.grace.get_or_insert(now + GRACE);
                }
            }
            Verdict::Stream => {
                active.links[server] = None;
                if self.open_stream(slot, server).is_none() {
                    self.fail(slot, server, now);
                }
            }
            Verdict::Done(answer) => self.finish(slot, answer),
        }
    }

    fn finish(&mut self, slot: usize, answer: Vec<u8>) {
        if let Some(active) = self.slots[slot].take() {
            let query = active.exchange.query().clone();
            self.finished.push(Finished { client: active.client, query, answer });
        }
    }

    /// Asks again, and ends what has waited for too long.
    pub(super) fn elapse(&mut self, now: Instant) {
        for slot in 0..self.slots.len() {
            let Some(active) = self.slots[slot].as_mut().filter(|active| active.wakes() <= now) else { continue };
            let impatient = active.grace.is_some_and(|grace| grace <= now);
            if impatient || active.deadline <= now {
                for server in (0..self.servers.len()).filter(|server| active.exchange.waits_for(*server)) {
                    self.distrusted[server] = Some(now + DISTRUST);
                }
                let answer = active.exchange.conclude();
                self.finish(slot, answer);
                continue;
            }
            active.resend = now + self.interval;
            for link in active.links.iter().flatten() {
                if let Link::Datagram(socket) = link {
                    let _ = rustix::net::send(socket, active.exchange.message(), SendFlags::NOSIGNAL);
                }
            }
        }
    }
}

/// A socket that hears this server only; TCP may still be connecting.
fn connected(address: &SocketAddr, kind: SocketType) -> Option<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None).ok()?;
    match rustix::net::connect(&socket, address) {
        Ok(()) | Err(Errno::INPROGRESS) => Some(socket),
        Err(_) => None,
    }
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    match rustix::net::recv(socket, buffer, RecvFlags::empty()) {
        Ok((length, _)) => Ok(length),
        Err(Errno::INTR) => Err(Errno::AGAIN),
        Err(errno) => Err(errno),
    }
}

type Stream<'a> = (&'a OwnedFd, &'a mut Vec<u8>, &'a mut Frames);

/// Sends the question, then reads the answer into the buffer: its length once it is whole, `EAGAIN` before.
fn converse(
    poll: &Poll,
    token: Token,
    (socket, unsent, read): Stream<'_>,
    (buffer, held): (&mut [u8], usize),
) -> Result<usize, Errno> {
    if !unsent.is_empty() {
        let sent = rustix::net::send(socket, unsent, SendFlags::NOSIGNAL)?;
        unsent.drain(..sent);
        if unsent.is_empty() {
            poll.change(socket, token, EventFlags::IN)?;
        }
        return Err(Errno::AGAIN);
    }
    let length = receive(socket, buffer)?;
    if length == 0 || held + length > HELD {
        return Err(Errno::CONNRESET);
    }
    read.feed(&buffer[..length]);
    let message = read.take().ok_or(Errno::AGAIN)?;
    buffer[..message.len()].copy_from_slice(&message);
    Ok(message.len())
}
