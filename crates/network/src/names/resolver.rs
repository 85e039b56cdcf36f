//! The loop of a resolver.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Instant;

use base::{Context, Result};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::cache::Cache;
use super::connections::{CONNECTIONS, Connections};
use super::control::{Control, Order, Orders};
use super::directory::{self, Known};
use super::poll::{BATCH, Poll, Token};
use super::reply::{Reply, empty, refusal, shorten};
use super::upstreams::Upstreams;
use super::wire::{Code, INTERNET, Query, Unreadable, kind};
use super::{LIFETIME, Listening, Network, Resolution};

/// The longest message.
const LONGEST: usize = 65_535;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// A UDP socket of the container.
    Datagram(SocketAddrV4),
    /// A connection.
    Stream { slot: usize, life: u32 },
}

/// Answers the queries of one container.
#[derive(Debug)]
pub struct Resolver {
    listening: Listening,
    resolution: Resolution,
    networks: Vec<Network>,
    orders: Arc<Orders>,
    poll: Arc<Poll>,
    connections: Connections,
    upstreams: Upstreams,
    cache: Cache,
    turn: usize,
}

impl Resolver {
    /// A resolver on the sockets of [`listen`](super::listen), and the hand on it. Everything that is needed before it runs is made here.
    ///
    /// `networks` are asked in their order.
    ///
    /// # Errors
    /// When the kernel refuses an epoll instance or an eventfd.
    pub fn new(listening: Listening, resolution: Resolution, networks: Vec<Network>) -> Result<(Self, Control)> {
        let poll = Arc::new(Poll::new()?);
        let orders = Arc::new(Orders::new()?);
        let waited = [(&listening.udp, Token::Udp), (&listening.tcp, Token::Tcp), (&orders.bell, Token::Bell)];
        for (descriptor, token) in waited {
            poll.add(descriptor, token, EventFlags::IN).context("wait for a container's queries")?;
        }
        let mut upstreams = Upstreams::new(Arc::clone(&poll));
        upstreams.replace(&resolution);
        let connections = Connections::new(Arc::clone(&poll));
        let control = Control(Arc::clone(&orders));
        let cache = Cache::default();
        Ok((Self { listening, resolution, networks, orders, poll, connections, upstreams, cache, turn: 0 }, control))
    }

    /// Answers until the [`Control`] is dropped; the sockets are closed then. Servers are asked from the network namespace of this thread.
    ///
    /// Makes only [`SYSTEM_CALLS`](super::SYSTEM_CALLS), and keeps about half a MiB at most, whatever is asked and answered.
    ///
    /// # Errors
    /// When waiting itself fails, which the kernel gives no reason for.
    pub fn run(mut self) -> Result<()> {
        let mut buffer = vec![0; LONGEST];
        let mut ready = Vec::with_capacity(BATCH);
        loop {
            let deadlines = [self.upstreams.deadline(), self.connections.deadline()];
            self.poll.wait(deadlines.into_iter().flatten().min(), &mut ready)?;
            let now = Instant::now();
            for (token, flags) in ready.drain(..) {
                match token {
                    Token::Udp => self.read_datagrams(&mut buffer, now),
                    Token::Tcp => self.connections.accept(&self.listening.tcp, now),
                    Token::Bell => match self.orders.take() {
                        Some(Order::Stop) => return Ok(()),
                        Some(Order::Replace(resolution, networks)) => self.replace(resolution, networks, now),
                        None => {}
                    },
                    Token::Connection { slot, life } if flags.intersects(EventFlags::ERR | EventFlags::HUP) => {
                        self.connections.close((slot, life));
                    }
                    Token::Connection { slot, life } => self.connections.ready((slot, life), &mut buffer, now),
                    Token::Upstream { slot, server, life } => {
                        self.upstreams.ready((slot, server, life), &mut buffer, now);
                    }
                }
            }
            self.upstreams.elapse(now);
            self.deliver(now);
            self.read_connections(now);
            self.connections.settle(&self.listening.tcp, now);
        }
    }

    fn replace(&mut self, resolution: Resolution, networks: Vec<Network>, now: Instant) {
        (self.resolution, self.networks) = (resolution, networks);
        self.cache.clear();
        for (client, query) in self.upstreams.replace(&self.resolution) {
            self.resolve(client, query, now);
        }
    }

