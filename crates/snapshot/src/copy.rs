//! Copies trees with everything that a file has: owners, modes, attributes, times, holes, hard links.

use crate::extract::{copy_attributes, is_whiteout, set_directory_times};
use base::tree::{Links, Tree};
use base::{Context, Result};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const BUFFER_BYTES: usize = 256 << 10;

/// How much was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// Files, directories and others, without the top.
    pub entries: u64,
    /// Bytes of content, without holes.
    pub bytes: u64,
}

/// Copies what lies below `source` into the directory `target`, which gets the attributes of `source` too.
///
/// Both are walked by handle and no link is followed. Devices are copied as devices. Neither should change meanwhile; whatever they do, nothing outside of
/// `target` is touched.
///
/// # Errors
/// The first failure; what was copied so far stays.
pub fn copy_tree(source: OwnedFd, target: OwnedFd) -> Result<CopyReport> {
    let mut copy = Copy::new(Tree::new(source), Tree::new(target));
    let mut directories = vec![PathBuf::new()];
    let mut next = 0;
    while let Some(path) = directories.get(next).cloned() {
        next += 1;
        copy.directory(&path, &mut directories)?;
    }
    // The deepest were found last; what is done in a directory changes its times.
    for path in directories.iter().rev() {
        copy.finish_directory(path).with_context(|| format!("copy {}", path.display()))?;
    }
    Ok(copy.report)
}

struct Copy {
    source: Tree,
    target: Tree,
    /// Device and inode of files with several names → the first name.
    linked: HashMap<(u64, u64), PathBuf>,
    buffer: Vec<u8>,
    report: CopyReport,
}

impl Copy {
    fn new(source: Tree, target: Tree) -> Self {
        let buffer = vec![0; BUFFER_BYTES];
        Self { source, target, linked: HashMap::new(), buffer, report: CopyReport::default() }
    }

    fn directory(&mut self, path: &Path, directories: &mut Vec<PathBuf>) -> Result<()> {
        let from = self.source.directory(path, Links::Refuse)?;
        let into = self.target.directory(path, Links::Refuse)?;
        for (name, kind) in from.entries()? {
            let path = path.join(&name);
            self.report.entries += 1;
            if kind == FileType::Directory {
                match rustix::fs::mkdirat(&into, &name, Mode::from_raw_mode(0o700)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno).with_context(|| format!("make directory {}", path.display())),
                }
                directories.push(path);
            } else {
                self.other(&from, &into, &path).with_context(|| format!("copy {}", path.display()))?;
            }
        }
        Ok(())
    }

    fn other(&mut self, from: &Tree, into: &Tree, path: &Path) -> Result<()> {
        let name = path.file_name().unwrap_or_default();
        let status = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW).context("stat")?;
        if status.st_nlink > 1 {
            let key = (status.st_dev, status.st_ino);
            if let Some(first) = self.linked.get(&key) {
                // Only the last component goes to linkat(2), which would follow links in the directories before it.
                let parent = self.target.directory(first.parent().unwrap_or(Path::new("")), Links::Refuse)?;
                let first = first.file_name().unwrap_or_default();
                return rustix::fs::linkat(&parent, first, into, name, AtFlags::empty()).context("make a hard link");
            }
            self.linked.insert(key, path.to_owned());
        }
        self.report.bytes += copy_file(from.as_fd(), into.as_fd(), name, &status, &mut self.buffer)?;
        Ok(())
    }

    fn finish_directory(&self, path: &Path) -> Result<()> {
        let from = self.source.directory(path, Links::Refuse)?;
        let into = self.target.directory(path, Links::Refuse)?;
        copy_directory_attributes(from.as_fd(), into.as_fd())
    }
}

/// Gives one directory the owner, mode, attributes and times of another.
pub(crate) fn copy_directory_attributes(from: BorrowedFd<'_>, into: BorrowedFd<'_>) -> Result<()> {
    copy_attributes(from, into)?;
    let status = rustix::fs::fstat(from).context("stat")?;
    set_directory_times(into, (status.st_mtime, status.st_mtime_nsec as u32))
}

