//! What engine and supervisor say to each other: JSON messages with descriptors over `SOCK_SEQPACKET` sockets.
//!
//! Messages and their fields are only ever added, since an engine meets supervisors that are years older than itself: an unknown field is
//! ignored, an unknown request is answered with an error of kind `unsupported`. `docs/supervisor-protocol.md` is the same for people.

use crate::restart::Policy;
use crate::state::State;
use base::id::Id;
use base::{Context, Error, Kind, Result};
use ipnet::IpNet;
use network::firewall::EndpointRules;
use network::lease::PortRequest;
use network::names::Resolution;
use network::port::PublishedPort;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The version that this supervisor speaks. It grows with each message that is added.
pub const VERSION: u32 = 2;

/// The longest message; what is longer goes in a sealed memory file.
pub const MESSAGE_LIMIT: usize = 64 << 10;
/// The longest message that goes in a file.
const FILE_LIMIT: u64 = 16 << 20;

/// What is asked of a supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// The first message of the process that started it; namespaces to join come along, in the order of `joined`.
    Begin {
        /// What to do.
        plan: Box<crate::plan::Plan>,
        /// Keys of [`crate::plan::JoinedNamespaces`]; the container's directory is the descriptor before them.
        joined: Vec<String>,
    },
    /// Lets the created container run. Only the process that started the supervisor may ask.
    Release {
        /// What is to be taken back when it has exited for good; with it, the network namespace is kept as by [`Request::ServeNetwork`]. Descriptor: the netfilter
        /// socket over which it was made known, if there is one.
        #[serde(default)]
        rules: Option<RulesPlan>,
    },
    /// Another connection, whose other end comes along.
    Connect,
    /// How the container is.
    State,
    /// Its namespaces: see [`Reply::Namespaces`].
    Namespaces,
    /// Connects to the container's streams: one end of a stream comes along, or else the other end is sent back.
    Attach(Attach),
    /// Runs a further process.
    Exec(Box<Exec>),
    /// Sets the size of a terminal.
    Resize {
        /// That of an exec; `None`: the container's.
        exec: Option<Id>,
        /// Rows.
        height: u16,
        /// Columns.
        width: u16,
    },
    /// Sends a signal to the container's first process.
    Signal {
        /// Its number.
        signal: i32,
        /// Whether the exit that may follow is the user's wish.
        meaning: SignalMeaning,
    },
    /// Stops the container; the reply comes when it has.
    Stop(Stop),
    /// Freezes all processes.
    Pause,
    /// Thaws them.
    Resume,
    /// Waits; the reply comes when the condition holds.
    Wait {
        /// What is waited for.
        condition: Condition,
        /// With `removed`: offers to do what `container-exited` would, see [`Reply::Undertake`].
        #[serde(default)]
        undertakes: bool,
    },
    /// Changes what follows an exit.
    UpdateRestartPolicy {
        /// The new policy.
        policy: Policy,
    },
    /// The container has another name.
    Rename {
        /// The new name.
        name: String,
    },
    /// Holds ports of the host, and keeps the container's network namespace from one run to the next.
    ServeNetwork {
        /// Further ports.
        ports: Vec<PortRequest>,
        /// The container's addresses that what comes to its ports on `::1` is carried to from now on; none: turned away. Left out: as before, and
        /// not at all in the beginning.
        #[serde(default)]
        relay_to: Option<Vec<IpAddr>>,
        /// How names are answered from now on, where that changes. Descriptors: the UDP and the TCP socket in the container's namespace, then the
        /// directory of each network.
        #[serde(default)]
        names: Option<NamesPlan>,
        /// What is to be taken back when the container has exited for good, instead of what was told before.
        #[serde(default)]
        rules: Option<RulesPlan>,
    },
    /// Changes limits of the control group.
    UpdateResources {
        /// All limits, also those that stay.
        resources: Box<cgroup::Resources>,
    },
}

/// What the host's packet filter knows of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesPlan {
    /// That of the state root, see [`network::firewall::Firewall::new`].
    pub tag: String,
    /// All of its endpoints that have rules.
    pub endpoints: Vec<EndpointRules>,
}

