//! A directory handle below which hostile content may lie.
//!
//! Everything below it is reached from the handle in one resolution by the kernel (openat2(2), Linux 5.6) and never by
//! a path of the host: whoever swaps a component meanwhile changes what is found inside the tree, not that it is inside.

use crate::{Context, Error, Kind, Result};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};

/// How symbolic links below the handle are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// As a process sees them whose root is this tree: absolute links and `..` stay inside.
    Follow,
    /// Any link anywhere is an error.
    Refuse,
}

/// A directory and what lies below it. Magic links (`/proc/PID/fd/…`) are never followed.
#[derive(Debug)]
pub struct Tree(OwnedFd);

impl Tree {
    /// The tree whose root `directory` is open on.
    #[must_use]
    pub fn new(directory: OwnedFd) -> Self {
        Self(directory)
    }

    /// Opens the tree at a trusted path of the host.
    ///
    /// # Errors
    /// When it is missing or is no directory.
    pub fn open(path: &Path) -> Result<Self> {
        crate::file::open_directory(path).map(Self)
    }

    /// Opens `path` inside the tree with `flags`; `CLOEXEC` is always added.
    ///
    /// # Errors
    /// As openat2(2); a path that leaves the tree is `EXDEV`, a refused link `ELOOP`.
    pub fn open_at(&self, path: &Path, flags: OFlags, mode: Mode, links: Links) -> Result<OwnedFd, Errno> {
        let (path, resolve) = match links {
            Links::Follow => (path, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS),
            Links::Refuse => (
                path.strip_prefix("/").unwrap_or(path),
                ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS,
            ),
        };
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        open_inside(self.0.as_fd(), path, flags, mode, resolve)
    }

    /// Opens a directory inside the tree.
    ///
    /// # Errors
    /// When it is missing, is no directory or lies behind a refused link.
    pub fn directory(&self, path: &Path, links: Links) -> Result<Tree> {
        self.open_at(path, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty(), links)
            .map(Tree)
            .with_context(|| format!("open directory {}", path.display()))
    }

    /// A handle on whatever lies at `path`, which cannot be read through it (`O_PATH`); `None` where nothing is.
    ///
    /// # Errors
    /// When the way there is no directory or lies behind a refused link.
    pub fn locate(&self, path: &Path, links: Links) -> Result<Option<OwnedFd>> {
        match self.open_at(path, OFlags::PATH, Mode::empty(), links) {
            Ok(handle) => Ok(Some(handle)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno).with_context(|| format!("find {}", path.display())),
        }
    }

