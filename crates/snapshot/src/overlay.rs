//! Overlay mounts that are attached nowhere: to look at a chain of layers as one tree.

use base::{Context, Error, Result};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, open_tree,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys::mount::{Attributes, Depth};

/// How many lower directories the kernel takes (fs/overlayfs, `OVL_MAX_STACK`).
pub const OVERLAY_LAYER_LIMIT: usize = 500;

/// Mounts `lower`, topmost first, as one read-only tree, and returns its root. It vanishes with the descriptor.
///
/// # Errors
/// [`Invalid`](base::Kind::Invalid) for no directory or more than [`OVERLAY_LAYER_LIMIT`]; else the kernel's.
pub fn mount_read_only(lower: &[PathBuf]) -> Result<OwnedFd> {
    match lower {
        [] => Err(Error::invalid("there is no layer to be mounted")),
        // overlayfs wants two.
        [only] => clone_read_only(only),
        lower if lower.len() > OVERLAY_LAYER_LIMIT => {
            Err(Error::invalid(format!("the kernel takes {OVERLAY_LAYER_LIMIT} layers, not {}", lower.len())))
        }
        lower => {
            let mut handles = Vec::with_capacity(lower.len());
            for path in lower {
                handles.push(open(path)?);
            }
            mount(&handles, &[]).context("mount the layers")
        }
    }
}

/// Makes an overlay of `lower`, topmost first, with further directories by key, and returns its detached root.
pub(crate) fn mount(lower: &[OwnedFd], more: &[(&str, BorrowedFd<'_>)]) -> Result<OwnedFd> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).context("open overlayfs")?;
    fsconfig_set_string(context.as_fd(), "source", "berth").context("name the overlay")?;
    for handle in lower {
        set_directory(context.as_fd(), "lowerdir+", handle.as_fd())?;
    }
    for (key, handle) in more {
        set_directory(context.as_fd(), key, *handle)?;
    }
    if more.is_empty() {
        fsconfig_set_flag(context.as_fd(), "ro").context("make the overlay read-only")?;
    }
    fsconfig_create(context.as_fd()).context("make the overlay")?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).context("mount the overlay")
}

// Since Linux 6.13 by descriptor; before, by a name for the descriptor that has no comma and no colon.
fn set_directory(context: BorrowedFd<'_>, key: &str, directory: BorrowedFd<'_>) -> Result<()> {
    if fsconfig_set_fd(context, key, directory).is_ok() {
        return Ok(());
    }
    let name = format!("/proc/self/fd/{}", directory.as_raw_fd());
    fsconfig_set_string(context, key, name).with_context(|| format!("set {key} of the overlay"))
}

fn clone_read_only(path: &Path) -> Result<OwnedFd> {
    let directory = open(path)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let clone = open_tree(&directory, "", flags).context("mount a layer")?;
    let attributes = Attributes::READ_ONLY | Attributes::NO_SUID | Attributes::NO_DEVICES | Attributes::NO_EXEC;
    sys::mount::set_attributes(clone.as_fd(), attributes, Depth::Single).context("make a layer read-only")?;
    Ok(clone)
}

fn open(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).with_context(|| format!("open layer {}", path.display()))
}
