//! Signals that this process receives while it stands for a container's process.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::signal as names;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

/// Never passed on: they are about this process, or cannot be caught, or would come back for ever (a read from the terminal in
/// the background raises SIGTTIN again after every handler).
const OWN: &[i32] = &[
    names::SIGKILL,
    names::SIGSTOP,
    names::SIGCHLD,
    names::SIGPIPE,
    names::SIGURG,
    names::SIGTTIN,
    names::SIGTTOU,
    names::SIGILL,
    names::SIGFPE,
    names::SIGSEGV,
    names::SIGBUS,
    names::SIGTRAP,
    names::SIGABRT,
    names::SIGSYS,
];
/// What ends a process that does not care, and leaves the terminal as it then is.
const ENDING: &[i32] = &[names::SIGHUP, names::SIGINT, names::SIGQUIT, names::SIGTERM];
/// The first one that no C library keeps for itself.
const FIRST_REAL_TIME: i32 = 35;
const LAST_REAL_TIME: i32 = 64;

/// Signals, as something to poll.
#[derive(Debug)]
pub(crate) struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
    wanted: Wanted,
    /// Whether those that end a process do so again.
    given_back: Arc<AtomicBool>,
}

/// Which signals are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those that would end this process, and the terminal's changes of size.
    Ending,
    /// Everything that a container's process may want to see.
    All,
}

impl Signals {
    /// Catches the wanted signals from now on, for good.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn catch(wanted: Wanted) -> Result<Self> {
        let (read, write) = UnixStream::pair().context("make a pipe for signals")?;
        let numbers: Vec<i32> = match wanted {
            Wanted::Ending => ENDING.iter().copied().chain([names::SIGWINCH]).collect(),
            Wanted::All => {
                (1..32).chain(FIRST_REAL_TIME..=LAST_REAL_TIME).filter(|number| !OWN.contains(number)).collect()
            }
        };
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, numbers);
        let delivery = delivery.context("catch signals")?;
        let given_back = Arc::new(AtomicBool::new(false));
        for signal in ENDING {
            signal_hook::flag::register_conditional_default(*signal, given_back.clone()).context("catch signals")?;
        }
        Ok(Self { delivery, wanted, given_back })
    }

    /// Readable when a signal has come.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }

    /// The signals that have come since the last call.
    pub(crate) fn take(&mut self) -> Vec<i32> {
        self.delivery.pending().collect()
    }

    /// Which signals are caught.
    pub(crate) fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// From now on signals do what they do to a process that does not catch them: nothing stands behind this one any more.
    pub(crate) fn give_back(mut self) {
        self.given_back.store(true, Ordering::SeqCst);
        self.take().into_iter().for_each(obey);
        if self.wanted == Wanted::Ending {
            return;
        }
        // Without a thread the others stay ignored, as they are now; only an impatient user notices.
        let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            loop {
                let mut wait = [PollFd::from_borrowed_fd(self.as_fd(), PollFlags::IN)];
                if poll(&mut wait, None).is_ok() {
                    self.take().into_iter().for_each(obey);
                }
            }
        });
    }
}

/// Does to this process what `signal` does to one that does not catch it.
pub(crate) fn obey(signal: i32) {
    // What cannot be emulated is not a signal that ends anything.
    let _ = signal_hook::low_level::emulate_default_handler(signal);
}

/// Whether `signal` says that the terminal has another size.
pub(crate) fn is_resize(signal: i32) -> bool {
    signal == names::SIGWINCH
}

/// Whether `signal` ends a process that does not catch it.
pub(crate) fn is_ending(signal: i32) -> bool {
    ENDING.contains(&signal)
}
