//! A further process between its birth and its program, as whoever made it sees it.

use crate::channel::{Channel, Heard, Word};
use crate::child::Child;
use crate::stdio::Ends;
use base::{Error, Result};
use std::os::fd::{AsFd, BorrowedFd};

/// A further process on its way to its program. The container's own processes can stop it there.
#[derive(Debug)]
pub struct Entering {
    child: Child,
    channel: Channel,
    ends: Ends,
    ready: bool,
}

impl Entering {
    pub(crate) fn new(child: Child, channel: Channel, ends: Ends) -> Self {
        Self { child, channel, ends, ready: false }
    }

    /// Readable when [`Entering::progress`] has something to tell.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    /// Whether its program runs. Does not wait.
    ///
    /// # Errors
    /// What failed on the way, as [`Container::start`](crate::Container::start) tells it. It is then to be given up.
    pub fn progress(&mut self) -> Result<bool> {
        loop {
            match self.channel.listen()? {
                Heard::Nothing => return Ok(false),
                Heard::Word(Word::Ready) => self.ready = true,
                Heard::Word(Word::Terminal(terminal)) => self.ends.terminal = Some(terminal),
                Heard::Word(Word::Failed(error)) => return Err(error),
                Heard::End if self.ready => return Ok(true),
                Heard::End => return Err(Error::internal("the process was killed before its program ran")),
            }
        }
    }

    /// The process whose program runs, and our ends of its streams.
    #[must_use]
    pub fn arrive(self) -> (Child, Ends) {
        (self.child, self.ends)
    }

    /// Ends a process that has failed or takes too long. It is still to be reaped, which may take as long as a file system hangs.
    #[must_use]
    pub fn give_up(self) -> Child {
        // It exits when its channel ends; the kill is for one that hangs elsewhere.
        let _ = self.child.signal(9);
        self.child
    }
}
