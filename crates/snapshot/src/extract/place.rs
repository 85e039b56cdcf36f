//! One entry: where it goes, what is in its way, and its content.

use super::Layer;
use super::attributes::{DirectoryAttributes, set_file, set_special};
use super::names::{is_within, normalise, normalise_target, split};
use super::whiteout::{Meaning, is_whiteout, make_opaque, meaning};
use crate::tar::{Archive, Entry, EntryKind};
use base::tree::{Links, Tree};
use base::{Context, Error, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What stood where a directory was to be made.
#[derive(Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    Directory,
    Whiteout,
}

impl Layer {
    pub(super) fn add<R: Read>(&mut self, entry: &Entry, archive: &mut Archive<R>) -> Result<()> {
        let path = normalise(&entry.path)?;
        let Some((parent, name)) = split(&path) else {
            return match entry.kind {
                EntryKind::Directory => self.describe(&path, entry),
                _ => Err(Error::invalid("the top of an archive is a directory")),
            };
        };
        match meaning(parent, name)? {
            Meaning::Nothing => return Ok(()),
            Meaning::Whiteout(hidden) => return self.hide(parent, hidden),
            Meaning::Opaque => return self.hide_below(parent),
            Meaning::File => {}
        }
        match entry.kind {
            EntryKind::Directory => return self.add_directory(entry, &path),
            EntryKind::HardLink => return self.add_hard_link(entry, &path),
            _ => {}
        }
        self.links.remove(&path);
        let name = OsStr::from_bytes(name);
        match entry.kind {
            EntryKind::File => {
                let file = self.retry(&path, |parent| create_file(parent, name))?;
                return self.fill(file, entry, archive);
            }
            EntryKind::Symlink => {
                self.retry(&path, |parent| rustix::fs::symlinkat(OsStr::from_bytes(&entry.link), parent, name))?;
            }
            EntryKind::Character if entry.device == (0, 0) => {
                return Err(Error::invalid(
                    "the device 0:0 means a deleted file to overlayfs and is refused: use a whiteout",
                ));
            }
            _ => self.retry(&path, |parent| make_special(parent, name, entry))?,
        }
        set_special(self.open_parent(parent)?, name, entry)
    }

