//! How much room a container takes.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use base::tree::{Links, Tree};
use base::{Context, Result, file};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Bytes of the files below the directory `name`, links counted once for each name; a missing directory has none.
///
/// Whoever made the tree chose its depth: one descriptor is open at a time, and what lies deeper than a path can say does not count.
///
/// # Errors
/// When it cannot be read. Files that vanish meanwhile do not count.
pub(crate) fn of_directory(parent: BorrowedFd<'_>, name: &str) -> Result<u64> {
    let top = match file::open_directory_at(parent, name) {
        Ok(directory) => Tree::new(directory),
        Err(error) if matches!(error.errno(), Some(Errno::NOENT | Errno::LOOP | Errno::NOTDIR)) => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut bytes: u64 = 0;
    let mut path: Vec<u8> = Vec::new();
    // Names of directories, and how long the path to each is.
    let mut ahead: Vec<(usize, OsString)> = vec![(0, OsString::from("."))];
    while let Some((length, below)) = ahead.pop() {
        path.truncate(length);
        if length > 0 {
            path.push(b'/');
        }
        path.extend_from_slice(below.as_bytes());
        let flags = OFlags::DIRECTORY | OFlags::RDONLY;
        let directory = match top.open_at(Path::new(OsStr::from_bytes(&path)), flags, Mode::empty(), Links::Refuse) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => continue,
            Err(errno) => return Err(errno).with_context(|| format!("open a directory in {name}")),
        };
        let files = count(directory.as_fd(), |directory| ahead.push((path.len(), directory)));
        bytes = bytes.saturating_add(files.with_context(|| format!("count the files in {name}"))?);
    }
    Ok(bytes)
}

/// Bytes of the files of one directory, whose directories `found` is told.
fn count(directory: BorrowedFd<'_>, mut found: impl FnMut(OsString)) -> Result<u64, Errno> {
    let mut bytes: u64 = 0;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) if FileType::from_raw_mode(status.st_mode) == FileType::Directory => {
                found(OsString::from_vec(name.to_bytes().to_vec()));
            }
            Ok(status) => bytes = bytes.saturating_add(u64::try_from(status.st_size).unwrap_or(0)),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_tree_is_counted() {
        let top = std::env::temp_dir().join(format!("engine-size-{}", std::process::id()));
        let handle = file::make_directories(&top, 0o700).unwrap();
        let tree = Tree::new(handle.try_clone().unwrap());
        let odd = OsString::from_vec(b"odd-\xff".to_vec());
        std::fs::create_dir_all(top.join("tree/a").join(&odd)).unwrap();
        std::fs::write(top.join("tree/f"), "1").unwrap();
        std::fs::write(top.join("tree/a/f"), "12").unwrap();
        std::fs::write(top.join("tree/a").join(&odd).join("f"), "123").unwrap();
        std::os::unix::fs::symlink("/", top.join("tree/a/link")).unwrap();
        assert_eq!(of_directory(handle.as_fd(), "tree").unwrap(), 7);
        // Deeper than there are descriptors, and than a path can say.
        let mut current = tree.directory(Path::new("tree"), Links::Refuse).unwrap();
        for _ in 0..3000 {
            current = current.make_directories(Path::new("d"), 0o755, Links::Refuse).unwrap();
        }
        assert_eq!(of_directory(handle.as_fd(), "tree").unwrap(), 7);
        assert_eq!(of_directory(handle.as_fd(), "missing").unwrap(), 0);
        tree.remove_all(OsStr::new("tree")).unwrap();
        std::fs::remove_dir(top).unwrap();
    }
}
