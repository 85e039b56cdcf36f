//! `/dev/shm` of a container whose IPC others may join: a memory file system in its directory, which they all bind.
//!
//! It lies in the host's mount namespace from the start of its owner until the owner is torn down; who has joined keeps it by its own mount.
//! Everybody else's is the runtime's, and nobody sees it from outside.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use base::{Context, Result};
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags};

use crate::layout;

/// Where it is, for who joins.
pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join(layout::SHARED_MEMORY)
}

/// Makes it anew with room for `size_bytes`, and says where it is.
///
/// # Errors
/// When it cannot be mounted.
pub(super) fn make(directory: &Path, size_bytes: u64) -> Result<PathBuf> {
    remove(directory)?;
    let path = path(directory);
    std::fs::create_dir(&path).context("make the directory of shared memory")?;
    mount(&path, size_bytes).context("mount shared memory")?;
    Ok(path)
}

fn mount(path: &Path, size_bytes: u64) -> Result<(), Errno> {
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [("size", size_bytes.to_string().as_str()), ("mode", "1777"), ("source", "shm")] {
        rustix::mount::fsconfig_set_string(context.as_fd(), key, value)?;
    }
    rustix::mount::fsconfig_create(context.as_fd())?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    rustix::mount::move_mount(mount.as_fd(), "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Takes it away; nothing there is no error.
///
/// # Errors
/// When it stays.
pub(super) fn remove(directory: &Path) -> Result<()> {
    let path = path(directory);
    match std::fs::remove_dir(&path).map_err(|error| Errno::from_io_error(&error)) {
        Ok(()) | Err(Some(Errno::NOENT)) => return Ok(()),
        Err(_) => {}
    }
    let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
    match rustix::mount::unmount(&path, flags) {
        Ok(()) | Err(Errno::INVAL) => {}
        Err(errno) => return Err(errno).context("unmount shared memory"),
    }
    std::fs::remove_dir(&path).context("remove the directory of shared memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_and_goes() {
        let directory = std::env::temp_dir().join(format!("engine-shm-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        remove(&directory).unwrap();
        for _ in 0..2 {
            let path = make(&directory, 1 << 20).unwrap();
            std::fs::write(path.join("object"), "x").unwrap();
            assert!(std::fs::write(path.join("large"), vec![0; 2 << 20]).is_err());
        }
        remove(&directory).unwrap();
        std::fs::remove_dir(&directory).unwrap();
    }
}
