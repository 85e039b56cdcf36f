//! The names of one container: its DNS answerer, which its supervisor runs under a filter of system calls.
//!
//! Sockets on 127.0.0.11 in the container's network namespace take the queries. The names of containers come from directories that the engine keeps; a
//! query is one look at the file system, so that nothing has to be told to anybody when a container comes or goes. Everything else is asked upstream from the
//! network namespace of the thread that runs the loop, if the container's networks allow that, and its answers pass through as bytes.
//!
//! Pure parts, which are fed with hostile bytes: [`wire`], [`reply`], [`exchange`], [`cache`], [`frames`]. The rest moves bytes: one loop on epoll(7), in
//! bounded memory, whatever a container or a server does.

pub mod cache;
mod connections;
mod control;
mod directory;
pub mod exchange;
pub mod frames;
mod listen;
mod poll;
pub mod reply;
mod resolver;
mod upstreams;
pub mod wire;

pub use control::Control;
pub use directory::Network;
pub use listen::{ADDRESS, Listening, listen, listen_here};
pub use resolver::Resolver;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a container's names are answered from, beside its networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resolution {
    /// Names of this container alone, in lower case: links, `host.docker.internal`. They come before everything else.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// Servers for everything else; the first [`exchange::SERVERS`] are asked, all at once.
    pub upstreams: Vec<SocketAddr>,
    /// Whether anything is asked outside; not where all networks are internal.
    ///
    /// What is not asked does not exist (`NXDOMAIN`): musl waits five seconds after any other failure, and no search list goes on.
    pub forward: bool,
    /// For how long servers are waited for, in milliseconds.
    pub timeout_milliseconds: u32,
    /// How often they are asked within that time.
    pub attempts: u32,
}

impl Default for Resolution {
    fn default() -> Self {
        Self { hosts: BTreeMap::new(), upstreams: Vec::new(), forward: true, timeout_milliseconds: 4000, attempts: 3 }
    }
}

impl Resolution {
    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_milliseconds.clamp(1, 60_000).into())
    }

    fn interval(&self) -> Duration {
        self.timeout() / self.attempts.clamp(1, 16)
    }
}

/// How long, in seconds, a container's name may be remembered: not at all.
///
/// An address may belong to another container a moment after its owner stopped, and asking again costs microseconds and no network.
pub const LIFETIME: u32 = 0;

/// The system calls that [`Resolver::run`] makes, with those of the allocator and of a thread's end, as a seccomp filter needs them.
///
/// `socket` only with `AF_INET` and `AF_INET6`; `openat` only relative to a network's directory, read-only.
pub const SYSTEM_CALLS: &[&str] = &[
    // The loop.
    "epoll_ctl",
    "epoll_pwait",
    "clock_gettime",
    "read",
    "futex",
    "restart_syscall",
    // Queries and answers.
    "recvfrom",
    "sendto",
    "accept4",
    "socket",
    "connect",
    "close",
    // Only where std checks what it closes: F_GETFD, in builds with debug assertions.
    "fcntl",
    "getrandom",
    // Names.
    "openat",
    "getdents64",
    "readlinkat",
    // Memory.
    "mmap",
    "mremap",
    "munmap",
    "madvise",
    "brk",
    // The end of the thread.
    "sigaltstack",
    "rt_sigprocmask",
    "rt_sigreturn",
    "membarrier",
    "exit",
];