    /// Makes something that must not exist yet; what stands in its way goes.
    fn retry<T>(&mut self, path: &[u8], make: impl Fn(BorrowedFd<'_>) -> Result<T, Errno>) -> Result<T> {
        let (parent, _) = split(path).unwrap_or((b"", path));
        match make(self.open_parent(parent)?) {
            Err(Errno::EXIST) => {
                self.clear(path)?;
                make(self.open_parent(parent)?).context("make it anew")
            }
            result => result.context("make it"),
        }
    }

    fn add_directory(&mut self, entry: &Entry, path: &[u8]) -> Result<()> {
        let (parent, name) = split(path).unwrap_or((b"", path));
        let name = OsStr::from_bytes(name);
        let before = self.make_directory(parent, name, path)?;
        if before == Before::Whiteout {
            make_opaque(self.open_parent(parent)?, name)?;
        }
        self.implied.remove(path);
        self.describe(path, entry)
    }

    /// Keeps what the entry says of a directory for the end.
    fn describe(&mut self, path: &[u8], entry: &Entry) -> Result<()> {
        let attributes = DirectoryAttributes::of(entry);
        self.keep(&attributes.parts().chain([path]).collect::<Vec<_>>())?;
        self.directories.insert(path.to_vec(), attributes);
        Ok(())
    }

    fn make_directory(&mut self, parent: &[u8], name: &OsStr, path: &[u8]) -> Result<Before> {
        let handle = self.open_parent(parent)?;
        match rustix::fs::mkdirat(handle, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => return Ok(Before::Nothing),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno).context("make a directory"),
        }
        let status = rustix::fs::statat(handle, name, AtFlags::SYMLINK_NOFOLLOW).context("stat what is there")?;
        if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
            return Ok(Before::Directory);
        }
        let before = if is_whiteout(&status) { Before::Whiteout } else { Before::Nothing };
        self.clear(path)?;
        rustix::fs::mkdirat(self.open_parent(parent)?, name, Mode::from_raw_mode(0o755)).context("make a directory")?;
        Ok(before)
    }

    fn add_hard_link(&mut self, entry: &Entry, path: &[u8]) -> Result<()> {
        let target = normalise_target(entry)?;
        if target == path {
            return Err(Error::invalid("it is a hard link to itself"));
        }
        if is_within(&target, path) {
            return Err(Error::invalid("it is a hard link to something below itself"));
        }
        let (target_parent, target_name) = split(&target).unwrap_or((b"", &target));
        if meaning(target_parent, target_name)? != Meaning::File {
            return Err(Error::invalid("it is a hard link to a whiteout"));
        }
        let parent_path = Path::new(OsStr::from_bytes(target_parent));
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let found = match self.tree.open_at(parent_path, flags, Mode::empty(), Links::Follow) {
            Ok(parent) => Some(parent),
            Err(Errno::NOENT | Errno::NOTDIR) => None,
            Err(errno) => return Err(errno).context("find its link target"),
        };
        let target_name = OsStr::from_bytes(target_name);
        let status = match &found {
            Some(parent) => rustix::fs::statat(parent, target_name, AtFlags::SYMLINK_NOFOLLOW).ok(),
            None => None,
        };
        let (Some(found), Some(status)) = (found, status) else {
            // It may lie in a layer below: a seam makes it then.
            return self.remember_link(path, target);
        };
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => return Err(Error::invalid("it is a hard link to a directory")),
            _ if is_whiteout(&status) => {
                return Err(Error::invalid("it is a hard link to a file that its layer takes away"));
            }
            _ => {}
        }
        self.links.remove(path);
        let name = OsStr::from_bytes(split(path).map_or(path, |(_, name)| name));
        self.retry(path, |parent| rustix::fs::linkat(&found, target_name, parent, name, AtFlags::empty()))
    }

    /// Notes a link whose target is not here; what is in the way goes now, as if it were made.
    fn remember_link(&mut self, path: &[u8], target: Vec<u8>) -> Result<()> {
        let (parent, _) = split(path).unwrap_or((b"", path));
        self.open_parent(parent)?;
        self.clear(path)?;
        self.keep(&[path, &target])?;
        self.links.insert(path.to_vec(), target);
        Ok(())
    }

    /// Removes what is at `path` and forgets what was to be done with it.
    fn clear(&mut self, path: &[u8]) -> Result<()> {
        let (parent, name) = split(path).unwrap_or((b"", path));
        self.open_parent(parent)?;
        let Some((_, handle)) = self.parent.take() else { return Ok(()) };
        Tree::new(handle).remove_all(OsStr::from_bytes(name))?;
        forget(&mut self.directories, path);
        forget(&mut self.implied, path);
        forget(&mut self.links, path);
        Ok(())
    }

    /// The directory at `path`, which is made, and remembered as implied, where it is missing.
    pub(super) fn open_parent(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>> {
        if self.parent.as_ref().is_none_or(|(known, _)| known != path) {
            let handle = match self.open_directory(path) {
                Ok(handle) => handle,
                Err(Errno::NOENT | Errno::NOTDIR) => self.make_parents(path)?,
                Err(errno) => return Err(errno).context("open its directory"),
            };
            self.parent = Some((path.to_vec(), handle));
        }
        match &self.parent {
            Some((_, handle)) => Ok(handle.as_fd()),
            None => Err(Error::internal("a directory was opened and is not there")),
        }
    }

    fn open_directory(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        // Readable: removing what is in it lists it.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        self.tree.open_at(Path::new(OsStr::from_bytes(path)), flags, Mode::empty(), Links::Follow)
    }

    fn make_parents(&mut self, path: &[u8]) -> Result<OwnedFd> {
        let mut current = self.open_directory(b"").context("open the layer")?;
        let mut end = 0;
        while end < path.len() {
            let start = end;
            end = path[start..].iter().position(|byte| *byte == b'/').map_or(path.len(), |at| start + at);
            let (so_far, name) = (&path[..end], OsStr::from_bytes(&path[start..end]));
            end += 1;
            match rustix::fs::mkdirat(&current, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => self.imply(so_far)?,
                Err(Errno::EXIST) => self.replace_whiteout(current.as_fd(), name, so_far)?,
                Err(errno) => return Err(errno).context("make its directory"),
            }
            // From the top, so that links of the layer are resolved as its own.
            current = self.open_directory(so_far).map_err(|errno| match errno {
                Errno::NOENT | Errno::NOTDIR | Errno::LOOP => {
                    Error::invalid(format!("{} is in its way and no directory", crate::tar_shown(so_far)))
                }
                errno => Error::internal(format!("open its directory: {errno}")),
            })?;
        }
        Ok(current)
    }

    /// A whiteout in the way of a directory: both are meant, the old directory goes and a new one comes.
    fn replace_whiteout(&mut self, parent: BorrowedFd<'_>, name: &OsStr, path: &[u8]) -> Result<()> {
        let status = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).context("stat what is there")?;
        if !is_whiteout(&status) {
            return Ok(());
        }
        rustix::fs::unlinkat(parent, name, AtFlags::empty()).context("replace a whiteout")?;
        rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)).context("make its directory")?;
        make_opaque(parent, name)?;
        self.imply(path)
    }

    fn imply(&mut self, path: &[u8]) -> Result<()> {
        self.keep(&[path])?;
        self.implied.insert(path.to_vec(), ());
        Ok(())
    }

    fn fill<R: Read>(&mut self, file: OwnedFd, entry: &Entry, archive: &mut Archive<R>) -> Result<()> {
        let file = File::from(file);
        match &entry.sparse {
            None => loop {
                let count = archive.read_data(&mut self.buffer)?;
                if count == 0 {
                    break;
                }
                (&file).write_all(&self.buffer[..count]).context("write it")?;
            },
            Some(sparse) => {
                file.set_len(sparse.real_size).context("set its length")?;
                for chunk in &sparse.chunks {
                    let (mut offset, end) = (chunk.offset, chunk.offset + chunk.length);
                    while offset < end {
                        let want = self.buffer.len().min(usize::try_from(end - offset).unwrap_or(usize::MAX));
                        let count = archive.read_data(&mut self.buffer[..want])?;
                        if count == 0 {
                            return Err(Error::corrupt("its map is longer than its data"));
                        }
                        file.write_all_at(&self.buffer[..count], offset).context("write it")?;
                        offset += count as u64;
                    }
                }
            }
        }
        set_file(file.as_fd(), entry)
    }
}

/// Takes `path` and everything below it out of `map`.
fn forget<T>(map: &mut BTreeMap<Vec<u8>, T>, path: &[u8]) {
    map.remove(path);
    // Whatever begins with the path and a slash lies together.
    let (start, end) = ([path, b"/"].concat(), [path, b"0"].concat());
    let below: Vec<Vec<u8>> = map.range(start..end).map(|(key, _)| key.clone()).collect();
    for key in below {
        map.remove(&key);
    }
}

fn create_file(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600))
}

fn make_special(parent: BorrowedFd<'_>, name: &OsStr, entry: &Entry) -> Result<(), Errno> {
    let (kind, device) = match entry.kind {
        EntryKind::Character => (FileType::CharacterDevice, entry.device),
        EntryKind::Block => (FileType::BlockDevice, entry.device),
        _ => (FileType::Fifo, (0, 0)),
    };
    rustix::fs::mknodat(parent, name, kind, Mode::from_raw_mode(0o600), rustix::fs::makedev(device.0, device.1))
}
