//! Netlink sockets (netlink(7)).

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// A part of the kernel that speaks netlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Links, addresses, routes, neighbours (rtnetlink(7)).
    Route,
    /// Netfilter: nf_tables and connection tracking.
    Netfilter,
}

/// Opens a socket to `family` in the network namespace of this thread, with extended and short acknowledgements (Linux 4.12) and strictly checked dumps
/// where the kernel has them (4.20).
///
/// # Errors
/// `EPROTONOSUPPORT` where the kernel lacks the family; others as in socket(2).
pub fn open(family: Family) -> Result<OwnedFd, Errno> {
    let protocol = match family {
        // `NETLINK_ROUTE` is 0.
        Family::Route => None,
        Family::Netfilter => Some(rustix::net::netlink::NETFILTER),
    };
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    set(&socket, libc::SOL_NETLINK, libc::NETLINK_EXT_ACK, 1)?;
    set(&socket, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, 1)?;
    let _ = set(&socket, libc::SOL_NETLINK, libc::NETLINK_GET_STRICT_CHK, 1);
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
    Ok(socket)
}

/// Room for batches and answers of `bytes`, beyond what `net.core` allows others.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN`.
pub fn make_room(socket: &OwnedFd, bytes: u32) -> Result<(), Errno> {
    let bytes = i32::try_from(bytes).map_err(|_| Errno::INVAL)?;
    set(socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, bytes)?;
    set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
}

fn set(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> Result<(), Errno> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the socket is open, and the kernel reads one int of the given length.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(&value).cast(), length) };
    if result == -1 { Err(crate::last_errno()) } else { Ok(()) }
}
