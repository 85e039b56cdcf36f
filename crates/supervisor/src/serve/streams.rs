//! The streams of one process: its pipes or its terminal, the log, and the clients that are attached.
//!
//! Output is always read, unless the client in the foreground makes the process wait. Every client has a bounded queue.

use super::poll::{Interest, Source};
use crate::plan::Stdin;
use crate::protocol::{Attach, Pace};
use base::{Context, Result};
use logs::{Stream, Writer};
use runtime::Ends;
use runtime::spec::Process;
use rustix::event::PollFlags;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown};
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};

/// So much is read at once.
const READ_BYTES: usize = 32 << 10;
/// A client that makes the process wait does so from this length of its queue on.
const WAIT_BYTES: usize = 64 << 10;
/// Any other client is cut off from this length of its queue on.
const CUT_OFF_BYTES: usize = 256 << 10;
const CUT_OFF_MESSAGE: &[u8] = b"\r\nberth: this client read too slowly and was cut off\r\n";
/// How many reads follow each other before others have their turn.
const READS_IN_A_ROW: u32 = 8;
/// The most that is read after the exit of the process: what two pipes of the largest size hold that a process may ask for (pipe(7)).
const DRAIN_BYTES: usize = 2 << 20;
/// The most reads for that: a pipe holds as many packets (`O_DIRECT`) as pages.
const DRAIN_READS: u32 = 512;

/// The streams of one process.
#[derive(Debug)]
pub(super) struct Streams {
    ends: Ends,
    has_terminal: bool,
    stdin: Stdin,
    /// Input that the process has not taken yet.
    input: Vec<u8>,
    /// Input ends when `input` is empty.
    input_ended: bool,
    clients: Vec<Client>,
    buffer: Vec<u8>,
}

/// An attached client.
#[derive(Debug)]
struct Client {
    number: u64,
    socket: OwnedFd,
    attach: Attach,
    queue: VecDeque<u8>,
    /// Whether output comes in frames that say which stream it is.
    framed: bool,
    sends_input: bool,
    /// It gets nothing more than what is in its queue.
    ending: bool,
    gone: bool,
}

