//! What the first process of a container does between its birth and its program, in order.
//!
//! It begins as a copy of its parent with everything that the parent may do, and ends as the user's program with what the specification
//! grants. What is the container's is reached from handles: the host's paths are used for what the engine or the user named, nothing else.

mod credentials;
mod devices;
mod hierarchies;
mod labels;
mod limits;
mod masks;
mod mounts;
pub(crate) mod namespaces;
mod process;
mod program;
mod reaper;
mod rootfs;
mod seccomp;
mod sysctls;
mod target;
mod terminal;
mod user;
mod working_directory;

pub(crate) use credentials::stay_private;
pub use limits::resource_of;
pub(crate) use process::{Entry, Release, become_program};
pub(crate) use seccomp::open as open_filter;
pub(crate) use terminal::in_container as open_terminal;
#[cfg(feature = "fuzz-targets")]
pub use user::user_of;
pub(crate) use {labels::Label, limits::set_oom_score, user::User};

use crate::channel::Channel;
use crate::spec::{Namespace, Spec};
use crate::stdio::Theirs;
use base::{Context, Result};
use cgroup::{Doors, Group};
use rustix::fs::Mode;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};

/// What the first process is given.
#[derive(Debug)]
pub(crate) struct First<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) joined: &'a BTreeMap<String, OwnedFd>,
    pub(crate) group: &'a Group,
    pub(crate) doors: &'a Doors,
    pub(crate) channel: Channel,
    pub(crate) stdio: Option<Theirs>,
}

/// Plays the first process's role, to its end.
pub(crate) fn run(mut first: First<'_>) -> ! {
    let stdio = first.stdio.take();
    match set_up(&first, stdio) {
        Ok(never) => match never {},
        Err(error) => first.channel.fail(&error),
    }
}

fn set_up(first: &First<'_>, stdio: Option<Theirs>) -> Result<Infallible> {
    let First { spec, joined, group, doors, channel, .. } = first;
    // First of all: a copy of the parent's lock would keep it alive.
    let kept = joined.values().map(AsFd::as_fd).chain(doors.descriptors()).chain([channel.as_fd()]);
    sys::process::close_all_but(&kept.chain(stdio.iter().flatten().map(AsFd::as_fd)).collect::<Vec<_>>())
        .context("close descriptors")?;
    stay_private()?;
    rustix::process::umask(Mode::empty());
    doors.enter().context("enter the control group")?;
    namespaces::enter(spec, joined)?;
    // Whatever of the host is needed later is opened now.
    limits::set_oom_score(spec.process.oom_score_adjustment)?;
    let label = labels::Label::open(&spec.process)?;
    let filter = seccomp::open(&spec.process)?;
    let null = devices::null()?;
    let sources = mounts::open_sources(&spec.mounts)?;
    let root = rootfs::attach(&spec.root, spec.root_propagation)?;
    let mounted = mounts::mount_all(&mounts::Plan { spec, group, root: &root }, sources)?;
    let stdio = match stdio {
        Some(stdio) => stdio,
        None => terminal::of_first(&spec.process, &root, mounted.devpts.as_ref(), channel)?,
    };
    masks::apply(spec, &root, &mounted, null.as_fd())?;
    drop(mounted);
    let user = user::User::find(&spec.process, &root)?;
    working_directory::make(&spec.process, &root, &user)?;
    rootfs::enter(spec, &root)?;
    let owns_pids = spec.namespaces.pid == Namespace::New;
    let init = spec.init.then_some(if owns_pids { reaper::Orphans::AreOurs } else { reaper::Orphans::MustBeAskedFor });
    let process = &spec.process;
    become_program(Entry { process, root, user, filter, label, stdio, channel, init, release: Release::Awaited })
}
