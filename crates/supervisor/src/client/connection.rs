//! One connection to a supervisor.

use crate::files;
use crate::protocol::{self, Attach, Condition, Exec, NamesPlan, Reply, Request, RulesPlan, SignalMeaning, Stop};
use crate::restart::Policy;
use crate::state::State;
use base::id::Id;
use base::{Context, Error, Result};
use network::lease::PortRequest;
use network::port::PublishedPort;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A connection to a container's supervisor.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
}

/// A connection to the streams of a container or an exec.
#[derive(Debug)]
pub struct Streams {
    /// Raw bytes with a terminal, else Docker's frames: a byte for the stream (1, 2), three zeros, four bytes of length in network order,
    /// the bytes. What the client writes is standard input; shutting down the writing half ends it. Ends when the process has.
    pub stream: UnixStream,
    /// Whether the process has a terminal.
    pub terminal: bool,
    /// The process, on the host; 0 while the container has none.
    pub pid: i32,
}

/// What a supervisor is to do for its container's network.
#[derive(Debug, Default)]
pub struct ServedNetwork<'a> {
    /// Further ports of the host.
    pub ports: Vec<PortRequest>,
    /// The container's addresses that what comes to its ports on `::1` is carried to from now on; none: turned away. `None`: as before.
    pub relay_to: Option<Vec<IpAddr>>,
    /// How names are answered from now on, with the descriptors that [`Request::ServeNetwork`] names; `None`: as before.
    pub names: Option<(NamesPlan, Vec<BorrowedFd<'a>>)>,
    /// What it takes back when the container has exited for good; `None`: as before.
    pub rules: Option<RulesPlan>,
}

