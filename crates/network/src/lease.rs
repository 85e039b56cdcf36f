//! Who has a port of the host: whoever holds a socket bound to it. The kernel frees it with its process.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, OwnedFd};

use base::{Context, Error, Kind, Result};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol as SocketProtocol, SocketFlags, SocketType, ipproto, sockopt};
use serde::{Deserialize, Serialize};

use crate::port::{Protocol, PublishedPort};

/// Ports of the host that are wanted for ports of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRequest {
    /// The host's address; `None`: every one, of both families.
    #[serde(default)]
    pub host_address: Option<IpAddr>,
    /// Of what.
    pub protocol: Protocol,
    /// Among these; `0..=0`: the kernel chooses.
    pub candidates: RangeInclusive<u16>,
    /// So many in a row.
    pub count: u16,
    /// The container's port that the first one leads to; the others follow.
    pub container_port: u16,
}

/// Ports that are held.
#[derive(Debug)]
pub struct Lease {
    /// Which.
    pub port: PublishedPort,
    sockets: Vec<OwnedFd>,
}

impl Lease {
    /// Takes the first ports that are free.
    ///
    /// # Errors
    /// `Conflict` when somebody has the port, as bind(2) says; `Exhausted` beyond the limit on open files; `Unsupported` without SCTP in the kernel.
    pub fn take(request: &PortRequest) -> Result<Self> {
        let (low, high) = (*request.candidates.start(), *request.candidates.end());
        let last = high.saturating_sub(request.count.saturating_sub(1)).max(low);
        let mut failure = None;
        for first in low..=last {
            match Self::take_at(request, first) {
                Err(error) if error.kind() == Kind::Conflict => failure = failure.or(Some(error)),
                taken => return taken,
            }
        }
        Err(failure.unwrap_or_else(|| Error::invalid("a range of ports is empty")))
    }

    fn take_at(request: &PortRequest, first: u16) -> Result<Self> {
        let mut sockets = Vec::with_capacity(usize::from(request.count));
        let mut chosen = first;
        for offset in 0..request.count {
            let number = if first == 0 { 0 } else { first.saturating_add(offset) };
            let socket = bind(request.host_address, request.protocol, number)
                .map_err(|errno| refused(request, number, errno))?;
            if number == 0 {
                chosen = port_of(&socket)?;
            }
            sockets.push(socket);
        }
        let last = chosen.saturating_add(request.count.saturating_sub(1));
        let port = PublishedPort {
            host_address: request.host_address,
            protocol: request.protocol,
            host_ports: chosen..=last,
            container_port: request.container_port,
        };
        Ok(Self { port, sockets })
    }

    /// The sockets, in the order of the ports.
    #[must_use]
    pub fn sockets(&self) -> &[OwnedFd] {
        &self.sockets
    }
}

fn refused(request: &PortRequest, number: u16, errno: Errno) -> Error {
    let address = request.host_address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let place = SocketAddr::new(address, number);
    match errno {
        Errno::ADDRINUSE => Error::conflict(format!("Bind for {place} failed: port is already allocated")),
        Errno::MFILE => Error::exhausted(format!(
            "cannot hold {place}: more published ports than this system's limit on open files allows; publish fewer, or raise the hard limit"
        )),
        Errno::ADDRNOTAVAIL => {
            Error::invalid(format!("cannot publish on {place}: this host does not have the address"))
        }
        Errno::PROTONOSUPPORT if request.protocol == Protocol::Sctp => {
            Error::unsupported("cannot publish an SCTP port: this kernel has no SCTP")
        }
        Errno::ACCESS | Errno::PERM => Error::denied(format!("cannot publish on {place}: {errno}")),
        errno => Error::internal(format!("cannot publish on {place}: {errno}")),
    }
}

fn bind(address: Option<IpAddr>, protocol: Protocol, port: u16) -> Result<OwnedFd, Errno> {
    match address {
        Some(IpAddr::V4(address)) => bind_at(SocketAddr::new(address.into(), port), protocol),
        Some(IpAddr::V6(address)) => bind_at(SocketAddr::new(address.into(), port), protocol),
        None => match bind_at(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), protocol) {
            // A host without IPv6.
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {
                bind_at(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), protocol)
            }
            bound => bound,
        },
    }
}

fn bind_at(address: SocketAddr, protocol: Protocol) -> Result<OwnedFd, Errno> {
    let (kind, number): (_, Option<SocketProtocol>) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, Some(ipproto::TCP)),
        Protocol::Udp => (SocketType::DGRAM, Some(ipproto::UDP)),
        Protocol::Sctp => (SocketType::STREAM, Some(ipproto::SCTP)),
    };
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, number)?;
    if let SocketAddr::V6(address) = address {
        sockopt::set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
    }
    match protocol {
        // Connections that linger from before are no reason to refuse; but nobody else shall bind beside us.
        Protocol::Tcp => {
            sockopt::set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, &address)?;
            sockopt::set_socket_reuseaddr(&socket, false)?;
        }
        Protocol::Udp => {
            sys::network::refuse_datagrams(socket.as_fd())?;
            rustix::net::bind(&socket, &address)?;
        }
        Protocol::Sctp => rustix::net::bind(&socket, &address)?,
    }
    Ok(socket)
}

fn port_of(socket: &OwnedFd) -> Result<u16> {
    let address = rustix::net::getsockname(socket).context("ask for the port")?;
    let address = SocketAddr::try_from(address).map_err(|_| Error::internal("a bound socket has no address"))?;
    Ok(address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(address: &str, candidates: RangeInclusive<u16>, count: u16, protocol: Protocol) -> PortRequest {
        PortRequest { host_address: address.parse().ok(), protocol, candidates, count, container_port: 80 }
    }

    #[test]
    fn who_holds_a_port_has_it() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let held = Lease::take(&request("127.0.0.1", 0..=0, 1, protocol)).unwrap();
            let port = *held.port.host_ports.start();
            assert_ne!(port, 0);
            let again = Lease::take(&request("127.0.0.1", port..=port, 1, protocol)).unwrap_err();
            assert!(
                again.kind() == Kind::Conflict && again.to_string().contains("port is already allocated"),
                "{again}"
            );
            assert!(Lease::take(&request("", port..=port, 1, protocol)).is_err());
            let other = Lease::take(&request("127.0.0.1", port..=port.saturating_add(20), 1, protocol)).unwrap();
            assert_ne!(other.port.host_ports, held.port.host_ports);
            drop(held);
            Lease::take(&request("127.0.0.1", port..=port, 1, protocol)).unwrap();
        }
    }
}
