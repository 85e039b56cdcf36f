//! Names of containers: what is one, what makes one up, and who has one.
//!
//! A name is a symbolic link in `names/` whose target is its owner's id, made in one step. It holds while its owner exists and says the
//! same name, or while its owner is being made (its lock is held); any other is stale and replaced under the folder's lock.

mod generator;

use std::os::fd::{AsFd, BorrowedFd};

use base::id::Id;
use base::lock::{Lock, Sharing};
use base::{Context, Error, Result, file};
use rustix::fs::AtFlags;
use rustix::io::Errno;

use crate::containers::record;
use crate::layout;
use crate::root::Root;

pub(crate) use generator::generate;

/// Whether `name` can be a container's.
///
/// # Errors
/// `Invalid` in Docker's words.
pub(crate) fn check(name: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    // A longer one is no file name.
    if first && rest && name.len() > 1 && name.len() <= 255 {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    Err(Error::invalid(format!("Invalid container name ({shown}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")))
}

/// Whose `name` is, as far as the link tells; it may be stale.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn owner(names: BorrowedFd<'_>, name: &str) -> Result<Option<Id>> {
    match rustix::fs::readlinkat(names, name, Vec::new()) {
        Ok(target) => Ok(target.to_str().ok().and_then(|text| text.parse().ok())),
        Err(Errno::NOENT | Errno::INVAL | Errno::NAMETOOLONG) => Ok(None),
        Err(errno) => Err(errno).with_context(|| format!("read the name {name}")),
    }
}

/// Takes `name` for `id`, whose lock the caller holds.
///
/// # Errors
/// `Conflict` in Docker's words when another container has it.
pub(crate) fn take(root: &Root, name: &str, id: &Id) -> Result<()> {
    let names = root.names()?;
    match rustix::fs::symlinkat(id.as_str(), names.as_fd(), name) {
        Ok(()) => return Ok(()),
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno).with_context(|| format!("take the name {name}")),
    }
    let _folder = Lock::acquire(names.as_fd(), layout::NAMES_LOCK, Sharing::Exclusive)?;
    if let Some(owner) = owner(names.as_fd(), name)?
        && owner != *id
        && holds(root, &owner, name)?
    {
        return Err(Error::conflict(format!(
            "Conflict. The container name \"/{name}\" is already in use by container \"{owner}\". \
             You have to remove (or rename) that container to be able to reuse that name."
        )));
    }
    let temporary = file::temporary_name("name");
    rustix::fs::symlinkat(id.as_str(), names.as_fd(), &*temporary).context("make a name")?;
    rustix::fs::renameat(names.as_fd(), &*temporary, names.as_fd(), name)
        .with_context(|| format!("replace the stale name {name}"))
}

/// Sees to it that `id`, whose lock the caller holds and whose record says so, has `name`: the link may be lost.
///
/// # Errors
/// As [`take`].
pub(crate) fn keep(root: &Root, name: &str, id: &Id) -> Result<()> {
    if owner(root.names()?, name)?.as_ref() == Some(id) { Ok(()) } else { take(root, name, id) }
}

/// Gives `name` up, if it is `id`'s.
///
/// # Errors
/// When the link stays.
pub(crate) fn release(root: &Root, name: &str, id: &Id) -> Result<()> {
    let names = root.names()?;
    // Under the folder's lock, a link that is there stays there: who replaces a stale one relies on it.
    let _folder = Lock::acquire(names.as_fd(), layout::NAMES_LOCK, Sharing::Exclusive)?;
    if owner(names.as_fd(), name)?.as_ref() != Some(id) {
        return Ok(());
    }
    match rustix::fs::unlinkat(names.as_fd(), name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno).with_context(|| format!("release the name {name}")),
    }
}

/// Whether `owner` still has `name`: it exists under this name, or is just being made or renamed.
fn holds(root: &Root, owner: &Id, name: &str) -> Result<bool> {
    let Some(directory) = root.container_directory(owner)? else { return Ok(false) };
    if record::name_of(directory.as_fd())?.as_deref() == Some(name) {
        return Ok(true);
    }
    Lock::is_held(directory.as_fd(), layout::LOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_a_name() {
        for good in ["web", "Web_1.a-b", "0a"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "-web", ".lock", "a/b", "..", "a b", "ä1", &"a".repeat(256)] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
