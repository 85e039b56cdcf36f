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
use std::path::Path;

/// Makes what is missing of it; the directory itself is the user's.
pub(super) fn make(process: &Process, root: &Tree, user: &User) -> Result<()> {
    let path = path(process)?;
    let what = || format!("make working directory {}", path.display());
    if root.locate(path, Links::Follow).map_err(|error| error.context(what()))?.is_some() {
        return Ok(());
    }
    let made = super::target::reach(root, &process.working_directory, super::target::Shape::Directory)
        .map_err(|error| error.context(what()))?;
    // One that ends in .. was there before.
    if path.file_name().is_none() || (user.uid, user.gid) == (0, 0) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    rustix::fs::chownat(&made, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH).with_context(what)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn process(working_directory: &str) -> Process {
        Process {
            arguments: Vec::new(),
            environment: Vec::new(),
            working_directory: working_directory.to_owned(),
            user: String::new(),
            additional_groups: Vec::new(),
            terminal: false,
            console_size: (0, 0),
            capabilities: 0,
            no_new_privileges: false,
            limits: Vec::new(),
            oom_score_adjustment: None,
            system_calls: None,
            apparmor_profile: None,
            selinux_label: None,
        }
    }

    #[test]
    fn what_is_made_is_the_users_whatever_leads_there() {
        let top = std::env::temp_dir().join(format!("runtime-working-directory-{}", std::process::id()));
        std::fs::create_dir(&top).unwrap();
        symlink("/made", top.join("link")).unwrap();
        let user = User { uid: 12, gid: 34, groups: Vec::new(), home: "/".to_owned() };
        for (path, seen, owner) in [("/a/b", "a/b", 12), ("/a/b", "a", 0), ("/link", "made", 12), ("/c/d/..", "c", 0)] {
            let process = process(path);
            make(&process, &Tree::open(&top).unwrap(), &user).unwrap();
            assert_eq!(top.join(seen).metadata().unwrap().uid(), owner, "{path}: {seen}");
        }
        assert_eq!(top.join("link").symlink_metadata().unwrap().uid(), 0);
        std::fs::remove_dir_all(top).unwrap();
    }
}
