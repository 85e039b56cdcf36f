//! TCP: two sockets for each connection, and the bytes that one of them does not take yet.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, sockopt};

use super::poll::{BATCH, End, Place, Poll, Token};

/// So many connections at once; further ones wait until one of them ends.
pub const CONNECTIONS: usize = 512;
/// After the kernel had no socket, none is asked for until then.
const PAUSE: Duration = Duration::from_secs(1);
/// A connection whose container says nothing for so long is asked for a sign of life: its namespace may be gone without a word.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Once all connections together hold so many bytes that were not taken, they read [`LITTLE`] at once.
const HELD: usize = 1 << 20;
const LITTLE: usize = 4 << 10;
/// So often one connection is read before the others have their turn.
const ROUNDS: usize = 16;
/// Edges only: what is possible is done at each.
const BOTH_WAYS: EventFlags = EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

/// All connections.
#[derive(Debug)]
pub(super) struct Connections<'a> {
    poll: &'a Poll<Token>,
    callers: &'a Poll<Place>,
    to: &'a [IpAddr],
    slots: Vec<Option<Connection>>,
    count: usize,
    lives: u32,
    /// Those whose turn ended before they were done.
    unfinished: Vec<(usize, u32)>,
    /// Bytes that were not taken.
    held: usize,
    is_accepting: bool,
    pause_until: Option<Instant>,
}

#[derive(Debug)]
struct Connection {
    life: u32,
    client: OwnedFd,
    container: OwnedFd,
    /// From the client to the container, and back.
    halves: [Half; 2],
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// To the container's address of this number, and to this port.
    Connecting {
        tried: usize,
        port: u16,
    },
    Connected,
}

/// One direction.
#[derive(Debug, Default)]
struct Half {
    /// Read, and not taken yet from `taken` on. Nothing more is read until it is.
    held: Vec<u8>,
    taken: usize,
    /// Its end was passed on.
    is_over: bool,
}

impl<'a> Connections<'a> {
    pub(super) fn new(poll: &'a Poll<Token>, callers: &'a Poll<Place>, to: &'a [IpAddr]) -> Self {
        let (slots, unfinished) = (Vec::new(), Vec::new());
        let (count, lives, held, is_accepting, pause_until) = (0, 0, 0, true, None);
        Self { poll, callers, to, slots, count, lives, unfinished, held, is_accepting, pause_until }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// When there is something to do that no event tells.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.unfinished.is_empty() { self.pause_until } else { Some(Instant::now()) }
    }

    /// Accepts what waits at `socket`, for the container's `port`.
    pub(super) fn accept(&mut self, socket: &OwnedFd, port: u16, now: Instant) {
        for _ in 0..BATCH {
            if self.count >= CONNECTIONS || self.pause_until.is_some() {
                return;
            }
            match rustix::net::acceptfrom_with(socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok((client, from)) => {
                    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
                    if from.is_some_and(|from| from.ip() == Ipv6Addr::LOCALHOST) {
                        self.begin(client, port);
                    } else {
                        reset(&client);
                    }
                }
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => self.pause_until = Some(now + PAUSE),
                Err(Errno::AGAIN) => return,
                // One that has ended before it was accepted.
                Err(_) => {}
            }
        }
    }

    fn begin(&mut self, client: OwnedFd, port: u16) {
        let slot = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        self.lives = self.lives.wrapping_add(1);
        let life = self.lives;
        let token = Token::Connection { slot, end: End::Client, life };
        let Some((container, tried)) = self.connect((slot, life), 0, port) else { return reset(&client) };
        let added = sockopt::set_tcp_nodelay(&client, true).and_then(|()| self.poll.add(&client, token, BOTH_WAYS));
        if added.is_err() {
            return reset(&client);
        }
        let progress = Progress::Connecting { tried, port };
        let connection = Some(Connection { life, client, container, halves: Default::default(), progress });
        self.count += 1;
        match self.slots.get_mut(slot) {
            Some(place) => *place = connection,
            None => self.slots.push(connection),
        }
    }

    /// Turns to the container's next address from `first` on that can be tried.
    fn connect(&self, (slot, life): (usize, u32), first: usize, port: u16) -> Option<(OwnedFd, usize)> {
        let rest = self.to.iter().enumerate().skip(first);
        rest.map(|(number, address)| (number, SocketAddr::new(*address, port))).find_map(|(number, address)| {
            let socket = super::socket_for(address, SocketType::STREAM).ok()?;
            match rustix::net::connect(&socket, &address) {
                Ok(()) | Err(Errno::INPROGRESS) => {}
                Err(_) => return None,
            }
            sockopt::set_tcp_nodelay(&socket, true).ok()?;
            sockopt::set_socket_keepalive(&socket, true).ok()?;
            sockopt::set_tcp_keepidle(&socket, KEEP_ALIVE).ok()?;
            let token = Token::Connection { slot, end: End::Container, life };
            self.poll.add(&socket, token, BOTH_WAYS).ok()?;
            Some((socket, number))
        })
    }

    fn get(&mut self, (slot, life): (usize, u32)) -> Option<&mut Connection> {
        self.slots.get_mut(slot)?.as_mut().filter(|connection| connection.life == life)
    }

