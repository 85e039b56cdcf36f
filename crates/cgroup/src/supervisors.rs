//! The place of supervisors, apart from whoever called them and from their containers.

use crate::directory;
use crate::group::{Doors, is_marked, make_directory, relative};
use crate::host::{Host, Mode};
use crate::resources::Resources;
use base::{Context, Result};
use rustix::fs::{Mode as FileMode, OFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The name of the group below the parent of the containers' groups, on v2.
pub(crate) const NAME: &str = "supervisors";

/// Where a supervisor goes, so that the end and the limits of its caller's group do not touch it.
#[derive(Debug)]
pub struct Supervisors {
    directory: Option<OwnedFd>,
    doors: Doors,
}

impl Supervisors {
    /// The v2 directory to clone a supervisor into; `None`: it stays where it is.
    #[must_use]
    pub fn directory(&self) -> Option<BorrowedFd<'_>> {
        self.directory.as_ref().map(AsFd::as_fd)
    }

    /// The v1 hierarchies to enter, by itself while it has one thread.
    #[must_use]
    pub fn doors(&self) -> &Doors {
        &self.doors
    }

    /// Moves the calling process, which must have one thread, for one that was not cloned into
    /// [`Supervisors::directory`]. On v2 this waits for a grace period of the kernel's.
    ///
    /// # Errors
    /// As the kernel refuses it.
    pub fn enter(&self) -> Result<()> {
        self.doors.enter().context("enter the control groups of supervisors")?;
        match &self.directory {
            Some(directory) => directory::write(directory.as_fd(), "cgroup.procs", "0")
                .context("enter the control group of supervisors"),
            None => Ok(()),
        }
    }
}

/// Finds the place of supervisors.
///
/// On v1 and hybrid it is the top of each hierarchy, which has no limits and no owner that could end with it, and costs
/// nothing to make. On v2 a group with processes cannot hand out controllers, and the top may be a container's own: it
/// is the group `<parent>/supervisors`, made where it is missing.
///
/// # Errors
/// As [`Group::create`](crate::Group::create).
pub fn supervisors(host: &Host, parent: &str) -> Result<Supervisors> {
    if host.mode() == Mode::V2 {
        let path = format!("{parent}/{NAME}");
        let mut directory = None;
        for hierarchy in host.hierarchies() {
            let opened = directory::open(hierarchy.root(), relative(&path));
            directory = Some(match opened {
                Ok(found) => found,
                Err(_) => make_or_open(host, &path)?,
            });
        }
        return Ok(Supervisors { directory, doors: Doors(Vec::new()) });
    }
    let (mut directory, mut doors) = (None, Vec::new());
    for (hierarchy, own) in host.hierarchies().iter().zip(host.own_paths()?) {
        match own.as_deref() {
            None | Some("/") => {}
            Some(_) if hierarchy.is_unified() => {
                directory = Some(hierarchy.root().try_clone_to_owned().context("open the top of cgroup v2")?);
            }
            Some(_) => {
                let flags = OFlags::WRONLY | OFlags::CLOEXEC;
                let door = rustix::fs::openat(hierarchy.root(), "tasks", flags, FileMode::empty());
                doors.push(door.with_context(|| format!("open {}", hierarchy.mount_point().display()))?);
            }
        }
    }
    Ok(Supervisors { directory, doors: Doors(doors) })
}

fn make_or_open(host: &Host, path: &str) -> Result<OwnedFd> {
    let made = host.hierarchies().first().map(|hierarchy| make_directory(hierarchy, path, &Resources::default()));
    match made {
        Some(Ok(directory)) => Ok(directory),
        // Another has made it meanwhile.
        Some(Err(error)) => host
            .unified()
            .and_then(|hierarchy| directory::open(hierarchy.root(), relative(path)).ok())
            .ok_or_else(|| error.context(format!("make control group {path}"))),
        None => Err(base::Error::unsupported("no control groups are mounted")),
    }
}

/// Removes what [`supervisors`] made and `parent` where they are empty and were made here. For whoever has seen the
/// last supervisor end; a place that is in use stays, which is no error.
pub fn remove_supervisors(host: &Host, parent: &str) {
    for hierarchy in host.hierarchies() {
        let parent = relative(parent);
        if is_marked(hierarchy, parent) {
            let _ = directory::remove(hierarchy.root(), format!("{parent}/{NAME}"));
            crate::remove::remove_parents(hierarchy, &format!("{parent}/{NAME}"));
        }
    }
}
