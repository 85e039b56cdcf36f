//! What the runtime and a new process say to each other, from its first instruction to its program.
//!
//! The process's end is closed by exec: an end after [`Word::Ready`] is success, one before it is a process that was killed.

use base::{Context, Error, Kind, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// The longest message: an error's text, which may name paths.
const LENGTH_LIMIT: usize = 8 << 10;
/// A new process may hang in a file system that a container serves, or that a network does; whoever made it may not.
const PATIENCE: Duration = Duration::from_secs(60);
const TERMINAL: u8 = b't';
const READY: u8 = b'r';
const FAILED: u8 = b'f';
const RELEASE: u8 = b'g';

/// The kinds of errors, by what stands for each in a message.
const KINDS: [Kind; 13] = [
    Kind::Internal,
    Kind::Invalid,
    Kind::Unauthenticated,
    Kind::Denied,
    Kind::NotFound,
    Kind::Conflict,
    Kind::Unchanged,
    Kind::Unsupported,
    Kind::Unavailable,
    Kind::Exhausted,
    Kind::Corrupt,
    Kind::CommandNotFound,
    Kind::CommandNotRunnable,
];

/// What a new process says.
#[derive(Debug)]
pub(crate) enum Word {
    /// This is the other side of its terminal.
    Terminal(OwnedFd),
    /// Nothing but exec is left to be done.
    Ready,
    /// It could not go on, and waits for its end.
    Failed(Error),
}

/// What there is to hear.
#[derive(Debug)]
pub(crate) enum Heard {
    Word(Word),
    /// Nothing yet.
    Nothing,
    /// The process has gone on to its program, or has died.
    End,
}

/// One end.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// Both ends: the runtime's and the new process's.
    pub(crate) fn pair() -> Result<(Self, Self)> {
        let (ours, theirs) = sys::unix::message_pair().context("make a socket for the new process")?;
        set_socket_timeout(&ours, Timeout::Recv, Some(PATIENCE)).context("bound the wait for the new process")?;
        Ok((Self(ours), Self(theirs)))
    }

    /// The runtime's: from here on [`Channel::listen`] does not wait.
    pub(crate) fn stop_waiting(&self) -> Result<()> {
        rustix::io::ioctl_fionbio(&self.0, true).context("set the flags of the new process's socket")
    }

    /// The runtime's: the next word; `None` when the process has gone on to its program, or has died.
    pub(crate) fn hear(&self) -> Result<Option<Word>> {
        match self.listen()? {
            Heard::Word(word) => Ok(Some(word)),
            Heard::End => Ok(None),
            Heard::Nothing => Err(Error::unavailable(format!(
                "the new process hangs: a file system that it needs has not answered for {} seconds",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// The runtime's: what there is to hear.
    pub(crate) fn listen(&self) -> Result<Heard> {
        let heard = match sys::unix::receive(self.0.as_fd(), LENGTH_LIMIT) {
            Err(Errno::AGAIN) => return Ok(Heard::Nothing),
            heard => heard.context("hear the new process")?,
        };
        let Some((bytes, descriptors)) = heard else { return Ok(Heard::End) };
        let word = match (bytes.as_slice(), descriptors.into_iter().next()) {
            ([READY], None) => Word::Ready,
            ([TERMINAL], Some(terminal)) => Word::Terminal(terminal),
            ([FAILED, kind, message @ ..], None) => {
                let kind = KINDS.get(usize::from(*kind)).copied().unwrap_or(Kind::Internal);
                Word::Failed(Error::new(kind, String::from_utf8_lossy(message)))
            }
            _ => return Err(Error::internal("the new process says what nobody understands")),
        };
        Ok(Heard::Word(word))
    }

    /// The runtime's: lets the process go on.
    pub(crate) fn release(&self) -> Result<()> {
        match sys::unix::send(self.0.as_fd(), &[RELEASE], &[]) {
            // It has died: what it said last is still to be heard.
            Ok(()) | Err(Errno::PIPE) => Ok(()),
            Err(errno) => Err(errno).context("release the process"),
        }
    }

    /// The process's: hands over the other side of its terminal.
    pub(crate) fn send_terminal(&self, terminal: BorrowedFd<'_>) -> Result<()> {
        sys::unix::send(self.0.as_fd(), &[TERMINAL], &[terminal]).context("hand over the terminal")
    }

    /// The process's: waits until it is released, or ends it where nobody can do that any more.
    pub(crate) fn wait_for_release(&self) {
        match sys::unix::receive(self.0.as_fd(), 1) {
            Ok(Some(_)) => {}
            _ => sys::process::exit_now(1),
        }
    }

    /// The process's: ends it where its parent is gone.
    pub(crate) fn end_with_parent(&self) {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        if rustix::event::poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::HUP) {
            sys::process::exit_now(1);
        }
    }

    /// The process's: says that only exec is left.
    pub(crate) fn ready(&self) -> Result<()> {
        sys::unix::send(self.0.as_fd(), &[READY], &[]).context("say that the process is ready")
    }

    /// The process's: says why it cannot go on, and waits until that was heard.
    pub(crate) fn fail(&self, error: &Error) -> ! {
        let kind = KINDS.iter().position(|kind| *kind == error.kind()).unwrap_or(0);
        let mut message = vec![FAILED, u8::try_from(kind).unwrap_or(0)];
        message.extend(error.to_string().bytes().take(LENGTH_LIMIT - 2));
        let _ = sys::unix::send(self.0.as_fd(), &message, &[]);
        while let Ok(Some(_)) = sys::unix::receive(self.0.as_fd(), 1) {}
        sys::process::exit_now(1)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive() {
        let (ours, theirs) = Channel::pair().unwrap();
        theirs.ready().unwrap();
        theirs.send_terminal(theirs.as_fd()).unwrap();
        assert!(matches!(ours.hear().unwrap(), Some(Word::Ready)));
        assert!(matches!(ours.hear().unwrap(), Some(Word::Terminal(_))));
        let thread = std::thread::spawn(move || {
            ours.release().unwrap();
            match ours.hear().unwrap() {
                Some(Word::Failed(error)) => (error.kind(), error.to_string()),
                other => panic!("{other:?}"),
            }
        });
        theirs.wait_for_release();
        let error = Error::command_not_found("exec: \"x\"");
        let mut message = vec![FAILED, 11];
        message.extend(error.to_string().bytes());
        sys::unix::send(theirs.as_fd(), &message, &[]).unwrap();
        assert_eq!(thread.join().unwrap(), (Kind::CommandNotFound, error.to_string()));
    }
}
