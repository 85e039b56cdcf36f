//! The directory in which a program begins.
//!
//! It is resolved below the root's handle without magic links, and what the kernel then calls it must be inside the root: a
//! `/proc/self/fd/N` must not lead to what this process inherited (CVE-2024-21626).

use super::user::User;
use crate::spec::Process;
use base::tree::{Links, Tree};
use base::{Context, Error, Kind, Result};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// Makes what is missing of it; the directory itself is the user's.
pub(super) fn make(process: &Process, root: &Tree, user: &User) -> Result<()> {
    let path = path(process)?;
    let what = || format!("make working directory {}", path.display());
    if root.locate(path, Links::Follow).map_err(|error| error.context(what()))?.is_some() {
        return Ok(());
    }
    super::target::reach(root, &process.working_directory, super::target::Shape::Directory)
        .map_err(|error| error.context(what()))?;
    let mut below = PathBuf::from("/");
    below.extend(path.file_name());
    let parent = path.parent().unwrap_or(Path::new("/"));
    let (Some(name), true) = (path.file_name(), (user.uid, user.gid) != (0, 0)) else { return Ok(()) };
    let parent = root.directory(parent, Links::Follow)?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    rustix::fs::chownat(&parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).with_context(what)
}

/// Goes there with the privileges that we still have; `false` where not even they suffice, as on a network's file system.
pub(super) fn enter(process: &Process, root: &Tree) -> Result<bool> {
    match go(process, root) {
        Ok(()) => Ok(true),
        Err(Errno::ACCESS | Errno::PERM) => Ok(false),
        Err(errno) => Err(refusal(process, errno)),
    }
}

/// Goes there as the user.
pub(super) fn enter_as_user(process: &Process, root: &Tree) -> Result<()> {
    go(process, root).map_err(|errno| refusal(process, errno))
}

/// Makes sure that we are inside the root.
pub(super) fn verify(process: &Process) -> Result<()> {
    let seen = rustix::process::getcwd(Vec::new()).with_context(|| what(process))?;
    match seen.as_bytes().first() {
        Some(b'/') => Ok(()),
        // The kernel then begins with "(unreachable)" (getcwd(3)).
        _ => Err(Error::denied(format!("{}: it is outside of the container", what(process)))),
    }
}

fn go(process: &Process, root: &Tree) -> Result<(), Errno> {
    let path = Path::new(&process.working_directory);
    let directory = root.open_at(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty(), Links::Follow)?;
    rustix::process::fchdir(directory)
}

fn path(process: &Process) -> Result<&Path> {
    let path = Path::new(&process.working_directory);
    match path.is_absolute() {
        true => Ok(path),
        false => Err(Error::invalid(format!("{}: it must be an absolute path", what(process)))),
    }
}

fn what(process: &Process) -> String {
    format!("working directory {:?}", process.working_directory)
}

fn refusal(process: &Process, errno: Errno) -> Error {
    let error = base::Failure::into_error(errno).context(what(process));
    match errno {
        // A magic link, or links without an end.
        Errno::LOOP => Error::denied(format!("{}: it is reached through a link that is refused", what(process))),
        Errno::NOENT => error.with_kind(Kind::CommandNotFound),
        Errno::NOTDIR | Errno::ACCESS | Errno::PERM => error.with_kind(Kind::CommandNotRunnable),
        _ => error,
    }
}