impl Client {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// Connects to the supervisor of the container with this directory; `None` when there is none.
    ///
    /// # Errors
    /// When one is there and cannot be reached.
    pub fn connect(directory: BorrowedFd<'_>) -> Result<Option<Self>> {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .context("make a socket")?;
        let address = control_address(directory)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) => Ok(Some(Self { socket })),
            Err(Errno::NOENT | Errno::CONNREFUSED) => Ok(None),
            Err(errno) => Err(errno).context("connect to the supervisor"),
        }
    }

    /// How the container is.
    ///
    /// # Errors
    /// `Unavailable` when the supervisor is gone, as of every request.
    pub fn state(&self) -> Result<State> {
        match self.ask(&Request::State)?.0 {
            Reply::State { state, .. } => Ok(*state),
            other => Err(unexpected(&other)),
        }
    }

    /// The namespaces of the container, by name; see [`Reply::Namespaces`].
    ///
    /// # Errors
    /// `Conflict` when it does not run.
    pub fn namespaces(&self) -> Result<Vec<(String, OwnedFd)>> {
        match self.ask(&Request::Namespaces)? {
            (Reply::Namespaces { names }, descriptors) => Ok(names.into_iter().zip(descriptors).collect()),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// Connects to the container's streams. Before its start, they carry from the very first byte.
    ///
    /// # Errors
    /// `Conflict` when it has exited.
    pub fn attach(&self, attach: Attach) -> Result<Streams> {
        let answer = self.ask(&Request::Attach(attach))?;
        streams(answer)?.ok_or_else(|| Error::internal("the supervisor sent no stream"))
    }

    /// Connects the container's streams to `theirs`, whose other end a client has already; whether they are a terminal's.
    ///
    /// # Errors
    /// `Conflict` when it has exited.
    pub fn attach_stream(&self, attach: Attach, theirs: BorrowedFd<'_>) -> Result<bool> {
        self.tell(&Request::Attach(attach), &[theirs])?;
        match self.answer()?.0 {
            Reply::Attached { terminal, .. } => Ok(terminal),
            other => Err(unexpected(&other)),
        }
    }

    /// Runs a further process; `None` where no stream was asked for.
    ///
    /// # Errors
    /// `Conflict` when the container does not run or is paused; `CommandNotFound`, `CommandNotRunnable`.
    pub fn exec(&self, exec: Exec) -> Result<Option<Streams>> {
        streams(self.ask(&Request::Exec(Box::new(exec)))?)
    }

    /// Sets the size of the terminal of the container or of one of its execs.
    ///
    /// # Errors
    /// `Conflict` when it does not run or has no terminal.
    pub fn resize(&self, exec: Option<Id>, height: u16, width: u16) -> Result<()> {
        self.done(&Request::Resize { exec, height, width })
    }

    /// Sends a signal to the container's first process.
    ///
    /// # Errors
    /// `Conflict` when it does not run.
    pub fn signal(&self, signal: i32, meaning: SignalMeaning) -> Result<()> {
        self.done(&Request::Signal { signal, meaning })
    }

    /// Stops the container and returns when it has exited: whether it was killed at once, being certain not to notice the signal.
    ///
    /// # Errors
    /// `Unchanged` when it does not run.
    pub fn stop(&self, stop: Stop) -> Result<bool> {
        match self.ask(&Request::Stop(stop))?.0 {
            Reply::Stopped { immediate } => Ok(immediate),
            other => Err(unexpected(&other)),
        }
    }

    /// Holds ports of the host for the container, answers its questions for names, and keeps its network namespace from one run to the next; which ports,
    /// in the order in which they were asked for.
    ///
    /// # Errors
    /// `Conflict` when somebody has one of them: none is held then.
    pub fn serve_network(&self, served: ServedNetwork<'_>) -> Result<Vec<PublishedPort>> {
        let ServedNetwork { ports, relay_to, names, rules } = served;
        let (names, descriptors) = match names {
            Some((plan, descriptors)) => (Some(plan), descriptors),
            None => (None, Vec::new()),
        };
        self.tell(&Request::ServeNetwork { ports, relay_to, names, rules }, &descriptors)?;
        match self.answer()?.0 {
            Reply::Serving { ports } => Ok(ports),
            other => Err(unexpected(&other)),
        }
    }

    /// Freezes the container.
    ///
    /// # Errors
    /// `Conflict` when it does not run or is paused.
    pub fn pause(&self) -> Result<()> {
        self.done(&Request::Pause)
    }

    /// Thaws the container.
    ///
    /// # Errors
    /// `Conflict` when it is not paused.
    pub fn resume(&self) -> Result<()> {
        self.done(&Request::Resume)
    }

    /// Begins to wait. The wait is in force when this returns: no exit after that is missed.
    ///
    /// # Errors
    /// `Unavailable` when the supervisor is gone.
    pub fn wait(self, condition: Condition) -> Result<Waiting> {
        self.tell(&Request::Wait { condition, undertakes: false }, &[])?;
        Ok(Waiting { socket: self.socket })
    }

    /// Begins to wait for the removal, and offers to do it, see [`Told::Undertake`].
    ///
    /// # Errors
    /// `Unavailable` when the supervisor is gone.
    pub fn undertake(self) -> Result<Waiting> {
        self.tell(&Request::Wait { condition: Condition::Removed, undertakes: true }, &[])?;
        Ok(Waiting { socket: self.socket })
    }

    /// Changes what follows an exit, from the next one on.
    ///
    /// # Errors
    /// As every request.
    pub fn update_restart_policy(&self, policy: Policy) -> Result<()> {
        self.done(&Request::UpdateRestartPolicy { policy })
    }

    /// Tells the name that events carry from now on.
    ///
    /// # Errors
    /// `Unsupported` when the supervisor is too old to know the request.
    pub fn rename(&self, name: &str) -> Result<()> {
        self.done(&Request::Rename { name: name.to_owned() })
    }

    /// Changes the limits of the container, also for its next starts by the restart policy.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn update_resources(&self, resources: cgroup::Resources) -> Result<()> {
        self.done(&Request::UpdateResources { resources: Box::new(resources) })
    }

    /// Another connection, which the supervisor knows from now on.
    ///
    /// # Errors
    /// As every request.
    pub fn duplicate(&self) -> Result<Self> {
        let (here, there) = sys::unix::message_pair().context("make a socket")?;
        protocol::send(self.socket.as_fd(), &Request::Connect, &[there.as_fd()])?;
        drop(there);
        self.answer()?;
        Ok(Self { socket: here })
    }

    fn done(&self, request: &Request) -> Result<()> {
        self.ask(request).map(|_| ())
    }

    pub(super) fn ask(&self, request: &Request) -> Result<(Reply, Vec<OwnedFd>)> {
        protocol::send(self.socket.as_fd(), request, &[])?;
        self.answer()
    }

    pub(super) fn tell(&self, request: &Request, descriptors: &[BorrowedFd<'_>]) -> Result<()> {
        protocol::send(self.socket.as_fd(), request, descriptors)
    }

    pub(super) fn answer(&self) -> Result<(Reply, Vec<OwnedFd>)> {
        let received = protocol::receive::<Reply>(self.socket.as_fd())?;
        let (reply, descriptors) = received.ok_or_else(|| Error::unavailable("the supervisor ended"))?;
        Ok((reply.into_result()?, descriptors))
    }
}

/// A wait under way.
#[derive(Debug)]
pub struct Waiting {
    socket: OwnedFd,
}

/// What a wait is told: the exit code, and why the container could not be started, if it could not.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// What was waited for has come.
    Exited(i32, String),
    /// The container has exited, and the caller does now what the helper `container-exited` would. Dropping the [`Waiting`] tells that it is done;
    /// the helper does what is not.
    Undertake(i32, String),
}