    /// Reads a regular file inside the tree, at most `limit` bytes; `None` where there is none.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] when it is longer or is no regular file.
    pub fn read_bounded(&self, path: &Path, limit: u64, links: Links) -> Result<Option<Vec<u8>>> {
        // NONBLOCK: a FIFO put there must not make us wait for a writer.
        let file = match self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty(), links) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(errno) => return Err(errno).with_context(|| format!("open {}", path.display())),
        };
        crate::file::read_file_bounded(file, limit)
            .map(Some)
            .map_err(|error| error.context(format!("read {}", path.display())))
    }

    /// Makes the directory `path` and its parents where they are missing, with `mode`, and opens it.
    ///
    /// With [`Links::Follow`], a link to a missing directory is an error, not an invitation to make it.
    ///
    /// # Errors
    /// When a component is something else than a directory.
    pub fn make_directories(&self, path: &Path, mode: u32, links: Links) -> Result<Tree> {
        if let Ok(found) = self.open_at(path, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty(), links) {
            return Ok(Tree(found));
        }
        let mut made = std::path::PathBuf::new();
        let mut current = self.directory(Path::new("."), links)?;
        for component in path.components() {
            let name = match component {
                Component::RootDir | Component::CurDir | Component::Prefix(_) => continue,
                Component::ParentDir => {
                    return Err(Error::invalid(format!("{} must not contain ..", path.display())));
                }
                Component::Normal(name) => name,
            };
            made.push(name);
            match rustix::fs::mkdirat(&current, name, Mode::from_raw_mode(mode)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno).with_context(|| format!("make directory {}", made.display())),
            }
            // From the root again, so that a link among the components is resolved as the tree's own.
            current = self.directory(&made, links)?;
        }
        Ok(current)
    }

    /// The status of what lies at `path`, of a link itself where it is one; `None` where nothing is.
    ///
    /// # Errors
    /// When the way there cannot be walked.
    pub fn status(&self, path: &Path, links: Links) -> Result<Option<Stat>> {
        match self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty(), links) {
            Ok(handle) => rustix::fs::fstat(handle).map(Some).with_context(|| format!("stat {}", path.display())),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            // RESOLVE_NO_SYMLINKS refuses even a final link, which O_NOFOLLOW would have opened.
            Err(errno) => Err(errno).with_context(|| format!("stat {}", path.display())),
        }
    }

    /// The names in this directory and their types, but for `.` and `..`, in no order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entries(&self) -> Result<Vec<(OsString, FileType)>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.0).context("read a directory")? {
            let entry = entry.context("read a directory")?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                entries.push((OsString::from_vec(name.to_vec()), entry.file_type()));
            }
        }
        Ok(entries)
    }

    /// Removes `name` of this directory with everything below it, following no link and crossing into no other mount.
    ///
    /// A missing one is no error. Any depth is removed with a bounded number of descriptors.
    ///
    /// # Errors
    /// The first failure, after everything that could be removed is gone; [`Kind::Conflict`] for a mount point.
    pub fn remove_all(&self, name: &OsStr) -> Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(errno) => return Err(errno).with_context(|| format!("remove {}", name.display())),
        }
        let name = CString::new(name.as_bytes()).map_err(|_| Error::invalid("a name contains a zero byte"))?;
        let mut failure = None;
        let mut stack = vec![Removal::enter(self.0.as_fd(), name)?];
        loop {
            let depth = stack.len();
            let Some(top) = stack.last_mut() else { break };
            match top.next_directory(&mut failure) {
                Some(child) if depth > REMOVAL_DEPTH => flatten(&mut stack, &child, &mut failure),
                Some(child) => match Removal::enter(top.handle.as_fd(), child) {
                    Ok(removal) => stack.push(removal),
                    Err(error) => {
                        failure.get_or_insert(error);
                    }
                },
                None => {
                    let Some(done) = stack.pop() else { break };
                    let parent = stack.last().map_or(self.0.as_fd(), |removal| removal.handle.as_fd());
                    if let Err(errno) = rustix::fs::unlinkat(parent, &done.name, AtFlags::REMOVEDIR) {
                        failure.get_or_insert_with(|| removal_error(errno, &done.name));
                    }
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Opens `path` below `directory` with openat2(2); `CLOEXEC` is always added.
///
/// # Errors
/// As openat2(2). [`Errno::AGAIN`] after many attempts: somebody renames all the time, which a container can do for ever.
pub fn open_inside(
    directory: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    persist(|| rustix::fs::openat2(directory, path, flags | OFlags::CLOEXEC, mode, resolve))
}

/// How often the kernel is asked again.
const ATTEMPTS: u32 = 128;

/// The kernel gives up when a rename ran at the same time, and says so to be asked again.
fn persist<T>(mut open: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    for _ in 1..ATTEMPTS {
        match open() {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
    open()
}

/// How deep a removal descends before it moves what lies deeper to the top: each level holds a descriptor, and whoever
/// made the tree chose its depth.
const REMOVAL_DEPTH: usize = 200;

/// One directory that is being emptied.
struct Removal {
    handle: OwnedFd,
    name: CString,
    directories: Vec<CString>,
}

impl Removal {
    fn enter(parent: BorrowedFd<'_>, name: CString) -> Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let handle = rustix::fs::openat2(parent, &name, flags, Mode::empty(), resolve)
            .map_err(|errno| removal_error(errno, &name))?;
        let mut removal = Self { handle, name, directories: Vec::new() };
        removal.unlink_files()?;
        Ok(removal)
    }

    fn unlink_files(&mut self) -> Result<()> {
        for entry in Dir::read_from(&self.handle).context("read a directory")? {
            let entry = entry.context("read a directory")?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if entry.file_type() != FileType::Directory
                && rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()).is_ok()
            {
                continue;
            }
            self.directories.push(name.to_owned());
        }
        Ok(())
    }

    /// The next directory to enter; empty ones are removed on the way.
    fn next_directory(&mut self, failure: &mut Option<Error>) -> Option<CString> {
        while let Some(name) = self.directories.pop() {
            match rustix::fs::unlinkat(&self.handle, &name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) => return Some(name),
                Err(errno) => {
                    failure.get_or_insert_with(|| removal_error(errno, &name));
                }
            }
        }
        None
    }
}

/// Moves `child` of the deepest directory into the topmost one, to be removed from there.
fn flatten(stack: &mut [Removal], child: &CStr, failure: &mut Option<Error>) {
    let [top, .., deepest] = stack else { return };
    let Ok(moved) = CString::new(crate::file::temporary_name("deep")) else { return };
    match rustix::fs::renameat(&deepest.handle, child, &top.handle, &moved) {
        Ok(()) => top.directories.push(moved),
        Err(errno) => {
            failure.get_or_insert_with(|| removal_error(errno, child));
        }
    }
}

fn removal_error(errno: Errno, name: &CStr) -> Error {
    let failed: Result<(), Errno> = Err(errno);
    let name = name.to_string_lossy();
    match failed.with_context(|| format!("remove {name}")) {
        Err(error) if matches!(errno, Errno::XDEV | Errno::BUSY) => {
            error.with_kind(Kind::Conflict).context("something is still mounted there")
        }
        Err(error) => error,
        Ok(()) => Error::internal(format!("remove {name}")),
    }
}

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Tree> for OwnedFd {
    fn from(tree: Tree) -> Self {
        tree.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn scratch(name: &str) -> (std::path::PathBuf, Tree) {
        let path = std::env::temp_dir().join(format!("base-tree-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("inside")).unwrap();
        let tree = Tree::open(&path.join("inside")).unwrap();
        (path, tree)
    }

    #[test]
    fn links_and_parents_stay_inside() {
        let (path, tree) = scratch("inside");
        std::fs::write(path.join("secret"), "host").unwrap();
        std::fs::write(path.join("inside/secret"), "tree").unwrap();
        symlink("/secret", path.join("inside/absolute")).unwrap();
        symlink("../../secret", path.join("inside/climbing")).unwrap();
        for name in ["absolute", "climbing", "../secret", "/secret"] {
            assert_eq!(tree.read_bounded(Path::new(name), 10, Links::Follow).unwrap().unwrap(), b"tree", "{name}");
        }
        assert!(tree.read_bounded(Path::new("absolute"), 10, Links::Refuse).is_err());
        assert!(tree.read_bounded(Path::new("../secret"), 10, Links::Refuse).is_err());
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn whoever_renames_for_ever_is_given_up() {
        let after = |failures: u32| {
            let mut asked = 0;
            persist(|| {
                asked += 1;
                if asked > failures { Ok(asked) } else { Err(Errno::AGAIN) }
            })
        };
        assert_eq!(after(ATTEMPTS - 1), Ok(ATTEMPTS));
        assert_eq!(after(u32::MAX), Err(Errno::AGAIN));
        assert_eq!(persist(|| Err::<(), _>(Errno::LOOP)), Err(Errno::LOOP));
    }

    #[test]
    fn directories_are_made_below_links_of_the_tree() {
        let (path, tree) = scratch("make");
        std::fs::create_dir(path.join("inside/real")).unwrap();
        symlink("/real", path.join("inside/link")).unwrap();
        tree.make_directories(Path::new("/link/a/b"), 0o755, Links::Follow).unwrap();
        assert!(path.join("inside/real/a/b").is_dir());
        symlink("/nowhere", path.join("inside/dangling")).unwrap();
        assert!(tree.make_directories(Path::new("dangling/x"), 0o755, Links::Follow).is_err());
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_fifo_does_not_hang_a_reader() {
        let (path, tree) = scratch("fifo");
        rustix::fs::mknodat(&tree, "pipe", FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert_eq!(tree.read_bounded(Path::new("pipe"), 10, Links::Follow).unwrap_err().kind(), Kind::Corrupt);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn removes_deep_trees_and_leaves_what_links_point_to() {
        let (path, tree) = scratch("remove");
        let mut current = tree.make_directories(Path::new("top"), 0o755, Links::Refuse).unwrap();
        for _ in 0..3000 {
            current = current.make_directories(Path::new("d"), 0o755, Links::Refuse).unwrap();
        }
        rustix::fs::mknodat(&current, "file", FileType::RegularFile, Mode::from_raw_mode(0o600), 0).unwrap();
        std::fs::write(path.join("kept"), "x").unwrap();
        symlink(path.join("kept"), path.join("inside/top/link")).unwrap();
        tree.remove_all(OsStr::new("top")).unwrap();
        tree.remove_all(OsStr::new("top")).unwrap();
        assert!(!path.join("inside/top").exists() && path.join("kept").exists());
        std::fs::remove_dir_all(path).unwrap();
    }
}
