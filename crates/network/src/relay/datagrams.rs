//! UDP: a socket for each client, so that what the container answers finds its way back.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType};

use super::poll::{BATCH, Place, Poll, Token};
use crate::lease::Lease;

/// So many clients at once; one more takes the place of the one that was quiet for the longest.
pub const CLIENTS: usize = 256;
/// A client that is quiet for so long, and gets nothing either, is forgotten.
const IDLE: Duration = Duration::from_secs(60);

/// The longest datagram that is sent again to the container's next address where the first one refuses it.
const SENT_AGAIN: usize = 2 << 10;

/// All clients.
#[derive(Debug)]
pub(super) struct Datagrams<'a> {
    poll: &'a Poll<Token>,
    to: &'a [IpAddr],
    /// Which address a port's clients begin with, where the first one has refused.
    first: BTreeMap<Place, usize>,
    slots: Vec<Option<Client>>,
    count: usize,
    lives: u32,
}

#[derive(Debug)]
struct Client {
    life: u32,
    /// Where it sends to.
    place: Place,
    address: SocketAddr,
    container: Container,
    moved: Instant,
}

/// The way to the container.
#[derive(Debug)]
struct Container {
    /// Connected to its address of this number.
    socket: OwnedFd,
    number: usize,
    /// Whether it has answered from there.
    is_answering: bool,
    /// What it got last, unless it is too long or it is answering.
    unanswered: Vec<u8>,
}

impl<'a> Datagrams<'a> {
    pub(super) fn new(poll: &'a Poll<Token>, to: &'a [IpAddr]) -> Self {
        Self { poll, to, first: BTreeMap::new(), slots: Vec::new(), count: 0, lives: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// When the next one is forgotten.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.slots.iter().flatten().map(|client| client.moved + IDLE).min()
    }

    pub(super) fn forget(&mut self, now: Instant) {
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|client| client.moved + IDLE <= now) {
                *slot = None;
                self.count -= 1;
            }
        }
    }

    /// Carries what has come to the socket at `place`.
    pub(super) fn read_from_clients(&mut self, place: Place, leases: &[Lease], buffer: &mut [u8], now: Instant) {
        let Some((socket, port)) = super::entry(leases, place) else { return };
        for _ in 0..BATCH {
            let (length, from) = match rustix::net::recvfrom(socket, &mut *buffer, RecvFlags::empty()) {
                Ok((length, _, Some(from))) => (length, from),
                Err(Errno::AGAIN) => return,
                _ => continue,
            };
            let Ok(from) = SocketAddr::try_from(from) else { continue };
            if let Some(client) = self.client((place, from), port, now) {
                client.moved = now;
                client.container.send(&buffer[..length]);
            }
        }
    }

    /// The client of that address, made where it is new.
    fn client(&mut self, (place, address): (Place, SocketAddr), port: u16, now: Instant) -> Option<&mut Client> {
        let is_known = |slot: &Option<Client>| {
            slot.as_ref().is_some_and(|client| client.address == address && client.place == place)
        };
        if let Some(slot) = self.slots.iter().position(is_known) {
            return self.slots[slot].as_mut();
        }
        let slot = self.free_slot();
        self.lives = self.lives.wrapping_add(1);
        let life = self.lives;
        let first = self.first.get(&place).copied().unwrap_or_default();
        let container = self.connect((slot, life), first, port)?;
        self.count += 1;
        self.slots[slot] = Some(Client { life, place, address, container, moved: now });
        self.slots[slot].as_mut()
    }

    fn connect(&self, (slot, life): (usize, u32), number: usize, port: u16) -> Option<Container> {
        let to = SocketAddr::new(*self.to.get(number)?, port);
        let socket = super::socket_for(to, SocketType::DGRAM).ok()?;
        rustix::net::connect(&socket, &to).ok()?;
        self.poll.add(&socket, Token::Client { slot, life }, EventFlags::IN).ok()?;
        Some(Container { socket, number, is_answering: false, unanswered: Vec::new() })
    }

    /// A slot that is free, or made free.
    fn free_slot(&mut self) -> usize {
        if let Some(slot) = self.slots.iter().position(Option::is_none) {
            return slot;
        }
        if self.slots.len() < CLIENTS {
            self.slots.push(None);
            return self.slots.len() - 1;
        }
        let quiet = |(slot, client): (usize, &Option<Client>)| (client.as_ref().map(|client| client.moved), slot);
        let (_, slot) = self.slots.iter().enumerate().map(quiet).min().unwrap_or_default();
        self.slots[slot] = None;
        self.count -= 1;
        slot
    }

    /// Carries what the container has sent to a client, from the address that the client has sent to.
    pub(super) fn answer(&mut self, at: (usize, u32), leases: &[Lease], buffer: &mut [u8], now: Instant) {
        for _ in 0..BATCH {
            let Some(client) = self.get(at) else { return };
            let Some((socket, port)) = super::entry(leases, client.place) else { return };
            match rustix::net::recv(&client.container.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((length, _)) => {
                    client.moved = now;
                    (client.container.is_answering, client.container.unanswered) = (true, Vec::new());
                    let _ = rustix::net::sendto(socket, &buffer[..length], SendFlags::NOSIGNAL, &client.address);
                }
                Err(Errno::AGAIN) => return,
                Err(_) => self.turn_to_next(at, port),
            }
        }
    }

    fn get(&mut self, (slot, life): (usize, u32)) -> Option<&mut Client> {
        self.slots.get_mut(slot)?.as_mut().filter(|client| client.life == life)
    }

    /// Nobody listens at the container's address: many programs listen on IPv4 alone. After the last address the first one may be listened at by now, for
    /// what comes next.
    fn turn_to_next(&mut self, at: (usize, u32), port: u16) {
        let count = self.to.len();
        let Some(client) = self.get(at).filter(|client| !client.container.is_answering && count > 1) else { return };
        let (place, number) = (client.place, (client.container.number + 1) % count);
        let unanswered = std::mem::take(&mut client.container.unanswered);
        self.first.insert(place, number);
        if let (Some(container), Some(client)) = (self.connect(at, number, port), self.get(at)) {
            client.container = container;
            if number > 0 && !unanswered.is_empty() {
                client.container.send(&unanswered);
            }
        }
    }
}

impl Container {
    /// What the container does not take is lost, as on any other way to it.
    fn send(&mut self, bytes: &[u8]) {
        if !self.is_answering {
            self.unanswered = if bytes.len() <= SENT_AGAIN { bytes.to_vec() } else { Vec::new() };
        }
        let send = || rustix::net::send(&self.socket, bytes, SendFlags::NOSIGNAL);
        // That is what became of an earlier one: this one was not sent.
        if send() == Err(Errno::CONNREFUSED) {
            let _ = send();
        }
    }
}
