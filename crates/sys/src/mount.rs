//! What rustix's mount functions lack: attributes of mounts (mount_setattr(2), Linux 5.12).

use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Whether a change reaches the mounts below as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// This mount alone.
    Single,
    /// All mounts below it too.
    Recursive,
}

/// How a mount and its copies tell each other of mounts below them (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Not at all.
    Private,
    /// In both directions.
    Shared,
    /// From the original to its copies.
    Slave,
    /// Not at all, and it cannot be bound elsewhere.
    Unbindable,
}

bitflags::bitflags! {
    /// Attributes that can be set and cleared.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Attributes: u64 {
        /// Nothing can be written.
        const READ_ONLY = libc::MOUNT_ATTR_RDONLY;
        /// Set-user-id bits and file capabilities have no effect.
        const NO_SUID = libc::MOUNT_ATTR_NOSUID;
        /// Device files cannot be opened.
        const NO_DEVICES = libc::MOUNT_ATTR_NODEV;
        /// Nothing can be executed.
        const NO_EXEC = libc::MOUNT_ATTR_NOEXEC;
    }
}

/// Sets attributes of the mount that `mount` is open on.
///
/// # Errors
/// As in mount_setattr(2).
pub fn set_attributes(mount: BorrowedFd<'_>, attributes: Attributes, depth: Depth) -> Result<(), Errno> {
    change(mount, attributes, 0, depth)
}

/// Sets how the mount that `mount` is open on propagates.
///
/// # Errors
/// As in mount_setattr(2).
pub fn set_propagation(mount: BorrowedFd<'_>, propagation: Propagation, depth: Depth) -> Result<(), Errno> {
    let propagation = match propagation {
        Propagation::Private => libc::MS_PRIVATE,
        Propagation::Shared => libc::MS_SHARED,
        Propagation::Slave => libc::MS_SLAVE,
        Propagation::Unbindable => libc::MS_UNBINDABLE,
    };
    change(mount, Attributes::empty(), propagation, depth)
}

fn change(mount: BorrowedFd<'_>, set: Attributes, propagation: u64, depth: Depth) -> Result<(), Errno> {
    let attributes = libc::mount_attr { attr_set: set.bits(), attr_clr: 0, propagation, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if depth == Depth::Recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string and the attributes outlive the call, whose length is theirs.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == -1 { Err(crate::last_errno()) } else { Ok(()) }
}
