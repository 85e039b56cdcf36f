//! The last steps, which the first process and every one that enters share: from the container's root to the program.

use super::labels::Label;
use super::reaper::{self, Orphans};
use super::user::User;
use super::{credentials, limits, program, seccomp, working_directory};
use crate::channel::Channel;
use crate::seccomp::Filter;
use crate::spec::Process;
use crate::stdio::Theirs;
use base::tree::Tree;
use base::{Context, Error, Result};
use rustix::fs::{FileType, Mode};
use rustix::io::Errno;
use rustix::process::Signal;
use rustix::thread::CapabilitySet;
use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use credentials::stay_private;

/// Whether the process waits before its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// Until it is told to go on.
    Awaited,
    /// It goes on.
    Given,
}

/// A process that is inside the container, and what it is to become.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) process: &'a Process,
    pub(crate) root: Tree,
    pub(crate) user: User,
    pub(crate) filter: Option<Filter>,
    pub(crate) label: Option<Label>,
    pub(crate) stdio: Theirs,
    pub(crate) channel: &'a Channel,
    /// Whether this process stays as an init, and the program runs as its child.
    pub(crate) init: Option<Orphans>,
    pub(crate) release: Release,
}

/// Becomes the program.
pub(crate) fn become_program(entry: Entry<'_>) -> Result<Infallible> {
    let Entry { process, root, user, filter, label, stdio, channel, init, release } = entry;
    // Kernels may be built without keyrings.
    match sys::process::join_new_session_keyring() {
        Ok(()) | Err(Errno::NOSYS) => {}
        Err(errno) => return Err(errno).context("make a session keyring"),
    }
    connect(stdio, process, &user)?;
    let arguments = strings(&process.arguments, "argument")?;
    let environment = strings(&with_home(process, &user), "environment variable")?;
    let entered = working_directory::enter(process, &root)?;
    limits::set(&process.limits)?;
    // A filter without no_new_privileges takes CAP_SYS_ADMIN (seccomp(2)).
    let needs_privilege = filter.is_some() && !process.no_new_privileges;
    let kept = if needs_privilege { CapabilitySet::SYS_ADMIN } else { CapabilitySet::empty() };
    let last = credentials::assume(&user, process.capabilities, kept)?;
    stay_private()?;
    // Changed credentials would have cleared it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).context("ask for the parent's death")?;
    if !entered {
        working_directory::enter_as_user(process, &root)?;
    }
    working_directory::verify(process)?;
    drop(root);
    rustix::process::umask(Mode::from_raw_mode(0o022));
    sys::process::reset_signals().context("reset signals")?;
    match release {
        Release::Awaited => channel.wait_for_release(),
        Release::Given => channel.end_with_parent(),
    }
    let program = program::find(process)?;
    let init = match init {
        Some(orphans) => reaper::fork(orphans, process)?,
        None => reaper::Side::Program,
    };
    if let Some(label) = &label {
        label.apply()?;
    }
    if let reaper::Side::Program = init {
        channel.ready()?;
    }
    sys::process::close_from_on_exec(3).context("close descriptors")?;
    if process.no_new_privileges {
        rustix::thread::set_no_new_privs(true).context("give up new privileges")?;
    }
    if let Some(filter) = &filter {
        seccomp::install(filter)?;
    }
    last.apply()?;
    match init {
        reaper::Side::Program => Err(program::execute(&program, &arguments, &environment)),
        reaper::Side::Init(init) => init.run(),
    }
}

/// Puts the streams in their places, and has a terminal control this process's session.
fn connect(stdio: Theirs, process: &Process, user: &User) -> Result<()> {
    let [stdin, stdout, stderr] = &stdio;
    rustix::stdio::dup2_stdin(stdin).context("connect standard input")?;
    rustix::stdio::dup2_stdout(stdout).context("connect standard output")?;
    rustix::stdio::dup2_stderr(stderr).context("connect standard error")?;
    rustix::process::setsid().context("begin a session")?;
    if process.terminal {
        rustix::process::ioctl_tiocsctty(stdin).context("take the terminal")?;
    }
    stdio.iter().try_for_each(|stream| give(stream, user))
}

/// A user who opens `/dev/stdout` again must be allowed to.
fn give(stream: &OwnedFd, user: &User) -> Result<()> {
    let status = rustix::fs::fstat(stream).context("stat a stream")?;
    let is_null = FileType::from_raw_mode(status.st_mode) == FileType::CharacterDevice
        && status.st_rdev == rustix::fs::makedev(1, 3);
    if is_null || status.st_uid == user.uid {
        return Ok(());
    }
    rustix::fs::fchown(stream.as_fd(), Some(rustix::fs::Uid::from_raw(user.uid)), None).context("give a stream away")
}

fn with_home(process: &Process, user: &User) -> Vec<String> {
    let mut environment = process.environment.clone();
    if !environment.iter().any(|variable| variable.starts_with("HOME=")) {
        environment.push(format!("HOME={}", user.home));
    }
    environment
}

fn strings(texts: &[String], what: &str) -> Result<Vec<CString>> {
    let convert = |text: &String| {
        CString::new(text.as_str()).map_err(|_| Error::invalid(format!("{what} {text:?} contains a zero byte")))
    };
    texts.iter().map(convert).collect()
}