    /// Something happened at one end of a connection.
    pub(super) fn ready(&mut self, at: (usize, u32), (end, flags): (End, EventFlags), buffer: &mut [u8]) {
        let Some(connection) = self.get(at) else { return };
        match (connection.progress, end) {
            (Progress::Connecting { tried, port }, End::Container) => {
                let failed = !matches!(sockopt::socket_error(&connection.container), Ok(Ok(())));
                if failed {
                    return self.try_next(at, tried + 1, port);
                }
                if !flags.contains(EventFlags::OUT) {
                    return;
                }
                connection.progress = Progress::Connected;
            }
            (Progress::Connecting { .. }, End::Client) => {
                if flags.contains(EventFlags::ERR) {
                    self.break_off(at);
                }
                return;
            }
            (Progress::Connected, _) => {}
        }
        self.carry(at, buffer);
        if flags.contains(EventFlags::ERR) {
            self.break_off(at);
        }
    }

    fn try_next(&mut self, at: (usize, u32), next: usize, port: u16) {
        match (self.connect(at, next, port), self.get(at)) {
            (Some((container, tried)), Some(connection)) => {
                connection.container = container;
                connection.progress = Progress::Connecting { tried, port };
            }
            _ => self.break_off(at),
        }
    }

    /// Carries what can be carried now.
    fn carry(&mut self, at: (usize, u32), buffer: &mut [u8]) {
        let share = if self.held >= HELD { LITTLE } else { buffer.len() };
        let Some(connection) = self.get(at) else { return };
        let before = connection.held();
        let carried = connection.carry(&mut buffer[..share]);
        let (after, is_over) = (connection.held(), connection.is_over());
        self.held = (self.held + after).saturating_sub(before);
        match carried {
            Ok(_) if is_over => self.remove(at),
            Ok(Turn::Unfinished) if !self.unfinished.contains(&at) => self.unfinished.push(at),
            Ok(_) => {}
            Err(_) => self.break_off(at),
        }
    }

    /// Ends both sides as it was ended: not as if everything had been said.
    fn break_off(&mut self, at: (usize, u32)) {
        if let Some(connection) = self.get(at) {
            reset(&connection.client);
            reset(&connection.container);
            self.remove(at);
        }
    }

    fn remove(&mut self, (slot, life): (usize, u32)) {
        let Some(held) = self.get((slot, life)).map(|connection| connection.held()) else { return };
        self.held = self.held.saturating_sub(held);
        self.slots[slot] = None;
        self.count -= 1;
    }

    /// Gives those a turn that were not done, and lets further ones come where there is room.
    pub(super) fn go_on(&mut self, buffer: &mut [u8], now: Instant) {
        for at in std::mem::take(&mut self.unfinished) {
            self.carry(at, buffer);
        }
        self.pause_until = self.pause_until.filter(|until| *until > now);
        let accepts = self.count < CONNECTIONS && self.pause_until.is_none();
        let interest = if accepts { EventFlags::IN } else { EventFlags::empty() };
        if accepts != self.is_accepting && self.poll.change(self.callers, Token::Callers, interest).is_ok() {
            self.is_accepting = accepts;
        }
    }
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// An event tells when there is more to do.
    Done,
    /// There is more to do.
    Unfinished,
}

impl Connection {
    fn held(&self) -> usize {
        self.halves.iter().map(|half| half.held.len()).sum()
    }

    fn is_over(&self) -> bool {
        self.halves.iter().all(|half| half.is_over)
    }

    fn carry(&mut self, buffer: &mut [u8]) -> Result<Turn, Errno> {
        let [there, back] = &mut self.halves;
        let turns =
            [there.carry(&self.client, &self.container, buffer)?, back.carry(&self.container, &self.client, buffer)?];
        Ok(if turns.contains(&Turn::Unfinished) { Turn::Unfinished } else { Turn::Done })
    }
}

impl Half {
    fn carry(&mut self, from: &OwnedFd, to: &OwnedFd, buffer: &mut [u8]) -> Result<Turn, Errno> {
        for _ in 0..ROUNDS {
            if !self.flush(to)? || self.is_over {
                return Ok(Turn::Done);
            }
            match rustix::net::recv(from, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => {
                    self.is_over = true;
                    rustix::net::shutdown(to, Shutdown::Write)?;
                }
                Ok((length, _)) => {
                    let taken = write(to, &buffer[..length])?;
                    self.held.extend_from_slice(&buffer[taken..length]);
                }
                Err(Errno::AGAIN) => return Ok(Turn::Done),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(Turn::Unfinished)
    }

    /// Writes what is held; whether all of it was taken.
    fn flush(&mut self, to: &OwnedFd) -> Result<bool, Errno> {
        if self.taken < self.held.len() {
            self.taken += write(to, &self.held[self.taken..])?;
            if self.taken < self.held.len() {
                return Ok(false);
            }
            (self.held, self.taken) = (Vec::new(), 0);
        }
        Ok(true)
    }
}

/// How much was taken: all, or the rest waits for an event.
fn write(to: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    let mut taken = 0;
    while taken < bytes.len() {
        match rustix::net::send(to, &bytes[taken..], SendFlags::NOSIGNAL) {
            Ok(length) => taken += length,
            Err(Errno::AGAIN) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(taken)
}

/// Lets the other side see a reset when the socket is closed.
fn reset(socket: &OwnedFd) {
    let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}
