//! Messages with descriptors between our own processes: `SOCK_SEQPACKET` sockets (unix(7)).

use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

/// The most descriptors that one message carries.
pub const DESCRIPTOR_LIMIT: usize = 16;

/// Two connected sockets that keep the borders of messages.
///
/// # Errors
/// As in socketpair(2).
pub fn message_pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Two connected sockets for a stream of bytes in both directions.
///
/// # Errors
/// As in socketpair(2).
pub fn stream_pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
}

/// Sends one message with descriptors.
///
/// # Errors
/// `EMSGSIZE` where it exceeds the socket's buffer, `EPIPE` where nobody reads, otherwise as in sendmsg(2).
pub fn send(socket: BorrowedFd<'_>, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    if descriptors.len() > DESCRIPTOR_LIMIT {
        return Err(Errno::TOOBIG);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTOR_LIMIT))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::TOOBIG);
    }
    loop {
        match rustix::net::sendmsg(socket, &[IoSlice::new(message)], &mut ancillary, SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The bytes of a message and the descriptors that came along.
pub type Message = (Vec<u8>, Vec<OwnedFd>);

/// Receives one message of at most `limit` bytes with its descriptors, which are closed by exec; `None` at the end.
///
/// # Errors
/// `EMSGSIZE` for a longer message, `EAGAIN` where none is there and the socket does not wait, otherwise as in recvmsg(2).
pub fn receive(socket: BorrowedFd<'_>, limit: usize) -> Result<Option<Message>, Errno> {
    let mut buffer = vec![0_u8; limit];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTOR_LIMIT))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut buffer)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        {
            Err(Errno::INTR) => {}
            result => break result?,
        }
    };
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(Errno::MSGSIZE);
    }
    if received.bytes == 0 && descriptors.is_empty() {
        return Ok(None);
    }
    buffer.truncate(received.bytes);
    Ok(Some((buffer, descriptors)))
}
