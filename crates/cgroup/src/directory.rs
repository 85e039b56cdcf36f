//! Files and directories of a hierarchy, by handle.

use base::{Context, Error, Result};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Longer than any file of a hierarchy that is read here, `memory.numa_stat` of large machines aside.
const READ_LIMIT: usize = 1 << 20;

/// Opens the group at `path`, relative to `directory`.
pub(crate) fn open(directory: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
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

/// Names of the groups directly below.
pub(crate) fn children(directory: BorrowedFd<'_>) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if entry.file_type() == FileType::Directory
            && name != b"."
            && name != b".."
            && let Ok(name) = std::str::from_utf8(name)
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Removes an empty group.
pub(crate) fn remove(directory: BorrowedFd<'_>, path: &str) -> Result<(), Errno> {
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
