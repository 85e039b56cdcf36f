//! Carries what comes to `::1` on published ports into the container: the one address of the host that the kernel translates for nobody.
//!
//! The sockets are those of the [leases](Lease). Until [`Relay::open`] they receive nothing; from then on TCP ones listen, and UDP ones admit what is sent to
//! `::1`. Everything else that is published goes by the kernel's rules and never comes here; where those are gone, a TCP connection from elsewhere is reset.
//!
//! One loop on epoll(7), in bounded memory and with bounded numbers of sockets, whatever clients and container do.

mod connections;
mod datagrams;
mod poll;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use base::{Context, Result};
use rustix::event::epoll::EventFlags;
use rustix::net::{AddressFamily, sockopt};

use crate::lease::Lease;
use crate::port::Protocol;
use connections::Connections;
use datagrams::Datagrams;
use poll::{Place, Poll, Token};

pub use connections::CONNECTIONS;
pub use datagrams::CLIENTS;

/// With nothing to carry for so long, [`Relay::run`] returns.
const IDLE: Duration = Duration::from_secs(60);
/// So much is read at once.
const CHUNK: usize = 64 << 10;
/// Connections that wait to be accepted, for each port.
const BACKLOG: i32 = 128;

/// The system calls that [`Relay::run`] makes, with those of the allocator, as a seccomp filter needs them.
pub const SYSTEM_CALLS: &[&str] = &[
    // The loop.
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "clock_gettime",
    "restart_syscall",
    "rt_sigreturn",
    // What is carried.
    "accept4",
    "socket",
    "connect",
    "getsockopt",
    "setsockopt",
    "recvfrom",
    "sendto",
    "shutdown",
    "close",
    // Only where std checks what it closes: F_GETFD, in builds with debug assertions.
    "fcntl",
    // Memory.
    "mmap",
    "mremap",
    "munmap",
    "madvise",
    "brk",
];

/// What is published on `::1`, and where it leads.
#[derive(Debug)]
pub struct Relay {
    /// Sockets that listen.
    callers: poll::Poll<Place>,
    /// Sockets that datagrams come to.
    senders: poll::Poll<Place>,
    /// Both.
    everybody: poll::Poll<Place>,
    to: Vec<IpAddr>,
}