/// How a container's questions for names are answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesPlan {
    /// What is known beside the networks' containers.
    pub resolution: Resolution,
    /// Its networks, in the order in which they are asked.
    pub networks: Vec<NamedNetwork>,
}

/// A network whose containers have names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedNetwork {
    /// Its name.
    pub name: String,
    /// Its subnets: nobody outside is asked for a name of an address in them.
    pub subnets: Vec<IpNet>,
}

/// Which streams a client wants, and how it is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// Its bytes become standard input.
    pub stdin: bool,
    /// Standard output is sent to it.
    pub stdout: bool,
    /// Standard error is sent to it.
    pub stderr: bool,
    /// What happens when it reads slower than the container writes.
    pub pace: Pace,
}

/// What happens when a client reads slower than the container writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// The process waits for it, if no other client is in the foreground already.
    Wait,
    /// It is cut off with a message.
    #[default]
    CutOff,
}

/// A further process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exec {
    /// Its id, chosen by the engine.
    pub id: Id,
    /// What is run.
    pub process: runtime::spec::Process,
    /// Its streams; `None`: it runs without a client.
    pub attach: Option<Attach>,
}

/// What a signal is sent for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalMeaning {
    /// A message to the process; if it exits, its restart policy decides.
    #[default]
    Message,
    /// The container is to end: no restart follows.
    End,
}

/// How to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Instead of the plan's.
    pub signal: Option<i32>,
    /// Instead of the plan's.
    pub patience: Option<Patience>,
}

/// How long a stop waits before it kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Patience {
    /// So many seconds.
    Seconds(u64),
    /// For ever.
    Endless,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// That it does not run, and will not without anybody asking.
    #[default]
    NotRunning,
    /// The next exit, even if a restart follows.
    NextExit,
    /// That it has exited for good and, where the engine was called back, that this is done.
    Removed,
}

/// What a supervisor answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// To `Begin`: the process exists and waits for `Release`. Descriptor: its network namespace.
    Created {
        /// The container's first process, on the host.
        pid: i32,
    },
    /// Done.
    Done,
    /// To `Stop`: it has exited.
    Stopped {
        /// Whether it was killed at once because it could not have noticed the signal.
        immediate: bool,
    },
    /// To `State`.
    State {
        /// [`VERSION`] of this supervisor.
        version: u32,
        /// How the container is.
        state: Box<State>,
    },
    /// To `Namespaces`: their names, in the order of the descriptors that come along.
    Namespaces {
        /// `pid`, `network`, `ipc`, `uts`, `mount`, `cgroup`.
        names: Vec<String>,
    },
    /// To `Attach` and `Exec`. Descriptor: the stream, where one was asked for and none came along.
    Attached {
        /// Whether it carries raw bytes of a terminal, or frames.
        terminal: bool,
        /// The process, on the host.
        pid: i32,
    },
    /// To `ServeNetwork`: which ports it holds, in the order in which they were asked for.
    Serving {
        /// The new ones.
        ports: Vec<PublishedPort>,
    },
    /// To `Wait`: the container's exit.
    Exited {
        /// The code.
        exit_code: i32,
        /// Why it could not be started; empty: it could.
        error: String,
    },
    /// To `Wait`, instead of `Exited`: the container's exit, after which this client does what `container-exited` would, as it has offered. It
    /// closes the connection when that is done; where it waits again or takes longer than a second, the helper does it.
    Undertake {
        /// The code.
        exit_code: i32,
        /// Why it could not be started; empty: it could.
        error: String,
    },
    /// What was asked for cannot be done.
    Error {
        /// [`Kind::name`].
        kind: String,
        /// For people.
        message: String,
    },
}

impl Reply {
    /// An error as a reply.
    #[must_use]
    pub fn of_error(error: &Error) -> Self {
        Self::Error { kind: error.kind().name().to_owned(), message: error.to_string() }
    }

    /// The reply, or the error that it is.
    ///
    /// # Errors
    /// The supervisor's.
    pub fn into_result(self) -> Result<Self> {
        match self {
            Self::Error { kind, message } => Err(Error::new(Kind::named(&kind), message)),
            other => Ok(other),
        }
    }
}

