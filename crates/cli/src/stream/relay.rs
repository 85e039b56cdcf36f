//! Bytes between the user and a container, in one loop that never waits for only one of them.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write, stderr, stdin, stdout};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use base::{Context, Error, Result};
use rustix::event::{PollFd, PollFlags, poll};

use super::detach::Watcher;
use super::frames::{Channel, Decoder};
use super::signals::Signals;

/// One read.
const CHUNK: usize = 32 * 1024;
/// What a pipe that polls as writable takes without blocking.
const ATOMIC: usize = 4096;

/// How the stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The container's side closed it.
    Closed,
    /// The user typed the detach keys.
    Detached,
    /// Nobody reads our output any more.
    OutputGone,
}

/// What a stream is like.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The bytes are a terminal's; otherwise they come in frames.
    pub(crate) tty: bool,
    /// The user's input goes to the container.
    pub(crate) input: bool,
    /// Keys that detach; only looked for on a terminal.
    pub(crate) keys: Vec<u8>,
}

/// A stream between the user and a container.
pub(crate) struct Relay<'a> {
    stream: UnixStream,
    tty: bool,
    watcher: Option<Watcher>,
    decoder: Decoder,
    reads_input: bool,
    input: Vec<u8>,
    closes_input: bool,
    output: VecDeque<(Channel, Vec<u8>)>,
    ended: Option<Ended>,
    signals: &'a mut Signals,
    on_signal: &'a mut dyn FnMut(i32),
}

impl<'a> Relay<'a> {
    /// Prepares to carry bytes over `stream`; `on_signal` is called for each signal that comes meanwhile.
    ///
    /// # Errors
    /// The system's, when the stream cannot be made non-blocking.
    pub(crate) fn new(
        stream: UnixStream,
        shape: Shape,
        signals: &'a mut Signals,
        on_signal: &'a mut dyn FnMut(i32),
    ) -> Result<Self> {
        stream.set_nonblocking(true).context("prepare the container's stream")?;
        if !shape.input {
            // Nobody listens for input that was not asked for; a failure only means that the other side has gone.
            let _ = stream.shutdown(Shutdown::Write);
        }
        Ok(Self {
            stream,
            tty: shape.tty,
            watcher: (shape.tty && shape.input).then(|| Watcher::new(shape.keys)),
            decoder: Decoder::default(),
            reads_input: shape.input,
            input: Vec::new(),
            closes_input: false,
            output: VecDeque::new(),
            ended: None,
            signals,
            on_signal,
        })
    }

    /// Carries bytes until the stream ends and all output is written, or the user detaches.
    ///
    /// # Errors
    /// The system's, and `Corrupt` for a stream that is not a container's.
    pub(crate) fn run(mut self) -> Result<Ended> {
        loop {
            match self.ended {
                Some(Ended::Closed) if !self.output.is_empty() => {}
                Some(ended) => return Ok(ended),
                None => {}
            }
            self.step()?;
        }
    }

    fn step(&mut self) -> Result<()> {
        let ready = self.poll()?;
        if ready.signals {
            for signal in self.signals.take() {
                (self.on_signal)(signal);
            }
        }
        if ready.output {
            self.write_output()?;
        }
        if ready.stream_in {
            self.read_stream()?;
        }
        if ready.input {
            self.read_input();
        }
        if ready.stream_out {
            self.write_input();
        }
        Ok(())
    }

    fn poll(&self) -> Result<Ready> {
        let (standard_input, standard_output, standard_error) = (stdin(), stdout(), stderr());
        let mut wanted: Vec<(Source, BorrowedFd<'_>, PollFlags)> =
            vec![(Source::Signals, self.signals.as_fd(), PollFlags::IN)];
        let mut stream = PollFlags::empty();
        if self.output.is_empty() && self.ended.is_none() {
            stream |= PollFlags::IN;
        }
        if !self.input.is_empty() {
            stream |= PollFlags::OUT;
        }
        if !stream.is_empty() {
            wanted.push((Source::Stream, self.stream.as_fd(), stream));
        }
        if self.reads_input && self.input.is_empty() && self.ended.is_none() {
            wanted.push((Source::Input, standard_input.as_fd(), PollFlags::IN));
        }
        match self.output.front() {
            Some((Channel::Output, _)) => wanted.push((Source::Output, standard_output.as_fd(), PollFlags::OUT)),
            Some((Channel::Error, _)) => wanted.push((Source::Output, standard_error.as_fd(), PollFlags::OUT)),
            None => {}
        }
        let mut fds: Vec<PollFd<'_>> =
            wanted.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for the container's stream"),
        }
        Ok(Ready::from(wanted.iter().zip(&fds).map(|((source, ..), fd)| (*source, fd.revents()))))
    }