/// Copies `name`, which is no directory, from one directory to another; returns the bytes of its content.
pub(crate) fn copy_file(
    from: BorrowedFd<'_>,
    into: BorrowedFd<'_>,
    name: &OsStr,
    status: &Stat,
    buffer: &mut [u8],
) -> Result<u64> {
    let kind = FileType::from_raw_mode(status.st_mode);
    if kind == FileType::RegularFile {
        return copy_content(from, into, name, buffer);
    }
    if is_whiteout(status) {
        return Ok(0);
    }
    if kind == FileType::Symlink {
        let link = rustix::fs::readlinkat(from, name, Vec::new()).context("read the link")?;
        rustix::fs::symlinkat(link, into, name).context("make the link")?;
    } else {
        let mode = Mode::from_raw_mode(status.st_mode & 0o7777);
        rustix::fs::mknodat(into, name, kind, mode, status.st_rdev).context("make the device")?;
    }
    let (uid, gid) = (Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid));
    rustix::fs::chownat(into, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).context("set the owner")?;
    let time = Timespec { tv_sec: status.st_mtime, tv_nsec: status.st_mtime_nsec as _ };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(into, name, &times, AtFlags::SYMLINK_NOFOLLOW).context("set the time")?;
    Ok(0)
}

fn copy_content(from: BorrowedFd<'_>, into: BorrowedFd<'_>, name: &OsStr, buffer: &mut [u8]) -> Result<u64> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let source = File::from(rustix::fs::openat(from, name, flags, Mode::empty()).context("open")?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = File::from(rustix::fs::openat(into, name, flags, Mode::from_raw_mode(0o600)).context("make")?);
    let length = source.metadata().context("stat")?.len();
    target.set_len(length).context("set the length")?;
    let mut offset = 0;
    let mut bytes = 0;
    while let Some((start, end)) = next_data(source.as_fd(), offset, length)? {
        offset = start;
        while offset < end {
            let want = buffer.len().min(usize::try_from(end - offset).unwrap_or(usize::MAX));
            let count = source.read_at(&mut buffer[..want], offset).context("read")?;
            if count == 0 {
                break;
            }
            target.write_all_at(&buffer[..count], offset).context("write")?;
            offset += count as u64;
            bytes += count as u64;
        }
        offset = end;
    }
    copy_directory_attributes(source.as_fd(), target.as_fd())?;
    Ok(bytes)
}

/// The next run of data at or after `offset`.
fn next_data(file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<Option<(u64, u64)>> {
    if offset >= length {
        return Ok(None);
    }
    let start = match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // A file system that knows no holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some((offset, length))),
        Err(errno) => return Err(errno).context("look for data"),
    };
    let end = rustix::fs::seek(file, SeekFrom::Hole(start)).context("look for a hole")?;
    Ok(Some((start, end.min(length))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_directory_that_becomes_a_link_leads_no_hard_link_out_of_the_target() {
        let top = std::env::temp_dir().join(format!("snapshot-copy-{}", std::process::id()));
        let (from, into, outside) = (top.join("from"), top.join("into"), top.join("outside"));
        for directory in [&from.join("a"), &from.join("b"), &into, &outside] {
            std::fs::create_dir_all(directory).unwrap();
        }
        std::fs::write(from.join("a/file"), "the image's").unwrap();
        std::fs::hard_link(from.join("a/file"), from.join("b/file")).unwrap();
        std::fs::write(outside.join("file"), "the host's").unwrap();
        let mut copy = Copy::new(Tree::open(&from).unwrap(), Tree::open(&into).unwrap());
        let mut found = Vec::new();
        copy.directory(Path::new(""), &mut found).unwrap();
        copy.directory(Path::new("a"), &mut found).unwrap();
        // What a container does that has the target mounted.
        std::fs::rename(into.join("a"), into.join("moved")).unwrap();
        std::os::unix::fs::symlink(&outside, into.join("a")).unwrap();
        assert!(copy.directory(Path::new("b"), &mut found).is_err());
        assert_eq!(outside.join("file").metadata().unwrap().nlink(), 1);
        std::fs::remove_dir_all(top).unwrap();
    }
}
