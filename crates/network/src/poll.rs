//! Waiting on epoll(7), with words that say what is ready.

use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use base::{Context, Result};
use rustix::event::epoll::{CreateFlags, EventData, EventFlags};
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

/// So many things are looked at between two looks at the clock.
pub(crate) const BATCH: usize = 64;

/// What a descriptor is to its loop, in 64 bits.
pub(crate) trait Word {
    fn pack(self) -> u64;
    fn unpack(word: u64) -> Self;
}

/// An epoll instance.
#[derive(Debug)]
pub(crate) struct Poll<T> {
    descriptor: OwnedFd,
    words: PhantomData<T>,
}

impl<T: Word> Poll<T> {
    pub(crate) fn new() -> Result<Self> {
        let descriptor = epoll::create(CreateFlags::CLOEXEC).context("make an epoll instance")?;
        Ok(Self { descriptor, words: PhantomData })
    }

    pub(crate) fn add(&self, descriptor: impl AsFd, word: T, flags: EventFlags) -> Result<(), Errno> {
        epoll::add(&self.descriptor, descriptor, EventData::new_u64(word.pack()), flags)
    }

    pub(crate) fn change(&self, descriptor: impl AsFd, word: T, flags: EventFlags) -> Result<(), Errno> {
        epoll::modify(&self.descriptor, descriptor, EventData::new_u64(word.pack()), flags)
    }

    /// Waits until something is ready or `until`, and puts what is ready into `ready`.
    pub(crate) fn wait(&self, until: Option<Instant>, ready: &mut Vec<(T, EventFlags)>) -> Result<()> {
        // Up to the next millisecond: the kernel rounds down, and a loop that comes early spins.
        let timeout = until.map(|until| {
            let left = until.saturating_duration_since(Instant::now());
            let left = if left.is_zero() { left } else { left + Duration::from_micros(999) };
            let milliseconds = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
            Timespec { tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000 }
        });
        ready.clear();
        let empty = epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) };
        let mut events = [empty; BATCH];
        match epoll::wait(&self.descriptor, &mut events[..], timeout.as_ref()) {
            Ok(count) => {
                ready.extend(events[..count].iter().map(|event| (T::unpack(event.data.u64()), event.flags)));
                Ok(())
            }
            Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno).context("wait on an epoll instance"),
        }
    }
}

/// Readable while something in it is ready.
impl<T> AsFd for Poll<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
