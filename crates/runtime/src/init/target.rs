//! Places inside the root file system where something is mounted or made.
//!
//! The root file system is hostile, and may change under us. What is missing is made step by step from handles, links being resolved as a
//! process inside would see them; what is used in the end is found by one resolution of the kernel's.

use base::tree::{Links, Tree};
use base::{Context, Error, Result};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows.
const LINKS_LIMIT: usize = 40;
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o755);
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);

/// What is to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Directory,
    File,
}

/// A handle on `path`, which is made with its parents where it is missing.
pub(super) fn reach(root: &Tree, path: &str, shape: Shape) -> Result<OwnedFd> {
    let path = Path::new(path);
    if !path.is_absolute() {
        return Err(Error::invalid(format!("{} is no absolute path", path.display())));
    }
    let found = match root.locate(path, Links::Follow)? {
        Some(found) => found,
        None => {
            make(root, path, shape).with_context(|| format!("make {}", path.display()))?;
            let missing = || Error::conflict(format!("{} vanished while it was made", path.display()));
            root.locate(path, Links::Follow)?.ok_or_else(missing)?
        }
    };
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&found).context("stat")?.st_mode);
    match (shape, kind == FileType::Directory) {
        (Shape::Directory, false) => Err(Error::invalid(format!("{}: not a directory", path.display()))),
        (Shape::File, true) => Err(Error::invalid(format!("{}: is a directory", path.display()))),
        _ => Ok(found),
    }
}

/// The walk so far: where it is, and what lies ahead.
struct Walk<'a> {
    root: &'a Tree,
    /// Without links.
    done: PathBuf,
    ahead: VecDeque<OsString>,
    links: usize,
}

fn make(root: &Tree, path: &Path, shape: Shape) -> Result<()> {
    let mut walk = Walk { root, done: PathBuf::new(), ahead: VecDeque::new(), links: 0 };
    walk.push(path);
    while let Some(name) = walk.ahead.pop_front() {
        if name.as_bytes() == b".." {
            walk.done.pop();
            continue;
        }
        let last = walk.ahead.is_empty();
        walk.step(&name, if last { shape } else { Shape::Directory })?;
    }
    Ok(())
}

impl Walk<'_> {
    /// Puts the parts of a path ahead of all others.
    fn push(&mut self, path: &Path) {
        if path.is_absolute() {
            self.done.clear();
        }
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.ahead.push_front(name.to_owned()),
                Component::ParentDir => self.ahead.push_front("..".into()),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
    }

    fn step(&mut self, name: &OsStr, shape: Shape) -> Result<()> {
        let here = self.root.directory(&self.done, Links::Refuse)?;
        let there = match open(&here, name) {
            Err(Errno::NOENT) => {
                let made = match shape {
                    Shape::Directory => rustix::fs::mkdirat(&here, name, DIRECTORY_MODE),
                    Shape::File => rustix::fs::mknodat(&here, name, FileType::RegularFile, FILE_MODE, 0),
                };
                match made {
                    Ok(()) | Err(Errno::EXIST) => open(&here, name),
                    Err(errno) => Err(errno),
                }
            }
            there => there,
        }
        .context(name.display())?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&there).context("stat")?.st_mode);
        if kind != FileType::Symlink {
            self.done.push(name);
            return Ok(());
        }
        self.links += 1;
        if self.links > LINKS_LIMIT {
            return Err(Error::invalid("too many links"));
        }
        let target = rustix::fs::readlinkat(&there, "", Vec::new()).context("read a link")?;
        self.push(Path::new(OsStr::from_bytes(target.as_bytes())));
        Ok(())
    }
}

fn open(directory: &Tree, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory.as_fd(), name, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn makes_what_is_missing_inside_whatever_links_say() {
        let top = std::env::temp_dir().join(format!("runtime-target-{}", std::process::id()));
        let inside = top.join("root");
        std::fs::create_dir_all(inside.join("etc")).unwrap();
        std::fs::create_dir_all(inside.join("a/b")).unwrap();
        symlink("/run/stub/resolv.conf", inside.join("etc/resolv.conf")).unwrap();
        symlink("../../../outside", inside.join("a/climbing")).unwrap();
        symlink("loop", inside.join("loop")).unwrap();
        symlink(&top, inside.join("host")).unwrap();
        let root = Tree::open(&inside).unwrap();
        reach(&root, "/etc/resolv.conf", Shape::File).unwrap();
        assert!(inside.join("run/stub/resolv.conf").is_file());
        reach(&root, "/a/climbing/x", Shape::Directory).unwrap();
        assert!(inside.join("outside/x").is_dir() && !top.join("outside").exists());
        reach(&root, "/host/y", Shape::File).unwrap();
        assert!(!top.join("y").exists());
        reach(&root, "/a/b/../c/d", Shape::Directory).unwrap();
        assert!(inside.join("a/c/d").is_dir());
        for (path, shape) in
            [("/loop/x", Shape::File), ("/a", Shape::File), ("/etc/resolv.conf", Shape::Directory), ("a", Shape::File)]
        {
            assert!(reach(&root, path, shape).is_err(), "{path}");
        }
        std::fs::remove_dir_all(top).unwrap();
    }
}