/// Sends one message.
///
/// # Errors
/// `Unavailable` when nobody is at the other end.
pub fn send<T: Serialize>(socket: BorrowedFd<'_>, message: &T, descriptors: &[BorrowedFd<'_>]) -> Result<()> {
    let bytes = serde_json::to_vec(message).context("encode a message")?;
    let sent = if bytes.len() <= MESSAGE_LIMIT {
        sys::unix::send(socket, &bytes, descriptors)
    } else {
        let file = memory_file(&bytes)?;
        let mut with_file = vec![file.as_fd()];
        with_file.extend_from_slice(descriptors);
        sys::unix::send(socket, IN_FILE, &with_file)
    };
    sent.map_err(gone).context("send a message")
}

/// Stands for a message that is in the first descriptor.
const IN_FILE: &[u8] = b"file";

fn memory_file(bytes: &[u8]) -> Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, SealFlags};
    let file = rustix::fs::memfd_create("message", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .context("make a memory file")?;
    let mut written = 0;
    while written < bytes.len() {
        written += rustix::io::write(&file, &bytes[written..]).context("write a memory file")?;
    }
    // Nobody can change it while the other side reads it.
    rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)
        .context("seal a memory file")?;
    Ok(file)
}

/// A message as it came, and the descriptors that came with it.
pub type Received<T> = (T, Vec<OwnedFd>);

/// Receives one message; `None` when the other end is closed.
///
/// # Errors
/// `Invalid` for what is no message of this kind; the connection can still be used.
pub fn receive<T: for<'a> Deserialize<'a>>(socket: BorrowedFd<'_>) -> Result<Option<Received<T>>> {
    let Some((mut bytes, mut descriptors)) =
        sys::unix::receive(socket, MESSAGE_LIMIT).map_err(gone).context("receive a message")?
    else {
        return Ok(None);
    };
    if bytes == IN_FILE && !descriptors.is_empty() {
        bytes = read_memory_file(descriptors.remove(0))?;
    }
    let message =
        serde_json::from_slice(&bytes).context("read a message").map_err(|error| error.with_kind(Kind::Invalid))?;
    Ok(Some((message, descriptors)))
}

fn read_memory_file(file: OwnedFd) -> Result<Vec<u8>> {
    use std::io::{Read, Seek};
    let mut file = std::fs::File::from(file);
    file.rewind().context("read a memory file")?;
    let mut bytes = Vec::new();
    file.take(FILE_LIMIT).read_to_end(&mut bytes).context("read a memory file")?;
    Ok(bytes)
}

fn gone(errno: Errno) -> Error {
    let result: Result<()> = Err(errno).context("supervisor");
    match (result, errno) {
        (Err(error), Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => error.with_kind(Kind::Unavailable),
        (Err(error), _) => error,
        (Ok(()), _) => Error::internal("supervisor"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_arrive_whole_with_their_descriptors() {
        let (here, there) = sys::unix::message_pair().unwrap();
        for length in [0, MESSAGE_LIMIT - 200, MESSAGE_LIMIT * 4] {
            let reply = Reply::Exited { exit_code: 3, error: "e".repeat(length) };
            send(here.as_fd(), &reply, &[here.as_fd()]).unwrap();
            let (received, descriptors) = receive::<Reply>(there.as_fd()).unwrap().unwrap();
            assert_eq!(received, reply);
            assert_eq!(descriptors.len(), 1);
        }
        drop(here);
        assert!(receive::<Reply>(there.as_fd()).unwrap().is_none());
    }

    #[test]
    fn requests_of_older_engines_say_nothing_of_rules() {
        let request = |text| serde_json::from_str::<Request>(text).unwrap();
        assert_eq!(request(r#"{"request":"release"}"#), Request::Release { rules: None });
        let served = Request::ServeNetwork { ports: Vec::new(), relay_to: None, names: None, rules: None };
        assert_eq!(request(r#"{"request":"serve-network","ports":[]}"#), served);
    }

    #[test]
    fn unknown_fields_are_ignored_and_unknown_requests_are_invalid() {
        let request: Request = serde_json::from_str(r#"{"request":"wait","condition":"next-exit","later":1}"#).unwrap();
        assert_eq!(request, Request::Wait { condition: Condition::NextExit, undertakes: false });
        assert!(serde_json::from_str::<Request>(r#"{"request":"of-a-later-version"}"#).is_err());
    }
}
