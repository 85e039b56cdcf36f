//! How much room a container takes.

use std::os::fd::{AsFd, BorrowedFd};

use base::{Context, Result, file};
use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

/// Bytes of the files below the directory `name`, links counted once for each name; a missing directory has none.
///
/// # Errors
/// When it cannot be read. Files that vanish meanwhile do not count.
pub(crate) fn of_directory(parent: BorrowedFd<'_>, name: &str) -> Result<u64> {
    let directory = match file::open_directory_at(parent, name) {
        Ok(directory) => directory,
        Err(error) if matches!(error.errno(), Some(Errno::NOENT | Errno::LOOP | Errno::NOTDIR)) => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut bytes = 0;
    for entry in rustix::fs::Dir::read_from(&directory).with_context(|| format!("list {name}"))? {
        let entry = entry.with_context(|| format!("list {name}"))?;
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        match rustix::fs::statat(directory.as_fd(), entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) if FileType::from_raw_mode(status.st_mode) == FileType::Directory => {
                // A name that is no text is counted as nothing rather than guessed at.
                if let Ok(name) = entry.file_name().to_str() {
                    bytes += of_directory(directory.as_fd(), name)?;
                }
            }
            Ok(status) => bytes += u64::try_from(status.st_size).unwrap_or(0),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno).with_context(|| format!("look at a file in {name}")),
        }
    }
    Ok(bytes)
}
