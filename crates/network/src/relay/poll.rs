//! What the loop waits for.

use crate::poll::Word;
pub(super) use crate::poll::{BATCH, Poll};

/// A socket of a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) lease: usize,
    pub(super) offset: usize,
}

impl Word for Place {
    fn pack(self) -> u64 {
        (self.lease as u64) << 32 | self.offset as u64
    }

    fn unpack(word: u64) -> Self {
        Self { lease: (word >> 32) as usize, offset: word as u32 as usize }
    }
}

/// The client's end of a connection, and the container's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Client,
    Container,
}

/// A descriptor that the loop waits for. Numbers of a life tell a new thing in a slot from an old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Somebody connects.
    Callers,
    /// A datagram has come.
    Senders,
    Connection {
        slot: usize,
        end: End,
        life: u32,
    },
    /// A datagram for a client has come.
    Client {
        slot: usize,
        life: u32,
    },
}

impl Word for Token {
    fn pack(self) -> u64 {
        let (kind, slot, life) = match self {
            Self::Callers => (0, 0, 0),
            Self::Senders => (1, 0, 0),
            Self::Connection { slot, end: End::Client, life } => (2, slot, life),
            Self::Connection { slot, end: End::Container, life } => (3, slot, life),
            Self::Client { slot, life } => (4, slot, life),
        };
        kind << 56 | (slot as u64 & 0xffff) << 32 | u64::from(life)
    }

    fn unpack(word: u64) -> Self {
        let (slot, life) = ((word >> 32 & 0xffff) as usize, word as u32);
        match word >> 56 {
            0 => Self::Callers,
            1 => Self::Senders,
            2 => Self::Connection { slot, end: End::Client, life },
            3 => Self::Connection { slot, end: End::Container, life },
            _ => Self::Client { slot, life },
        }
    }
}
