//! Network devices of the namespace that this process is in (netdevice(7)).

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Brings up the loopback device, which gets its addresses with that.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN`, otherwise as in netdevice(7).
pub fn bring_up_loopback() -> Result<(), Errno> {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: a request is plain bytes, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request is complete and outlives the call, which only reads it.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    if result == -1 { Err(crate::last_errno()) } else { Ok(()) }
}

/// Makes a datagram socket receive nothing, whatever arrives (`SO_ATTACH_FILTER`, socket(7)).
///
/// # Errors
/// As in setsockopt(2).
pub fn refuse_datagrams(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    attach_filter(socket, &mut [RETURN_NOTHING])
}

/// Makes an IPv6 datagram socket receive what is sent to `address` and nothing else, instead of what was filtered before.
///
/// # Errors
/// As in setsockopt(2).
pub fn admit_datagrams_to(socket: BorrowedFd<'_>, address: Ipv6Addr) -> Result<(), Errno> {
    let header = libc::SKF_NET_OFF as u32;
    let mut program = Vec::with_capacity(13);
    // BPF_LD | BPF_B | BPF_ABS and BPF_ALU | BPF_AND | BPF_K: the version; a socket of both families gets IPv4 too.
    program.push(libc::sock_filter { code: 0x30, jt: 0, jf: 0, k: header });
    program.push(libc::sock_filter { code: 0x54, jt: 0, jf: 0, k: 0xf0 });
    let mut wanted = vec![(None, 0x60)];
    // The destination is at 24 in the header (RFC 8200, 3).
    let words = address.octets();
    wanted.extend(
        words.chunks_exact(4).zip((24..).step_by(4)).map(|(word, offset)| {
            (Some(offset), word.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)))
        }),
    );
    for (place, (offset, word)) in wanted.iter().enumerate() {
        if let Some(offset) = offset {
            // BPF_LD | BPF_W | BPF_ABS
            program.push(libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: header.wrapping_add(*offset) });
        }
        // BPF_JMP | BPF_JEQ | BPF_K; otherwise past all that follow, two instructions each, and the return.
        let rest = 2 * (wanted.len() - place - 1) + 1;
        program.push(libc::sock_filter { code: 0x15, jt: 0, jf: rest as u8, k: *word });
    }
    program.push(libc::sock_filter { k: u32::MAX, ..RETURN_NOTHING });
    program.push(RETURN_NOTHING);
    attach_filter(socket, &mut program)
}

/// `BPF_RET | BPF_K` with 0: no byte of any packet is kept.
const RETURN_NOTHING: libc::sock_filter = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };

fn attach_filter(socket: BorrowedFd<'_>, program: &mut [libc::sock_filter]) -> Result<(), Errno> {
    let program = libc::sock_fprog { len: program.len() as libc::c_ushort, filter: program.as_mut_ptr() };
    // SAFETY: the program and what it points to outlive the call, which copies them.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == -1 { Err(crate::last_errno()) } else { Ok(()) }
}
