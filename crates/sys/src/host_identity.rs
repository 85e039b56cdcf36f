//! Numbers by which the kernel tells apart the namespaces of one boot; unlike inode numbers they are never given out twice.

use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// `SO_NETNS_COOKIE` of the network namespace of this thread (Linux 5.14).
///
/// # Errors
/// `ENOPROTOOPT` on older kernels; others as in socket(2).
pub fn network_namespace_cookie() -> Result<u64, Errno> {
    let flags = rustix::net::SocketFlags::CLOEXEC;
    let socket =
        rustix::net::socket_with(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::DGRAM, flags, None)?;
    const SO_NETNS_COOKIE: libc::c_int = 71;
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the socket is open, and the kernel writes at most `length` bytes into a number of that size.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            std::ptr::from_mut(&mut cookie).cast(),
            &mut length,
        )
    };
    if result == -1 { Err(crate::last_errno()) } else { Ok(cookie) }
}

/// The id of the mount namespace that `namespace` (an open `/proc/…/ns/mnt`) is (`NS_GET_MNTNS_ID`, Linux 6.10).
///
/// # Errors
/// `ENOTTY` on older kernels.
pub fn mount_namespace_id(namespace: BorrowedFd<'_>) -> Result<u64, Errno> {
    // _IOR(0xb7, 0x5, __u64)
    const NS_GET_MNTNS_ID: libc::c_ulong = 0x8008_b705;
    let mut id = 0_u64;
    // SAFETY: the descriptor is open for the length of the borrow, and the kernel writes one 64-bit number.
    let result = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_MNTNS_ID as _, std::ptr::from_mut(&mut id)) };
    if result == -1 { Err(crate::last_errno()) } else { Ok(id) }
}

/// Opens the mount namespace of this thread.
///
/// # Errors
/// As in open(2).
pub fn own_mount_namespace() -> Result<OwnedFd, Errno> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open("/proc/thread-self/ns/mnt", flags, rustix::fs::Mode::empty())
}