    fn read_stream(&mut self) -> Result<()> {
        let mut buffer = [0; CHUNK];
        let length = match (&self.stream).read(&mut buffer) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(()),
            // A container that is killed takes its stream with it.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error).context("read the container's output"),
        };
        if length == 0 {
            self.ended = Some(Ended::Closed);
            return Ok(());
        }
        let output = &mut self.output;
        if self.tty {
            output.push_back((Channel::Output, buffer[..length].to_vec()));
            return Ok(());
        }
        self.decoder.push(&buffer[..length], |channel, bytes| {
            output.push_back((channel, bytes.to_vec()));
            Ok(())
        })
    }

    fn write_output(&mut self) -> Result<()> {
        let Some((channel, bytes)) = self.output.front_mut() else { return Ok(()) };
        let piece = &bytes[..bytes.len().min(ATOMIC)];
        let written = match channel {
            Channel::Output => write_through(&mut stdout(), piece),
            Channel::Error => write_through(&mut stderr(), piece),
        };
        match written {
            Ok(length) => {
                bytes.drain(..length);
                if bytes.is_empty() {
                    self.output.pop_front();
                }
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.ended = Some(Ended::OutputGone);
                Ok(())
            }
            Err(error) => Err(error).context("write the container's output"),
        }
    }

    fn read_input(&mut self) {
        let mut buffer = [0; CHUNK];
        let length = match rustix::io::read(stdin().as_fd(), &mut buffer) {
            Ok(length) => length,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return,
            // A terminal that has gone, or a descriptor that never was: no more input.
            Err(_) => 0,
        };
        if length == 0 {
            self.reads_input = false;
            self.closes_input = true;
            self.close_input_when_sent();
            return;
        }
        match &mut self.watcher {
            Some(watcher) => {
                let (passed, detached) = watcher.push(&buffer[..length]);
                self.input = passed;
                if detached {
                    self.ended = Some(Ended::Detached);
                }
            }
            None => self.input = buffer[..length].to_vec(),
        }
    }

    fn write_input(&mut self) {
        match (&self.stream).write(&self.input) {
            Ok(length) => {
                self.input.drain(..length);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            // The container takes no more input; what it has to say is read until its end.
            Err(_) => {
                self.reads_input = false;
                self.input.clear();
            }
        }
        self.close_input_when_sent();
    }

    fn close_input_when_sent(&mut self) {
        if self.closes_input && self.input.is_empty() {
            self.closes_input = false;
            // It fails where the other side has closed already.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

/// Writes past Rust's line buffer: what a container writes is shown when it is written.
fn write_through(sink: &mut (impl Write + AsFd), bytes: &[u8]) -> std::io::Result<usize> {
    rustix::io::write(sink.as_fd(), bytes).map_err(std::io::Error::from)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Signals,
    Stream,
    Input,
    Output,
}

#[derive(Debug, Default)]
struct Ready {
    signals: bool,
    stream_in: bool,
    stream_out: bool,
    input: bool,
    output: bool,
}

impl Ready {
    fn from(events: impl Iterator<Item = (Source, PollFlags)>) -> Self {
        // A hang-up or an error is found out by reading or writing.
        const ENDS: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::NVAL);
        let mut ready = Self::default();
        for (source, events) in events {
            let ends = events.intersects(ENDS);
            match source {
                Source::Signals => ready.signals = events.contains(PollFlags::IN),
                Source::Stream => {
                    ready.stream_in = events.contains(PollFlags::IN) || ends;
                    ready.stream_out = events.contains(PollFlags::OUT);
                }
                Source::Input => ready.input = events.contains(PollFlags::IN) || ends,
                Source::Output => ready.output = events.contains(PollFlags::OUT) || ends,
            }
        }
        ready
    }
}

/// How a stream carries output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A terminal's bytes.
    Raw,
    /// With a header for each piece, which says whether it is output or errors.
    Frames,
}

/// Writes everything that a stream of frames holds, until its end; those of a terminal have none.
///
/// # Errors
/// What reading and writing fail with, and `Corrupt` for something that is not such a stream.
pub(crate) fn copy(stream: &mut dyn Read, framing: Framing) -> Result<Ended> {
    let mut decoder = Decoder::default();
    let mut buffer = [0; CHUNK];
    loop {
        let length = match stream.read(&mut buffer) {
            Ok(0) => return Ok(Ended::Closed),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("read the container's output"),
        };
        let mut gone = false;
        let mut sink = |channel: Channel, bytes: &[u8]| -> Result<()> {
            let written = match channel {
                Channel::Output => write_all(&mut stdout(), bytes),
                Channel::Error => write_all(&mut stderr(), bytes),
            };
            match written {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => gone = true,
                other => other.context("write the container's output")?,
            }
            Ok(())
        };
        let outcome: Result<(), Error> = match framing {
            Framing::Raw => sink(Channel::Output, &buffer[..length]),
            Framing::Frames => decoder.push(&buffer[..length], sink),
        };
        outcome?;
        if gone {
            return Ok(Ended::OutputGone);
        }
    }
}

fn write_all(sink: &mut (impl Write + AsFd), bytes: &[u8]) -> std::io::Result<()> {
    sink.write_all(bytes)?;
    sink.flush()
}