    fn read_datagrams(&mut self, buffer: &mut [u8], now: Instant) {
        for _ in 0..BATCH {
            let received = rustix::net::recvfrom(&self.listening.udp, &mut *buffer, RecvFlags::empty());
            let (length, from) = match received {
                Ok((length, _, Some(from))) => (length, from),
                Err(Errno::AGAIN) => return,
                _ => continue,
            };
            if let Ok(SocketAddr::V4(from)) = SocketAddr::try_from(from) {
                self.answer(Client::Datagram(from), &buffer[..length], now);
            }
        }
    }

    fn read_connections(&mut self, now: Instant) {
        for slot in 0..CONNECTIONS {
            while let Some((life, message)) = self.connections.take(slot) {
                self.answer(Client::Stream { slot, life }, &message, now);
                self.deliver(now);
            }
        }
    }

    /// Answers a message, now or later.
    fn answer(&mut self, client: Client, message: &[u8], now: Instant) {
        match Query::read(message) {
            Ok(query) => self.resolve(client, query, now),
            Err(Unreadable::Answered(code)) => self.send(client, &refusal(message, code), now),
            Err(Unreadable::Silent) => {
                if let Client::Stream { slot, life } = client {
                    self.connections.close((slot, life));
                }
            }
        }
    }

    fn resolve(&mut self, client: Client, query: Query, now: Instant) {
        let limit = limit(client, &query);
        let answer = match self.known(&query, limit) {
            Some(answer) => Some(answer),
            None if !self.resolution.forward => Some(empty(&query, Code::NoSuchName)),
            None => self.cache.find(&query, now).map(|answer| shorten(answer, limit)),
        };
        match answer {
            Some(answer) => self.send(client, &answer, now),
            None => self.upstreams.begin(client, query, now),
        }
    }

    /// The answer to what is not for the servers outside.
    fn known(&mut self, query: &Query, limit: usize) -> Option<Vec<u8>> {
        if query.extension().is_some_and(|extension| extension.version != 0) {
            return Some(Reply::new(query, limit).bad_version());
        }
        if kind::TRANSFERS.contains(&query.kind()) {
            return Some(empty(query, Code::Refused));
        }
        let name = query.name().filter(|_| query.class() == INTERNET)?;
        if let Some(address) = directory::reversed(&name) {
            return self.known_reverse(query, address, limit);
        }
        let mut addresses = match self.resolution.hosts.get(&name) {
            Some(addresses) => addresses.clone(),
            None => match directory::addresses(&self.networks, &name, wanted(query.kind())) {
                Known::Addresses(addresses) => addresses,
                Known::Nothing => return None,
                // Nobody outside is to hear of it, and it may well exist.
                Known::Unreadable => return Some(empty(query, Code::Failed)),
            },
        };
        addresses.retain(wanted(query.kind()));
        if !addresses.is_empty() {
            self.turn = self.turn.wrapping_add(1);
            let first = self.turn % addresses.len();
            addresses.rotate_left(first);
        }
        Some(Reply::new(query, limit).addresses(&addresses, LIFETIME).finish(Code::Fine))
    }

    fn known_reverse(&self, query: &Query, address: IpAddr, limit: usize) -> Option<Vec<u8>> {
        match directory::owner(&self.networks, address) {
            Some(name) if query.kind() == kind::PTR => {
                Some(Reply::new(query, limit).pointer(&name, LIFETIME).finish(Code::Fine))
            }
            Some(_) => Some(empty(query, Code::Fine)),
            None => directory::is_ours(&self.networks, address).then(|| empty(query, Code::NoSuchName)),
        }
    }

    /// Sends what the servers outside said.
    fn deliver(&mut self, now: Instant) {
        for finished in self.upstreams.finished() {
            self.cache.keep(&finished.query, &finished.answer, now);
            let limit = limit(finished.client, &finished.query);
            self.send(finished.client, &shorten(finished.answer, limit), now);
        }
    }

    fn send(&mut self, client: Client, answer: &[u8], now: Instant) {
        match client {
            Client::Datagram(to) => {
                // What the container does not take is its loss.
                let _ = rustix::net::sendto(&self.listening.udp, answer, SendFlags::NOSIGNAL, &to);
            }
            Client::Stream { slot, life } => self.connections.answer((slot, life), answer, now),
        }
    }
}

fn limit(client: Client, query: &Query) -> usize {
    match client {
        Client::Datagram(_) => query.payload(),
        Client::Stream { .. } => LONGEST,
    }
}

/// Which addresses a question is about; one that is about none takes any, to know whether the name exists.
fn wanted(kind: u16) -> fn(&IpAddr) -> bool {
    match kind {
        kind::A => IpAddr::is_ipv4,
        kind::AAAA => IpAddr::is_ipv6,
        _ => |_| true,
    }
}