impl Waiting {
    /// What there is to tell; `None` when nothing happened for `patience`.
    ///
    /// # Errors
    /// `Unavailable` when the supervisor ended without an answer: it was killed.
    pub fn poll(&mut self, patience: Duration) -> Result<Option<Told>> {
        let timeout = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(patience.subsec_nanos()),
        };
        let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
        match rustix::event::poll(&mut polled, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => Ok(None),
            Ok(_) => self.receive().map(Some),
            Err(errno) => Err(errno).context("wait for the supervisor"),
        }
    }

    /// The exit that was waited for without an offer, however long it takes.
    ///
    /// # Errors
    /// As [`Waiting::poll`].
    pub fn finish(self) -> Result<(i32, String)> {
        match self.receive()? {
            Told::Exited(code, error) => Ok((code, error)),
            Told::Undertake(..) => Err(Error::internal("the supervisor asks for what was not offered")),
        }
    }

    /// Leaves to the supervisor's helper what this wait has undertaken, and waits for that.
    ///
    /// # Errors
    /// `Unavailable` when the supervisor is gone.
    pub fn give_up(&self) -> Result<()> {
        let request = Request::Wait { condition: Condition::Removed, undertakes: false };
        protocol::send(self.socket.as_fd(), &request, &[])
    }

    fn receive(&self) -> Result<Told> {
        let received = protocol::receive::<Reply>(self.socket.as_fd())?;
        match received.ok_or_else(|| Error::unavailable("the supervisor ended"))?.0.into_result()? {
            Reply::Exited { exit_code, error } => Ok(Told::Exited(exit_code, error)),
            Reply::Undertake { exit_code, error } => Ok(Told::Undertake(exit_code, error)),
            other => Err(unexpected(&other)),
        }
    }
}

impl AsFd for Waiting {
    /// Readable when the wait is over.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn streams((reply, descriptors): (Reply, Vec<OwnedFd>)) -> Result<Option<Streams>> {
    match reply {
        Reply::Attached { terminal, pid } => {
            Ok(descriptors.into_iter().next().map(|stream| Streams { stream: UnixStream::from(stream), terminal, pid }))
        }
        other => Err(unexpected(&other)),
    }
}

fn unexpected(reply: &Reply) -> Error {
    Error::internal(format!("the supervisor answered something else: {reply:?}"))
}

/// The address of the control socket: `sun_path` ends at 107 bytes, so it is named through the directory's handle.
pub(crate) fn control_address(directory: BorrowedFd<'_>) -> Result<SocketAddrUnix> {
    let path = format!("/proc/self/fd/{}/{}", directory.as_raw_fd(), files::CONTROL_SOCKET);
    SocketAddrUnix::new(path).context("name the control socket")
}
