//! The first steps of a supervisor: it lets go of all that it inherited from whoever started it.

use super::callback::Callback;
use super::keeper::{self, Keeper};
use base::{Context, Error, Result};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit};
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};

/// Signals that end a process by default and mean nothing to a supervisor, or are read from a descriptor. Children unblock them.
const BLOCKED: [i32; 9] = [1, 2, 3, 10, 12, 13, 14, 15, 26];
/// The place of supervisors may be removed between its opening and its entering, with somebody's last container.
const ENTER_ATTEMPTS: u32 = 10;
/// `SIGTERM`.
const TERMINATE: i32 = 15;

/// What this process was started for.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) id: String,
    pub(super) cgroup_parent: String,
    /// What a keeper calls; without one, none is wanted.
    pub(super) keep: Option<Callback>,
}

impl Arguments {
    pub(super) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Self> {
        let mut text = || arguments.next().and_then(|argument| argument.into_string().ok());
        let (Some(id), Some(cgroup_parent)) = (text(), text()) else {
            return Err(Error::invalid("supervise: the engine starts this, with a socket as standard input"));
        };
        Ok(Self { id, cgroup_parent, keep: Callback::of_arguments(arguments) })
    }
}

/// Descriptors that a supervisor has from the start.
#[derive(Debug)]
pub(super) struct Inherited {
    /// The engine that started it.
    pub(super) engine: OwnedFd,
    /// Where it reads signals.
    pub(super) signals: OwnedFd,
    /// The score that its children get instead of its own.
    pub(super) oom_score_adjustment: i32,
    /// Who keeps it.
    pub(super) keeper: Keeper,
    /// The control groups of this machine.
    pub(super) host: Result<cgroup::Host>,
}

/// Resets what was inherited. With a keeper wanted, this returns in a child, and the keeper never returns.
pub(super) fn reset(arguments: &Arguments) -> Result<Inherited> {
    let mut engine = take_socket()?;
    // Fails where this process leads a session already, which is as good.
    let _ = rustix::process::setsid();
    rustix::process::chdir("/").context("go to /")?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    sys::process::reset_signals().context("reset signals")?;
    sys::process::set_blocked(&BLOCKED).context("block signals")?;
    restore_limits();
    // Kernels may be built without keyrings.
    let _ = sys::process::join_new_session_keyring();
    let mut host = detect();
    if let Ok(host) = &host {
        enter_cgroup(host, &arguments.cgroup_parent);
    }
    let oom_score_adjustment = protect_from_oom();
    base::crash_point!("supervisor.reset");
    let mut keeper = Keeper::Absent;
    if let Some(keep) = &arguments.keep {
        // The keeper holds nothing.
        drop(host);
        engine = keeper::fork(&arguments.id, keep, engine)?;
        host = detect();
        keeper = Keeper::Parent;
    }
    let signals = sys::process::signal_descriptor(&[TERMINATE]).context("read signals")?;
    Ok(Inherited { engine, signals, oom_score_adjustment, keeper, host })
}

fn take_socket() -> Result<OwnedFd> {
    let engine = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).context("take the engine's socket")?;
    // A caller may have left descriptors open; a supervisor would hold them for the container's life.
    sys::process::close_all_but(&[engine.as_fd()]).context("close what was inherited")?;
    let null =
        rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).context("open /dev/null")?;
    rustix::stdio::dup2_stdin(&null).context("let go of standard input")?;
    rustix::stdio::dup2_stdout(&null).context("let go of standard output")?;
    rustix::stdio::dup2_stderr(&null).context("let go of standard error")?;
    Ok(engine)
}

/// A caller's `ulimit` is not the container's. What may not be raised stays: the spec decides what that means.
fn restore_limits() {
    let unbounded = [
        Resource::Core,
        Resource::Cpu,
        Resource::Fsize,
        Resource::Data,
        Resource::As,
        Resource::Nproc,
        Resource::Locks,
        Resource::Rss,
    ];
    for resource in unbounded {
        raise(resource, None);
    }
    raise(Resource::Stack, Some(8 << 20));
    raise(Resource::Nofile, Some(1024));
}

/// Raises the hard limit where that is allowed, and sets the soft one to `soft` or to the hard one.
fn raise(resource: Resource, soft: Option<u64>) {
    let hard = rustix::process::getrlimit(resource).maximum;
    let within = |hard: Option<u64>| match (soft, hard) {
        (Some(soft), Some(hard)) => Some(soft.min(hard)),
        (soft, hard) => soft.or(hard),
    };
    // The kernel bounds open files on its own, and takes no infinity.
    if resource != Resource::Nofile
        && rustix::process::setrlimit(resource, Rlimit { current: within(None), maximum: None }).is_ok()
    {
        return;
    }
    let _ = rustix::process::setrlimit(resource, Rlimit { current: within(hard), maximum: hard });
}

fn detect() -> Result<cgroup::Host> {
    cgroup::Host::detect(std::path::Path::new(cgroup::MOUNT_ROOT))
}

/// The caller's control group may end with the caller: under systemd, with its service.
fn enter_cgroup(host: &cgroup::Host, parent: &str) {
    for _ in 0..ENTER_ATTEMPTS {
        if cgroup::supervisors(host, parent).and_then(|place| place.enter()).is_ok() {
            return;
        }
    }
    // A supervisor in its caller's group works as well, as long as the caller's group does.
}

/// Asks the kernel not to choose this process when memory runs out; returns the score that it had.
fn protect_from_oom() -> i32 {
    let path = "/proc/self/oom_score_adj";
    let before = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    // Refused without CAP_SYS_RESOURCE.
    let _ = std::fs::write(path, "-999");
    before
}
