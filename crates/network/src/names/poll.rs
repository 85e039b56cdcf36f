//! What the loop waits for.

pub(super) use crate::poll::BATCH;
use crate::poll::Word;

pub(super) type Poll = crate::poll::Poll<Token>;

/// A descriptor that the loop waits for. Numbers of a life tell a new thing in a place from an old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Udp,
    Tcp,
    Bell,
    Connection { slot: usize, life: u32 },
    Upstream { slot: usize, server: usize, life: u32 },
}

impl Word for Token {
    fn pack(self) -> u64 {
        let (kind, slot, server, life) = match self {
            Self::Udp => (0, 0, 0, 0),
            Self::Tcp => (1, 0, 0, 0),
            Self::Bell => (2, 0, 0, 0),
            Self::Connection { slot, life } => (3, slot, 0, life),
            Self::Upstream { slot, server, life } => (4, slot, server, life),
        };
        (kind << 56) | ((server as u64 & 0xff) << 48) | ((slot as u64 & 0xffff) << 32) | u64::from(life)
    }

    fn unpack(word: u64) -> Self {
        let (slot, life) = ((word >> 32 & 0xffff) as usize, word as u32);
        match word >> 56 {
            0 => Self::Udp,
            1 => Self::Tcp,
            2 => Self::Bell,
            3 => Self::Connection { slot, life },
            _ => Self::Upstream { slot, server: (word >> 48 & 0xff) as usize, life },
        }
    }
}
