//! Owners, modes, extended attributes and times.

use crate::tar::Entry;
use base::tree::{Links, Tree};
use base::{Context, Result};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What an entry says of a directory, to be set at the end.
#[derive(Debug)]
pub(super) struct DirectoryAttributes {
    mode: u32,
    uid: u32,
    gid: u32,
    modified: (i64, u32),
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl DirectoryAttributes {
    pub(super) fn of(entry: &Entry) -> Self {
        let Entry { mode, uid, gid, modified, .. } = *entry;
        let attributes = entry.attributes.iter().filter(|(name, _)| is_taken(name)).cloned().collect();
        Self { mode, uid, gid, modified, attributes }
    }

    /// Names and values of the attributes, of whatever length.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.attributes.iter().flat_map(|(name, value)| [name.as_slice(), value])
    }

    pub(super) fn set(&self, tree: &Tree, path: &[u8]) -> Result<()> {
        let path = Path::new(OsStr::from_bytes(path));
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW;
        let directory = match tree.open_at(path, flags, Mode::empty(), Links::Follow) {
            Ok(directory) => directory,
            // A later entry has put something else there.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
            Err(errno) => return Err(errno).with_context(|| format!("open directory {}", path.display())),
        };
        let set = || {
            rustix::fs::fchown(&directory, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
                .context("set the owner")?;
            rustix::fs::fchmod(&directory, Mode::from_raw_mode(self.mode)).context("set the mode")?;
            set_attributes(directory.as_fd(), &self.attributes)?;
            set_directory_times(directory.as_fd(), self.modified)
        };
        set().with_context(|| format!("directory {}", path.display()))
    }
}

/// Sets both times of an open file or directory.
pub(crate) fn set_directory_times(file: BorrowedFd<'_>, modified: (i64, u32)) -> Result<()> {
    rustix::fs::futimens(file, &times(modified)).context("set the time")
}

fn times((tv_sec, nanoseconds): (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec, tv_nsec: nanoseconds.into() };
    Timestamps { last_access: time, last_modification: time }
}

/// Everything that an entry says of the regular file that was just made.
pub(super) fn set_file(file: BorrowedFd<'_>, entry: &Entry) -> Result<()> {
    // It was made by root in a directory without set-group-id bit.
    if (entry.uid, entry.gid) != (0, 0) {
        rustix::fs::fchown(file, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))
            .context("set the owner")?;
    }
    rustix::fs::fchmod(file, Mode::from_raw_mode(entry.mode)).context("set the mode")?;
    // After the owner: a change of owner takes capabilities away.
    set_attributes(file, &entry.attributes)?;
    set_directory_times(file, entry.modified)
}

/// Everything that an entry says of the link, device or pipe `name` that was just made.
pub(super) fn set_special(parent: BorrowedFd<'_>, name: &OsStr, entry: &Entry) -> Result<()> {
    let (uid, gid) = (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)));
    rustix::fs::chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).context("set the owner")?;
    let handle = rustix::fs::openat(parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .context("open what was made")?;
    let own = format!("/proc/self/fd/{}", handle.as_raw_fd());
    if entry.kind != crate::tar::EntryKind::Symlink {
        // A handle that cannot be read takes a mode only through its magic link.
        rustix::fs::chmod(&own, Mode::from_raw_mode(entry.mode)).context("set the mode")?;
        for (attribute, value) in &entry.attributes {
            if is_taken(attribute) {
                absent_support(rustix::fs::setxattr(&own, OsStr::from_bytes(attribute), value, XattrFlags::empty()))
                    .with_context(|| format!("set the attribute {}", crate::tar_shown(attribute)))?;
            }
        }
    }
    rustix::fs::utimensat(parent, name, &times(entry.modified), AtFlags::SYMLINK_NOFOLLOW).context("set the time")
}

fn set_attributes(file: BorrowedFd<'_>, attributes: &[(Vec<u8>, Vec<u8>)]) -> Result<()> {
    for (name, value) in attributes.iter().filter(|(name, _)| is_taken(name)) {
        absent_support(rustix::fs::fsetxattr(file, OsStr::from_bytes(name), value, XattrFlags::empty()))
            .with_context(|| format!("set the attribute {}", crate::tar_shown(name)))?;
    }
    Ok(())
}

// Attributes that the disk has no place for (user.* of a pipe, labels without their module) are left out, as every engine does.
fn absent_support(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::NOTSUP) => Ok(()),
        result => result,
    }
}

/// Whether an attribute of an archive is set: never what overlayfs would take for its own words, nor a label of the machine that made it.
fn is_taken(name: &[u8]) -> bool {
    const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];
    const TAKEN: [&[u8]; 3] = [b"user.", b"trusted.", b"system.posix_acl_"];
    if name.len() > 255 || name.contains(&0) || OVERLAY.iter().any(|prefix| name.starts_with(prefix)) {
        return false;
    }
    name == b"security.capability" || TAKEN.iter().any(|prefix| name.starts_with(prefix))
}

/// Gives `target` what `source` has: owner, mode and, but for overlayfs's own, extended attributes.
pub(crate) fn copy_attributes(source: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let status = rustix::fs::fstat(source).context("stat")?;
    rustix::fs::fchown(target, Some(Uid::from_raw(status.st_uid)), Some(Gid::from_raw(status.st_gid)))
        .context("set the owner")?;
    rustix::fs::fchmod(target, Mode::from_raw_mode(status.st_mode & 0o7777)).context("set the mode")?;
    let mut names = vec![0_u8; 64 << 10];
    let length = match rustix::fs::flistxattr(source, &mut names) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => return Ok(()),
        Err(errno) => return Err(errno).context("list the attributes"),
    };
    let mut value = vec![0_u8; 64 << 10];
    for name in names[..length].split(|byte| *byte == 0).filter(|name| is_taken(name)) {
        let name = OsStr::from_bytes(name);
        let length = match rustix::fs::fgetxattr(source, name, &mut value) {
            Ok(length) => length,
            Err(Errno::NODATA) => continue,
            Err(errno) => return Err(errno).with_context(|| format!("read the attribute {}", name.display())),
        };
        absent_support(rustix::fs::fsetxattr(target, name, &value[..length], XattrFlags::empty()))
            .with_context(|| format!("set the attribute {}", name.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlay_never_reads_its_own_words_from_an_archive() {
        for (name, expected) in [
            ("security.capability", true),
            ("user.comment", true),
            ("system.posix_acl_default", true),
            ("trusted.overlay.opaque", false),
            ("trusted.overlay.redirect", false),
            ("user.overlay.origin", false),
            ("security.selinux", false),
            ("security.ima", false),
            ("user.a\0b", false),
        ] {
            assert_eq!(is_taken(name.as_bytes()), expected, "{name}");
        }
    }
}
