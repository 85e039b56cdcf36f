//! Files of our own: replaced whole, read bounded, always below a directory's handle.

use crate::{Context, Error, Result};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// What survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// Readers see the old or the new file; after a power cut the file may be empty or old.
    Lazy,
    /// File and directory are synced before the call returns.
    Synced,
}

/// Opens a directory of our own by path, not following a symbolic link at its end.
///
/// # Errors
/// When it is missing, is no directory or may not be searched.
pub fn open_directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::open(path, flags, Mode::empty()).with_context(|| format!("open directory {}", path.display()))
}

/// Opens the directory `name` below `directory`, not following a symbolic link.
///
/// # Errors
/// When it is missing or is no directory.
pub fn open_directory_at(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(directory, name, flags, Mode::empty()).with_context(|| format!("open directory {name}"))
}

/// Makes `path` and its parents where they are missing, with `mode` less the umask, and opens it.
///
/// # Errors
/// When a part of it cannot be made or is no directory.
pub fn make_directories(path: &Path, mode: u32) -> Result<OwnedFd> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .with_context(|| format!("make directory {}", path.display()))?;
    // The last part may be a link of the administrator's: /var/lib/berth on another disk.
    rustix::fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .with_context(|| format!("open directory {}", path.display()))
}

/// Makes the directory `name` below `directory` where it is missing and opens it.
///
/// # Errors
/// When it cannot be made or something else has that name.
pub fn make_directory_at(directory: BorrowedFd<'_>, name: &str, mode: u32) -> Result<OwnedFd> {
    match rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(mode)) {
        Ok(()) | Err(Errno::EXIST) => open_directory_at(directory, name),
        Err(errno) => Err(errno).with_context(|| format!("make directory {name}")),
    }
}

/// Replaces the file `name` below `directory` by one with `bytes`, mode 0600, in one step.
///
/// A reader sees the old content or the new one, never a part. A crash leaves at most a file `.name.…` behind.
///
/// # Errors
/// When the new file cannot be written; the old one is then unharmed.
pub fn replace(directory: BorrowedFd<'_>, name: &str, bytes: &[u8], durability: Durability) -> Result<()> {
    let temporary = temporary_name(name);
    let result = write_temporary(directory, &temporary, bytes, durability).and_then(|()| {
        crate::crash_point!("file.before-rename");
        rustix::fs::renameat(directory, &temporary, directory, name)?;
        if durability == Durability::Synced {
            rustix::fs::fsync(directory)?;
        }
        Ok(())
    });
    if result.is_err() {
        let _ = rustix::fs::unlinkat(directory, &temporary, AtFlags::empty());
    }
    result.with_context(|| format!("write {name}"))
}

/// No JSON file of our own is longer.
const JSON_LIMIT_BYTES: u64 = 16 << 20;

/// The same as [`replace`], of `value` as JSON.
///
/// # Errors
/// As [`replace`]; [`Kind::Invalid`](crate::Kind::Invalid) for more than 16 MiB, which [`read_json`] would refuse.
pub fn replace_json<T: Serialize>(
    directory: BorrowedFd<'_>,
    name: &str,
    value: &T,
    durability: Durability,
) -> Result<()> {
    let mut bytes = serde_json::to_vec(value).with_context(|| format!("encode {name}"))?;
    bytes.push(b'\n');
    if bytes.len() as u64 > JSON_LIMIT_BYTES {
        let length = bytes.len();
        return Err(Error::invalid(format!(
            "write {name}: it would have {length} bytes, more than {JSON_LIMIT_BYTES}"
        )));
    }
    replace(directory, name, &bytes, durability)
}

fn write_temporary(
    directory: BorrowedFd<'_>,
    name: &str,
    bytes: &[u8],
    durability: Durability,
) -> Result<(), std::io::Error> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut file = File::from(rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o600))?);
    file.write_all(bytes)?;
    if durability == Durability::Synced {
        file.sync_data()?;
    }
    Ok(())
}

/// A name that no other process and no other thread uses now.
#[must_use]
pub fn temporary_name(name: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    // A process that dies leaves its file; one with the same pid must not trip over it.
    let nanoseconds = crate::time::Timestamp::now().unix_nanoseconds();
    format!(".{name}.{}.{count}.{nanoseconds:x}", rustix::process::getpid().as_raw_nonzero())
}

/// Reads the file `name` below `directory`, at most `limit` bytes; `None` where there is none.
///
/// # Errors
/// [`Kind::Corrupt`](crate::Kind::Corrupt) when it is longer than `limit` or no regular file.
pub fn read_bounded(directory: BorrowedFd<'_>, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno).with_context(|| format!("open {name}")),
    };
    read_file_bounded(file, limit).map(Some).map_err(|error| error.context(format!("read {name}")))
}

/// Reads an open regular file to its end, at most `limit` bytes.
///
/// # Errors
/// [`Kind::Corrupt`](crate::Kind::Corrupt) when it is longer than `limit` or no regular file.
pub fn read_file_bounded(file: OwnedFd, limit: u64) -> Result<Vec<u8>> {
    let status = rustix::fs::fstat(file.as_fd()).context("stat")?;
    if rustix::fs::FileType::from_raw_mode(status.st_mode) != rustix::fs::FileType::RegularFile {
        return Err(Error::corrupt("it is not a regular file"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(status.st_size).unwrap_or(0).min(limit as usize) + 1);
    File::from(file).take(limit + 1).read_to_end(&mut bytes).context("read")?;
    if bytes.len() as u64 > limit {
        return Err(Error::corrupt(format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// Reads a JSON file of our own, at most 16 MiB; `None` where there is none.
///
/// # Errors
/// [`Kind::Corrupt`](crate::Kind::Corrupt) when it is not what was written there: a power cut leaves such files.
pub fn read_json<T: DeserializeOwned>(directory: BorrowedFd<'_>, name: &str) -> Result<Option<T>> {
    let Some(bytes) = read_bounded(directory, name, JSON_LIMIT_BYTES)? else { return Ok(None) };
    serde_json::from_slice(&bytes).with_context(|| format!("{name} is damaged")).map(Some)
}

/// Removes the file `name` below `directory`; a missing one is no error.
///
/// # Errors
/// When it is there and stays.
pub fn remove(directory: BorrowedFd<'_>, name: &str) -> Result<()> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno).with_context(|| format!("remove {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn scratch(name: &str) -> (std::path::PathBuf, OwnedFd) {
        let path = std::env::temp_dir().join(format!("base-file-{name}-{}", std::process::id()));
        let handle = make_directories(&path, 0o700).unwrap();
        (path, handle)
    }

    #[test]
    fn replaces_and_reads() {
        let (path, directory) = scratch("replace");
        assert_eq!(read_bounded(directory.as_fd(), "a", 10).unwrap(), None);
        replace(directory.as_fd(), "a", b"one", Durability::Lazy).unwrap();
        replace(directory.as_fd(), "a", b"two", Durability::Synced).unwrap();
        assert_eq!(read_bounded(directory.as_fd(), "a", 3).unwrap().unwrap(), b"two");
        assert_eq!(read_bounded(directory.as_fd(), "a", 2).unwrap_err().kind(), Kind::Corrupt);
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_link_in_place_of_a_file_is_not_followed() {
        let (path, directory) = scratch("link");
        std::os::unix::fs::symlink("/etc/passwd", path.join("a")).unwrap();
        assert!(read_bounded(directory.as_fd(), "a", 1 << 20).is_err());
        std::fs::remove_dir_all(path).unwrap();
    }
}
