//! What the loop waits for.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Where something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Somebody connects.
    Listener,
    /// A connection, by its number.
    Connection(u64),
    /// The container's first process has exited.
    Init,
    /// An end of the container's streams.
    Ends,
    /// A client of the container's streams, by its number.
    StreamClient(u64),
    /// There is something to hear of an exec whose program does not run yet, by its number.
    Arriving(u64),
    /// An exec that was given up has exited.
    Doomed,
    /// An exec has exited, or an end of its streams has something.
    Exec(u64),
    /// A client of any exec's streams, by its number.
    ExecClient(u64),
    /// A client that still has something to get after its process is gone, by its number.
    LeftoverClient(u64),
    /// The engine's helper has exited.
    Helper,
    /// Somebody asks for a name and nobody answers yet, or the resolver has died.
    Names,
    /// There is something to carry to the container and nobody carries it yet, or the relay has died.
    Relay,
    /// A signal for this process.
    Signal,
}

/// A descriptor and what is waited for on it.
#[derive(Debug)]
pub(super) struct Interest<'a> {
    source: Source,
    polled: PollFd<'a>,
}

impl<'a> Interest<'a> {
    pub(super) fn new(source: Source, descriptor: BorrowedFd<'a>, flags: PollFlags) -> Self {
        Self { source, polled: PollFd::from_borrowed_fd(descriptor, flags) }
    }
}

/// Waits until something happens or `deadline` comes, and says where.
pub(super) fn wait(interests: Vec<Interest<'_>>, deadline: Option<Instant>) -> Vec<(Source, PollFlags)> {
    let (sources, mut polled): (Vec<Source>, Vec<PollFd<'_>>) =
        interests.into_iter().map(|interest| (interest.source, interest.polled)).unzip();
    let timeout = deadline.map(|deadline| timespec(deadline.saturating_duration_since(Instant::now())));
    loop {
        match rustix::event::poll(&mut polled, timeout.as_ref()) {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            // The kernel lacks memory: nothing is lost by trying again a little later.
            Err(_) => {
                std::thread::sleep(Duration::from_millis(10));
                return Vec::new();
            }
        }
    }
    let happened = sources.into_iter().zip(polled.iter().map(PollFd::revents));
    happened.filter(|(_, flags)| !flags.is_empty()).collect()
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
