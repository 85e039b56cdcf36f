//! Paths of the kernel that a container does not see, or cannot write.
//!
//! Those of the process and device file systems are found below the handle of the file system itself, links refused: what the container's
//! root file system says of `/proc` does not matter (CVE-2025-31133, CVE-2019-16884). What covers them is ours.

use super::mounts::{Mounted, attach, clone_of, file_system};
use crate::spec::{MountOptions, ReadOnly, Spec};
use base::tree::{Links, Tree};
use base::{Context, Error, Result};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::mount::{Attributes, Depth};

/// `f_type` of the process file system (statfs(2)).
const PROC_MAGIC: u64 = 0x9fa0;
/// `f_type` of the device file system.
const SYSFS_MAGIC: u64 = 0x6265_6572;

/// Covers the masked paths and protects the read-only ones; a path that is not there needs neither.
pub(super) fn apply(spec: &Spec, root: &Tree, mounted: &Mounted, null: BorrowedFd<'_>) -> Result<()> {
    if let Some(proc) = &mounted.proc {
        verify(proc, PROC_MAGIC, "proc")?;
    }
    if let Some(sysfs) = &mounted.sysfs {
        verify(sysfs, SYSFS_MAGIC, "sysfs")?;
    }
    for path in &spec.read_only_paths {
        if let Some(place) = find(path, root, mounted)? {
            protect(place.as_fd()).map_err(|error| error.context(format!("make {path} read-only")))?;
        }
    }
    let mut empty = None;
    for path in &spec.masked_paths {
        if let Some(place) = find(path, root, mounted)? {
            mask(place.as_fd(), null, &mut empty).map_err(|error| error.context(format!("mask {path}")))?;
        }
    }
    Ok(())
}

fn verify(tree: &Tree, magic: u64, name: &str) -> Result<()> {
    let status = rustix::fs::fstatfs(tree).with_context(|| format!("stat {name}"))?;
    match status.f_type as u64 == magic {
        true => Ok(()),
        false => Err(Error::conflict(format!("what is mounted as {name} is something else"))),
    }
}

fn find(path: &str, root: &Tree, mounted: &Mounted) -> Result<Option<OwnedFd>> {
    let path = Path::new(path);
    let (tree, below, links) = match (path.strip_prefix("/proc"), path.strip_prefix("/sys"), mounted) {
        (Ok(below), _, Mounted { proc: Some(proc), .. }) => (proc, below, Links::Refuse),
        (_, Ok(below), Mounted { sysfs: Some(sysfs), .. }) => (sysfs, below, Links::Refuse),
        _ => (root, path, Links::Follow),
    };
    match tree.open_at(below, OFlags::PATH, rustix::fs::Mode::empty(), links) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(errno).with_context(|| format!("find {}", path.display())),
    }
}

fn protect(place: BorrowedFd<'_>) -> Result<()> {
    let mount = clone_of(place, Depth::Recursive)?;
    sys::mount::set_attributes(mount.as_fd(), Attributes::READ_ONLY, Depth::Recursive).context("restrict it")?;
    attach(mount.as_fd(), place)
}

fn mask(place: BorrowedFd<'_>, null: BorrowedFd<'_>, empty: &mut Option<OwnedFd>) -> Result<()> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(place).context("stat")?.st_mode);
    if kind != FileType::Directory {
        return attach(clone_of(null, Depth::Single)?.as_fd(), place);
    }
    let mount = match empty {
        Some(empty) => clone_of(empty.as_fd(), Depth::Single)?,
        None => {
            let options = MountOptions { read_only: ReadOnly::Single, no_suid: true, no_devices: true, no_exec: true };
            file_system("tmpfs", &[("mode", "755"), ("nr_blocks", "1"), ("nr_inodes", "1")], options)?
        }
    };
    attach(mount.as_fd(), place)?;
    *empty = Some(mount);
    Ok(())
}
