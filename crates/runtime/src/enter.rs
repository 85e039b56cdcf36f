//! What a further process does between its birth and its program: it enters a container that is there already.

use crate::channel::Channel;
use crate::init::{self, Entry, Label, Release, User};
use crate::spec::Process;
use crate::stdio::Theirs;
use base::tree::Tree;
use base::{Context, Error, Result};
use cgroup::Doors;
use rustix::io::Errno;
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// What a process that enters is given.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) process: &'a Process,
    /// The container's first process.
    pub(crate) init: BorrowedFd<'a>,
    pub(crate) doors: &'a Doors,
    pub(crate) channel: Channel,
    pub(crate) stdio: Option<Theirs>,
}

/// Plays the role of a process that enters, to its end.
pub(crate) fn run(mut order: Order<'_>) -> ! {
    let stdio = order.stdio.take();
    match enter(&order, stdio) {
        Ok(never) => match never {},
        Err(error) => order.channel.fail(&error),
    }
}

fn enter(order: &Order<'_>, stdio: Option<Theirs>) -> Result<Infallible> {
    let Order { process, init, doors, channel, .. } = order;
    let kept = doors.descriptors().chain([channel.as_fd(), *init]);
    sys::process::close_all_but(&kept.chain(stdio.iter().flatten().map(AsFd::as_fd)).collect::<Vec<_>>())
        .context("close descriptors")?;
    init::stay_private()?;
    doors.enter().context("enter the control group")?;
    init::set_oom_score(process.oom_score_adjustment)?;
    let label = Label::open(process)?;
    let filter = init::open_filter(process)?;
    let namespaces = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::CONTROL_GROUP;
    match move_into_thread_name_spaces(*init, namespaces) {
        Err(Errno::SRCH) => return Err(Error::conflict("the container's first process has exited")),
        entered => entered.context("enter the container's namespaces")?,
    }
    // With the mount namespace came its root.
    let root = Tree::open(Path::new("/"))?;
    let stdio = match stdio {
        Some(stdio) => stdio,
        None => init::open_terminal(process, &root, channel)?,
    };
    let user = User::find(process, &root)?;
    let release = Release::Given;
    init::become_program(Entry { process, root, user, filter, label, stdio, channel, init: None, release })
}