impl Streams {
    /// Streams of a process that does not exist yet: clients may attach already.
    pub(super) fn new(process: &Process, stdin: Stdin) -> Self {
        Self {
            ends: Ends::default(),
            has_terminal: process.terminal,
            stdin,
            input: Vec::new(),
            input_ended: false,
            clients: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Connects the process's pipes or its terminal.
    pub(super) fn connect(&mut self, ends: Ends) -> Result<()> {
        for end in [&ends.terminal, &ends.stdin, &ends.stdout, &ends.stderr].into_iter().flatten() {
            set_nonblocking(end)?;
        }
        self.ends = ends;
        Ok(())
    }

    pub(super) fn has_terminal(&self) -> bool {
        self.has_terminal
    }

    pub(super) fn terminal(&self) -> Option<&OwnedFd> {
        self.ends.terminal.as_ref()
    }

    /// Attaches a client; the returned socket is its end.
    pub(super) fn attach(&mut self, number: u64, attach: Attach) -> Result<OwnedFd> {
        let (ours, theirs) = sys::unix::stream_pair().context("make a stream")?;
        self.adopt(number, attach, ours)?;
        Ok(theirs)
    }

    /// Attaches a client that has its end already; `ours` is the other one.
    ///
    /// One client at a time is in the foreground and makes the process wait. Any other is cut off when it lags, whatever it asked for:
    /// else a forgotten one would stop the process for all.
    pub(super) fn adopt(&mut self, number: u64, mut attach: Attach, ours: OwnedFd) -> Result<()> {
        set_nonblocking(&ours)?;
        if self.clients.iter().any(Client::is_foreground) {
            attach.pace = Pace::CutOff;
        }
        let sends_input = attach.stdin && self.stdin != Stdin::Closed;
        let queue = VecDeque::new();
        self.clients.push(Client {
            number,
            socket: ours,
            attach,
            queue,
            framed: !self.has_terminal,
            sends_input,
            ending: false,
            gone: false,
        });
        Ok(())
    }

    /// What this process's streams wait for; `name` makes a source of each end and of each client's number.
    pub(super) fn interests<'a>(&'a self, ends: Source, client: fn(u64) -> Source, into: &mut Vec<Interest<'a>>) {
        let waits = self.clients.iter().any(Client::makes_wait);
        for end in [&self.ends.terminal, &self.ends.stdout, &self.ends.stderr].into_iter().flatten() {
            if !waits {
                into.push(Interest::new(ends, end.as_fd(), PollFlags::IN));
            }
        }
        let input = self.ends.terminal.as_ref().or(self.ends.stdin.as_ref());
        if let Some(input) = input.filter(|_| !self.input.is_empty()) {
            into.push(Interest::new(ends, input.as_fd(), PollFlags::OUT));
        }
        for attached in &self.clients {
            let mut flags = PollFlags::empty();
            if attached.sends_input && self.input.is_empty() {
                flags |= PollFlags::IN;
            }
            if !attached.queue.is_empty() {
                flags |= PollFlags::OUT;
            }
            // One that has hung up while its input is not taken yet would be reported without end.
            if !flags.is_empty() || !attached.sends_input {
                into.push(Interest::new(client(attached.number), attached.socket.as_fd(), flags));
            }
        }
    }

    /// Reads what the process has written, and writes what it takes.
    pub(super) fn serve_ends(&mut self, log: Option<&mut Writer>) {
        self.write_input();
        self.read_output(log, READS_IN_A_ROW);
    }

    /// Serves the client with this number.
    pub(super) fn serve_client(&mut self, number: u64, flags: PollFlags) {
        let Some(index) = self.clients.iter().position(|client| client.number == number) else { return };
        let client = &mut self.clients[index];
        client.send();
        let hung_up = flags.intersects(PollFlags::HUP | PollFlags::ERR);
        if client.sends_input && self.input.is_empty() && flags.intersects(PollFlags::IN | PollFlags::HUP) {
            self.read_input(index);
        } else if hung_up && !client.sends_input {
            client.gone = true;
        }
        self.clients.retain(|client| !client.is_over());
    }

    fn read_input(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let mut chunk = [0_u8; 8 << 10];
        match rustix::io::read(&client.socket, &mut chunk) {
            Ok(0) => {
                client.sends_input = false;
                // A terminal has no end of input, and a second client may still want to type.
                if self.stdin == Stdin::Once && !self.has_terminal {
                    self.input_ended = true;
                }
            }
            Ok(length) => self.input.extend_from_slice(&chunk[..length]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => {
                client.sends_input = false;
                client.gone = true;
            }
        }
        self.write_input();
    }

    fn write_input(&mut self) {
        if let Some(end) = self.ends.terminal.as_ref().or(self.ends.stdin.as_ref()) {
            while !self.input.is_empty() {
                match rustix::io::write(end, &self.input) {
                    Ok(length) => drop(self.input.drain(..length)),
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => break,
                    // Nobody will read it.
                    Err(_) => self.input.clear(),
                }
            }
        }
        if self.input.is_empty() && self.input_ended {
            self.ends.stdin = None;
        }
    }

    /// Reads what is there, at most `reads` times from each end; how many bytes that were.
    fn read_output(&mut self, mut log: Option<&mut Writer>, reads: u32) -> usize {
        let mut total = 0;
        self.buffer.resize(READ_BYTES, 0);
        let mut buffer = std::mem::take(&mut self.buffer);
        for (stream, which) in [(Stream::Stdout, 0), (Stream::Stdout, 1), (Stream::Stderr, 2)] {
            for _ in 0..reads {
                let end =
                    [&mut self.ends.terminal, &mut self.ends.stdout, &mut self.ends.stderr].into_iter().nth(which);
                let Some(end) = end else { break };
                let Some(descriptor) = end else { break };
                match rustix::io::read(&*descriptor, &mut buffer) {
                    Ok(0) => *end = None,
                    Ok(length) => {
                        total += length;
                        self.distribute(stream, &buffer[..length], log.as_deref_mut());
                    }
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => break,
                    // A terminal whose last user is gone answers EIO.
                    Err(_) => *end = None,
                }
                if self.clients.iter().any(Client::makes_wait) {
                    break;
                }
            }
        }
        self.buffer = buffer;
        total
    }

    fn distribute(&mut self, stream: Stream, bytes: &[u8], log: Option<&mut Writer>) {
        if let Some(log) = log {
            // A full disk must not stop the container: what cannot be kept is lost.
            let _ = log.write(stream, bytes);
        }
        for client in &mut self.clients {
            client.take(stream, bytes);
            client.send();
        }
        self.clients.retain(|client| !client.is_over());
    }

    /// Reads what the pipes hold when the process has exited. A child may keep them open, and may go on writing.
    pub(super) fn drain(&mut self, mut log: Option<&mut Writer>) {
        // Who made the process wait does not make its end wait: the pipes hold little.
        let mut left = DRAIN_BYTES;
        for _ in 0..DRAIN_READS {
            match self.read_output(log.as_deref_mut(), 1) {
                0 => break,
                length => left = left.saturating_sub(length),
            }
            if left == 0 {
                break;
            }
        }
        if let Some(log) = log {
            let _ = log.finish();
        }
    }

    /// Whether the terminal may still have something to say: its bytes pass through a queue of the kernel before they can be read.
    pub(super) fn terminal_is_open(&self) -> bool {
        self.ends.terminal.is_some()
    }

    /// Ends the streams: clients get what is in their queues and then the end. Input is closed.
    pub(super) fn end(&mut self) {
        self.ends = Ends::default();
        self.input.clear();
        self.input_ended = false;
        for client in &mut self.clients {
            client.ending = true;
            client.sends_input = false;
            client.send();
        }
        self.clients.retain(|client| !client.is_over());
    }

    /// Clients that have not got everything yet, to be served on by whoever outlives the process.
    pub(super) fn leftover(&mut self) -> Self {
        Self {
            ends: Ends::default(),
            has_terminal: self.has_terminal,
            stdin: Stdin::Closed,
            input: Vec::new(),
            input_ended: false,
            clients: std::mem::take(&mut self.clients),
            buffer: Vec::new(),
        }
    }

    pub(super) fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// How many descriptors these streams have open.
    pub(super) fn descriptors(&self) -> usize {
        let ends = [&self.ends.terminal, &self.ends.stdin, &self.ends.stdout, &self.ends.stderr];
        ends.into_iter().flatten().count() + self.clients.len()
    }
}

impl Client {
    fn is_foreground(&self) -> bool {
        self.attach.pace == Pace::Wait && (self.attach.stdout || self.attach.stderr) && !self.ending
    }

    fn makes_wait(&self) -> bool {
        self.attach.pace == Pace::Wait && self.queue.len() >= WAIT_BYTES
    }

    fn wants(&self, stream: Stream) -> bool {
        match stream {
            Stream::Stdout => self.attach.stdout,
            Stream::Stderr => self.attach.stderr,
        }
    }

    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        if self.ending || !self.wants(stream) {
            return;
        }
        self.put(stream, bytes);
        if self.attach.pace == Pace::CutOff && self.queue.len() > CUT_OFF_BYTES {
            self.put(Stream::Stderr, CUT_OFF_MESSAGE);
            self.ending = true;
            self.sends_input = false;
        }
    }

    fn put(&mut self, stream: Stream, bytes: &[u8]) {
        if self.framed {
            self.queue.extend(stream.frame_header(bytes.len()));
        }
        self.queue.extend(bytes);
    }

    fn send(&mut self) {
        while !self.queue.is_empty() && !self.gone {
            let (front, _) = self.queue.as_slices();
            match rustix::net::send(&self.socket, front, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(length) => drop(self.queue.drain(..length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) if self.sends_input => {
                    // It still sends, so it is heard to its end.
                    self.queue.clear();
                    self.ending = true;
                }
                Err(_) => self.gone = true,
            }
        }
        if self.ending && !self.sends_input {
            let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
        }
        // A burst may have made it long.
        if self.queue.is_empty() && self.queue.capacity() > READ_BYTES {
            self.queue = VecDeque::new();
        }
    }

    fn is_over(&self) -> bool {
        self.gone || self.ending && self.queue.is_empty() && !self.sends_input
    }
}

pub(super) fn set_nonblocking(descriptor: &OwnedFd) -> Result<()> {
    let flags = rustix::fs::fcntl_getfl(descriptor).context("read the flags of a stream")?;
    rustix::fs::fcntl_setfl(descriptor, flags | OFlags::NONBLOCK).context("set the flags of a stream")
}
