//! Files and directories of a hierarchy, by handle.

use base::{Context, Error, Result};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Longer than any file of a hierarchy that is read here, `memory.numa_stat` of large machines aside.
const READ_LIMIT: usize = 1 << 20;

/// Opens the group at `path`, relative to `directory`.
pub(crate) fn open(directory: BorrowedFd<'_>, path: impl Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(directory, path, flags, Mode::empty())
}

/// Reads a whole file; `None` where there is none.
pub(crate) fn read(directory: BorrowedFd<'_>, file: &str) -> Result<Option<String>> {
    let handle = match rustix::fs::openat(directory, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(handle) => handle,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno).with_context(|| format!("open {file}")),
    };
    let mut bytes = Vec::with_capacity(4096);
    loop {
        match rustix::io::read(&handle, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => break,
            Ok(_) if bytes.len() > READ_LIMIT => {
                return Err(Error::corrupt(format!("{file} is longer than {READ_LIMIT} bytes")));
            }
            Ok(_) => bytes.reserve(4096),
            Err(Errno::INTR) => {}
            // The group was removed while its file was open.
            Err(Errno::NODEV) => return Ok(None),
            Err(errno) => return Err(errno).with_context(|| format!("read {file}")),
        }
    }
    String::from_utf8(bytes).map(Some).map_err(|_| Error::corrupt(format!("{file} is not text")))
}

/// Writes `value` to a file in one call, as the kernel wants it.
pub(crate) fn write(directory: BorrowedFd<'_>, file: &str, value: &str) -> Result<(), Errno> {
    let handle = rustix::fs::openat(directory, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::retry_on_intr(|| rustix::io::write(&handle, value.as_bytes())).map(drop)
}

/// Calls `enter` with `top` and every group below it, and `leave` with the parent and the name of each below it, once those below that one were left.
///
/// Whoever made the groups chose how deep they lie: two descriptors are open at a time. Groups below that vanish are passed over.
///
/// # Errors
/// The first failure; `ENOENT` when the walk lost its way since a group vanished that it was in.
pub(crate) fn walk(
    top: OwnedFd,
    mut enter: impl FnMut(BorrowedFd<'_>),
    mut leave: impl FnMut(BorrowedFd<'_>, &CStr) -> Result<(), Errno>,
) -> Result<(), Errno> {
    enter(top.as_fd());
    let mut ahead = vec![(CString::default(), children(top.as_fd())?)];
    let mut current = top;
    while let Some((_, below)) = ahead.last_mut() {
        if let Some(name) = below.pop() {
            match open(current.as_fd(), &name) {
                Ok(group) => current = group,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno),
            }
            enter(current.as_fd());
            ahead.push((name, children(current.as_fd())?));
            continue;
        }
        let left = ahead.pop();
        if let (Some((name, _)), false) = (left, ahead.is_empty()) {
            // A group never moves to another parent (cgroups(7)).
            current = open(current.as_fd(), c"..")?;
            leave(current.as_fd(), &name)?;
        }
    }
    Ok(())
}

/// Names of the groups directly below.
fn children(directory: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type() == FileType::Directory && name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Removes an empty group.
pub(crate) fn remove(directory: BorrowedFd<'_>, path: impl Arg) -> Result<(), Errno> {
    rustix::fs::unlinkat(directory, path, AtFlags::REMOVEDIR)
}

/// The number in a line `key number` of a file's text.
pub(crate) fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let text = "oom 3\noom_kill 2\noom_group_kill 0\n";
        assert_eq!((field(text, "oom"), field(text, "oom_kill"), field(text, "kill")), (Some(3), Some(2), None));
    }
}
