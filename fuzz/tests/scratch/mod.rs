//! A folder for targets that make files: a tree that anything may happen to, and around it what must stay as it is.

use base::tree::Tree;
use rustix::fs::{Mode, OFlags};
use std::ffi::OsStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The folder. It is gone when this is dropped.
pub struct Scratch {
    path: PathBuf,
    own: Tree,
}

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("berth-test-fuzz-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("outside")).unwrap();
        std::fs::write(path.join("outside/file"), "of the host").unwrap();
        Self { own: Tree::open(&path).unwrap(), path }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// An empty directory, in place of what was there before.
    pub fn empty(&self, name: &str) -> OwnedFd {
        self.own.remove_all(OsStr::new(name)).unwrap();
        let path = self.path.join(name);
        std::fs::create_dir(&path).unwrap();
        rustix::fs::open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    /// A directory with links of every bad kind.
    pub fn with_links(&self, name: &str) -> OwnedFd {
        let directory = self.empty(name);
        let tree = self.path.join(name);
        std::fs::create_dir_all(tree.join("dir/below")).unwrap();
        std::fs::write(tree.join("file"), "").unwrap();
        for (link, target) in [
            ("link", "dir"),
            ("absolute", "/outside"),
            ("up", "../outside"),
            ("loop", "loop"),
            ("dir/back", "../../../outside"),
        ] {
            symlink(target, tree.join(link)).unwrap();
        }
        directory
    }

    pub fn has_entries(&self, name: &str) -> bool {
        std::fs::read_dir(self.path.join(name)).unwrap().next().is_some()
    }

    /// Fails when something beside the trees came, went or changed.
    pub fn assert_outside_is_whole(&self) {
        let mut names: Vec<_> = names(&self.path);
        names.retain(|name| name != "tree");
        assert_eq!(names, ["outside"]);
        assert_eq!(self::names(&self.path.join("outside")), ["file"]);
        assert_eq!(std::fs::read(self.path.join("outside/file")).unwrap(), b"of the host");
    }

    /// Fails when `found` lies anywhere but in the tree `name`.
    pub fn assert_below(&self, name: &str, found: BorrowedFd<'_>) {
        let place = std::fs::read_link(format!("/proc/self/fd/{}", found.as_raw_fd())).unwrap();
        assert!(place.starts_with(self.path.join(name)), "{}", place.display());
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let folder = self.path.parent().map(Tree::open);
        if let (Some(Ok(folder)), Some(name)) = (folder, self.path.file_name()) {
            let _ = folder.remove_all(name);
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