impl Relay {
    /// Opens those of `leases` that are published on `::1`, alone or with others, for a container with the addresses `to`, of which an IPv6 one is preferred.
    /// Without an address whatever comes is turned away. `None` when there is nothing to open. Leases that are open already stay so.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn open(leases: &[Lease], mut to: Vec<IpAddr>) -> Result<Option<Self>> {
        to.sort_by_key(IpAddr::is_ipv4);
        let relay = Self { callers: Poll::new()?, senders: Poll::new()?, everybody: Poll::new()?, to };
        let mut is_empty = true;
        for (place, socket, protocol) in published(leases) {
            let opened = match protocol {
                Protocol::Tcp => listen(socket).and_then(|()| relay.callers.add(socket, place, EventFlags::IN)),
                _ => sys::network::admit_datagrams_to(socket.as_fd(), Ipv6Addr::LOCALHOST)
                    .and_then(|()| relay.senders.add(socket, place, EventFlags::IN)),
            };
            opened.with_context(|| format!("open {} on ::1", leases[place.lease].port))?;
            is_empty = false;
        }
        for poll in [&relay.callers, &relay.senders] {
            relay.everybody.add(poll, Place::default(), EventFlags::IN).context("wait for two epoll instances")?;
        }
        Ok((!is_empty).then_some(relay))
    }

    /// Readable when there is something to carry: one descriptor for all ports.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.everybody.as_fd()
    }

    /// What [`Relay::run`] needs to have open, in a process of its own.
    pub fn needed<'a>(&'a self, leases: &'a [Lease]) -> impl Iterator<Item = BorrowedFd<'a>> {
        let sockets = published(leases).map(|(_, socket, _)| socket.as_fd());
        [self.callers.as_fd(), self.senders.as_fd()].into_iter().chain(sockets)
    }

    /// Carries until there was nothing to carry for a minute. `leases` are those that were opened. The container is reached from the network namespace
    /// of this thread.
    ///
    /// # Errors
    /// When waiting itself fails.
    pub fn run(&self, leases: &[Lease]) -> Result<()> {
        let poll = Poll::new()?;
        poll.add(&self.callers, Token::Callers, EventFlags::IN).context("wait for connections")?;
        poll.add(&self.senders, Token::Senders, EventFlags::IN).context("wait for datagrams")?;
        let mut connections = Connections::new(&poll, &self.callers, &self.to);
        let mut datagrams = Datagrams::new(&poll, &self.to);
        let mut buffer = vec![0; CHUNK];
        let (mut ready, mut places) = (Vec::new(), Vec::new());
        let mut busy = Instant::now();
        loop {
            let idle = (connections.is_empty() && datagrams.is_empty()).then(|| busy + IDLE);
            let deadlines = [idle, connections.deadline(), datagrams.deadline()];
            poll.wait(deadlines.into_iter().flatten().min(), &mut ready)?;
            let now = Instant::now();
            if ready.is_empty() && idle.is_some_and(|idle| idle <= now) {
                return Ok(());
            }
            for (token, flags) in ready.drain(..) {
                busy = now;
                match token {
                    Token::Callers => {
                        self.callers.wait(Some(now), &mut places)?;
                        for (socket, port) in places.drain(..).filter_map(|(place, _)| entry(leases, place)) {
                            connections.accept(socket, port, now);
                        }
                    }
                    Token::Senders => {
                        self.senders.wait(Some(now), &mut places)?;
                        for (place, _) in places.drain(..) {
                            datagrams.read_from_clients(place, leases, &mut buffer, now);
                        }
                    }
                    Token::Connection { slot, end, life } => {
                        connections.ready((slot, life), (end, flags), &mut buffer);
                    }
                    Token::Client { slot, life } => datagrams.answer((slot, life), leases, &mut buffer, now),
                }
            }
            connections.go_on(&mut buffer, now);
            datagrams.forget(now);
        }
    }
}

/// The sockets that `::1` is reached by.
fn published(leases: &[Lease]) -> impl Iterator<Item = (Place, &OwnedFd, Protocol)> {
    let chosen = leases.iter().enumerate().filter(|(_, lease)| is_published(lease));
    chosen.flat_map(|(number, lease)| {
        let places = (0..).map(move |offset| Place { lease: number, offset });
        places.zip(lease.sockets()).map(|(place, socket)| (place, socket, lease.port.protocol))
    })
}

fn is_published(lease: &Lease) -> bool {
    let address = match lease.port.host_address {
        None => true,
        Some(IpAddr::V6(address)) => address.is_unspecified() || address.is_loopback(),
        Some(IpAddr::V4(_)) => false,
    };
    // On a host without IPv6 the sockets of all addresses are IPv4's.
    let family = lease.sockets().first().map(sockopt::socket_domain);
    address && lease.port.protocol != Protocol::Sctp && matches!(family, Some(Ok(AddressFamily::INET6)))
}

/// A socket and the container's port behind it.
fn entry(leases: &[Lease], place: Place) -> Option<(&OwnedFd, u16)> {
    let lease = leases.get(place.lease)?;
    let offset = u16::try_from(place.offset).ok()?;
    Some((lease.sockets().get(place.offset)?, lease.port.container_port.checked_add(offset)?))
}

/// `SO_REUSEADDR` stays: beside a socket that listens nobody binds for all that, and its connections inherit it, which would keep the port from the next one
/// for a minute after they have ended.
fn listen(socket: &OwnedFd) -> Result<(), rustix::io::Errno> {
    sockopt::set_socket_reuseaddr(socket, true)?;
    rustix::net::listen(socket, BACKLOG)
}

/// A socket of the right family for `address`, which does not block.
fn socket_for(address: SocketAddr, kind: rustix::net::SocketType) -> Result<OwnedFd, rustix::io::Errno> {
    use rustix::net::SocketFlags;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}
