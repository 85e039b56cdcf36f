//! TCP connections from the container: several queries on each, few connections, no patience with idle ones.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

use super::frames::{Frames, framed};
use super::poll::{Poll, Token};
use super::wire::LONGEST_QUERY;

/// So many connections at once; one more ends the one that was quiet for the longest.
pub(super) const CONNECTIONS: usize = 16;
/// So many queries of one connection at once; further ones are read when those are answered.
pub(super) const OPEN: usize = 16;
/// A connection on which nothing moves for so long is closed.
const IDLE: Duration = Duration::from_secs(10);
/// The most bytes of answers that all connections together have not taken.
const HELD: usize = 128 << 10;
/// For so long none is accepted where the kernel has no descriptor or memory for one: it would be told of it without end.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
    life: u32,
    read: Frames,
    unsent: Vec<u8>,
    open: usize,
    moved: Instant,
    ended: bool,
    interest: EventFlags,
}

/// All connections from the container.
#[derive(Debug)]
pub(super) struct Connections {
    slots: [Option<Connection>; CONNECTIONS],
    lives: u32,
    paused: Option<Instant>,
    poll: Arc<Poll>,
}

impl Connections {
    pub(super) fn new(poll: Arc<Poll>) -> Self {
        Self { slots: Default::default(), lives: 0, paused: None, poll }
    }

    /// Accepts what waits.
    pub(super) fn accept(&mut self, listening: &OwnedFd, now: Instant) {
        for _ in 0..CONNECTIONS {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = match rustix::net::accept_with(listening, flags) {
                Ok(socket) => socket,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    self.paused = Some(now + PAUSE);
                    let _ = self.poll.change(listening, Token::Tcp, EventFlags::empty());
                    return;
                }
                Err(_) => return,
            };
            let slot = self.free_slot();
            self.lives = self.lives.wrapping_add(1);
            let (life, interest) = (self.lives, EventFlags::IN);
            if self.poll.add(&socket, Token::Connection { slot, life }, interest).is_ok() {
                let (read, unsent) = (Frames::default(), Vec::new());
                let connection = Connection { socket, life, read, unsent, open: 0, moved: now, ended: false, interest };
                self.slots[slot] = Some(connection);
            }
        }
    }

    /// A place that is free, or made free.
    fn free_slot(&mut self) -> usize {
        let quiet = |(slot, connection): (usize, &Option<Connection>)| {
            (connection.as_ref().map(|connection| (connection.open > 0, connection.moved)), slot)
        };
        let (_, slot) = self.slots.iter().enumerate().map(quiet).min().unwrap_or_default();
        self.slots[slot] = None;
        slot
    }

    fn get(&mut self, slot: usize, life: u32) -> Option<&mut Connection> {
        self.slots.get_mut(slot)?.as_mut().filter(|connection| connection.life == life)
    }

    /// Reads and writes what is possible.
    pub(super) fn ready(&mut self, (slot, life): (usize, u32), buffer: &mut [u8], now: Instant) {
        let Some(connection) = self.get(slot, life) else { return };
        let flushed = connection.flush(now);
        if !flushed || !connection.fill(buffer, now) {
            self.close((slot, life));
        }
    }

    /// Closes a connection.
    pub(super) fn close(&mut self, (slot, life): (usize, u32)) {
        if self.get(slot, life).is_some() {
            self.slots[slot] = None;
        }
    }

    /// The next query of a connection whose earlier ones are answered far enough.
    pub(super) fn take(&mut self, slot: usize) -> Option<(u32, Vec<u8>)> {
        let connection = self.slots.get_mut(slot)?.as_mut()?;
        if connection.open >= OPEN || !connection.unsent.is_empty() {
            return None;
        }
        if connection.read.announced().is_some_and(|length| length > LONGEST_QUERY) {
            self.slots[slot] = None;
            return None;
        }
        let message = connection.read.take()?;
        connection.open += 1;
        Some((connection.life, message))
    }

    /// Sends the answer to a query that was taken.
    pub(super) fn answer(&mut self, (slot, life): (usize, u32), answer: &[u8], now: Instant) {
        let held: usize = self.slots.iter().flatten().map(|connection| connection.unsent.len()).sum();
        let Some(connection) = self.get(slot, life) else { return };
        connection.open = connection.open.saturating_sub(1);
        connection.unsent.extend(framed(answer));
        if !connection.flush(now) || held + connection.unsent.len() > HELD {
            self.slots[slot] = None;
        }
    }

    /// Closes what is over, and waits for the right things of the rest.
    pub(super) fn settle(&mut self, listening: &OwnedFd, now: Instant) {
        if self.paused.is_some_and(|until| until <= now) {
            self.paused = None;
            let _ = self.poll.change(listening, Token::Tcp, EventFlags::IN);
        }
        for (slot, place) in self.slots.iter_mut().enumerate() {
            let Some(connection) = place else { continue };
            let served = connection.ended && connection.open == 0 && connection.unsent.is_empty();
            if served || connection.moved + IDLE <= now {
                *place = None;
                continue;
            }
            let interest = connection.wanted();
            let token = Token::Connection { slot, life: connection.life };
            if interest != connection.interest && self.poll.change(connection.socket.as_fd(), token, interest).is_ok() {
                connection.interest = interest;
            }
        }
    }

    /// When something is to be done next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.slots.iter().flatten().map(|connection| connection.moved + IDLE).chain(self.paused).min()
    }
}

impl Connection {
    fn wanted(&self) -> EventFlags {
        let mut wanted = EventFlags::empty();
        if !self.unsent.is_empty() {
            wanted |= EventFlags::OUT;
        } else if self.open < OPEN && !self.ended {
            wanted |= EventFlags::IN;
        }
        wanted
    }

    /// Reads once; whether the connection lives on.
    fn fill(&mut self, buffer: &mut [u8], now: Instant) -> bool {
        let room = (2 + LONGEST_QUERY).saturating_sub(self.read.held()).min(buffer.len());
        if self.ended || room == 0 {
            return true;
        }
        match rustix::net::recv(&self.socket, &mut buffer[..room], RecvFlags::empty()) {
            Ok((0, _)) => self.ended = true,
            Ok((length, _)) => {
                self.read.feed(&buffer[..length]);
                self.moved = now;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return false,
        }
        true
    }

    /// Writes what it can; whether the connection lives on.
    fn flush(&mut self, now: Instant) -> bool {
        while !self.unsent.is_empty() {
            match rustix::net::send(&self.socket, &self.unsent, SendFlags::NOSIGNAL) {
                Ok(length) => {
                    self.unsent.drain(..length);
                    self.moved = now;
                }
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }
}
