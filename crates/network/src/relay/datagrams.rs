//! UDP: a socket for each client, so that what the container answers finds its way back.

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

/// All clients.
#[derive(Debug)]
pub(super) struct Datagrams<'a> {
    poll: &'a Poll<Token>,
    /// The container; as with the kernel's rules there is no trying of several.
    to: Option<IpAddr>,
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
    /// Connected to the container.
    socket: OwnedFd,
    moved: Instant,
}

impl<'a> Datagrams<'a> {
    pub(super) fn new(poll: &'a Poll<Token>, to: &[IpAddr]) -> Self {
        Self { poll, to: to.first().copied(), slots: Vec::new(), count: 0, lives: 0 }
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
                // What the container does not take is lost, as on any other way to it.
                let _ = rustix::net::send(&client.socket, &buffer[..length], SendFlags::NOSIGNAL);
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
        let to = SocketAddr::new(self.to?, port);
        let slot = self.free_slot();
        self.lives = self.lives.wrapping_add(1);
        let life = self.lives;
        let socket = super::socket_for(to, SocketType::DGRAM).ok()?;
        rustix::net::connect(&socket, &to).ok()?;
        self.poll.add(&socket, Token::Client { slot, life }, EventFlags::IN).ok()?;
        self.count += 1;
        self.slots[slot] = Some(Client { life, place, address, socket, moved: now });
        self.slots[slot].as_mut()
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
    pub(super) fn answer(&mut self, (slot, life): (usize, u32), leases: &[Lease], buffer: &mut [u8], now: Instant) {
        let client = self.slots.get_mut(slot).and_then(Option::as_mut).filter(|client| client.life == life);
        let Some(client) = client else { return };
        let Some((socket, _)) = super::entry(leases, client.place) else { return };
        for _ in 0..BATCH {
            match rustix::net::recv(&client.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((length, _)) => {
                    client.moved = now;
                    let _ = rustix::net::sendto(socket, &buffer[..length], SendFlags::NOSIGNAL, &client.address);
                }
                Err(Errno::AGAIN) => return,
                // That nobody listens in the container cannot be passed on.
                Err(_) => {}
            }
        }
    }
}
