//! The sockets on which a container asks.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{BorrowedFd, OwnedFd};

use base::{Context, Error, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// Where a container's `resolv.conf` sends it.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

const BACKLOG: i32 = 16;

/// A UDP and a TCP socket on 127.0.0.11 of a container, on ports that the kernel chose. Port 53 there is redirected to them.
#[derive(Debug)]
pub struct Listening {
    /// The UDP socket.
    pub udp: OwnedFd,
    /// The listening TCP socket.
    pub tcp: OwnedFd,
}

impl Listening {
    /// The port of the UDP socket.
    ///
    /// # Errors
    /// When it is no such socket.
    pub fn udp_port(&self) -> Result<u16> {
        port(&self.udp)
    }

    /// The port of the TCP socket.
    ///
    /// # Errors
    /// When it is no such socket.
    pub fn tcp_port(&self) -> Result<u16> {
        port(&self.tcp)
    }
}

fn port(socket: &OwnedFd) -> Result<u16> {
    let address = rustix::net::getsockname(socket).context("read the port of a resolver's socket")?;
    let address = SocketAddr::try_from(address).map_err(|_| Error::internal("a resolver's socket is not of IPv4"))?;
    Ok(address.port())
}

/// Opens the sockets in the network namespace that `namespace` is, whose loopback device is up after that.
///
/// # Errors
/// As [`within`](crate::namespace::within), and when the kernel refuses a socket.
pub fn listen(namespace: BorrowedFd<'_>) -> Result<Listening> {
    crate::namespace::within(namespace, listen_here)
}

/// The same in the network namespace of this thread.
///
/// # Errors
/// When the kernel refuses a socket.
pub fn listen_here() -> Result<Listening> {
    sys::network::bring_up_loopback().context("bring up the container's loopback device")?;
    let listening = Listening { udp: bound(SocketType::DGRAM)?, tcp: bound(SocketType::STREAM)? };
    rustix::net::listen(&listening.tcp, BACKLOG).context("listen for the container's queries")?;
    Ok(listening)
}

fn bound(kind: SocketType) -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        rustix::net::socket_with(AddressFamily::INET, kind, flags, None).context("open a resolver's socket")?;
    rustix::net::bind(&socket, &SocketAddrV4::new(ADDRESS, 0)).with_context(|| format!("listen on {ADDRESS}"))?;
    Ok(socket)
}
