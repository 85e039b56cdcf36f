//! Device files: the ones that every program expects, and those that the specification adds.

use super::mounts::{attach, clone_of};
use crate::spec::{Device, DeviceKind};
use base::tree::{Links, Tree};
use base::{Context, Error, Result};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, major, makedev, minor};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::mount::Depth;

/// Name, major and minor number; all are for everybody to read and write.
const DEFAULT: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Links beside them, as in Docker's containers.
const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
    ("core", "/proc/kcore"),
];

/// The host's `/dev/null`, which is verified to be that: what covers paths is not to be taken from the container.
pub(super) fn null() -> Result<OwnedFd> {
    open_verified(Path::new("/dev/null"), FileType::CharacterDevice, (1, 3))
}

fn open_verified(path: &Path, kind: FileType, numbers: (u32, u32)) -> Result<OwnedFd> {
    let what = || format!("open {}", path.display());
    let file = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).with_context(what)?;
    if is_device(file.as_fd(), kind, numbers)? {
        return Ok(file);
    }
    Err(Error::conflict(format!("{} is not device {}:{}", path.display(), numbers.0, numbers.1)))
}

/// Whether `file` is that device.
pub(super) fn is_device(file: BorrowedFd<'_>, kind: FileType, numbers: (u32, u32)) -> Result<bool> {
    let status = rustix::fs::fstat(file).context("stat")?;
    let same = (major(status.st_rdev), minor(status.st_rdev)) == numbers;
    Ok(same && FileType::from_raw_mode(status.st_mode) == kind)
}

/// Makes the default devices, their links and `devices`. `fresh` is the new file system at `/dev`, where there is one.
pub(super) fn make(devices: &[Device], root: &Tree, fresh: Option<&Tree>) -> Result<()> {
    let own;
    let directory = match fresh {
        Some(fresh) => fresh,
        None => {
            own = root.make_directories(Path::new("/dev"), 0o755, Links::Follow)?;
            &own
        }
    };
    for (name, major, minor) in DEFAULT {
        let device = Device {
            path: format!("/dev/{name}"),
            kind: DeviceKind::Character,
            major,
            minor,
            mode: 0o666,
            uid: 0,
            gid: 0,
        };
        if devices.iter().all(|own| own.path != device.path) {
            make_one(directory, OsStr::new(name), &device)?;
        }
    }
    for (name, target) in LINKS {
        match rustix::fs::symlinkat(target, directory, name) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno).with_context(|| format!("make /dev/{name}")),
        }
    }
    devices.iter().try_for_each(|device| add(device, root, directory))
}

fn add(device: &Device, root: &Tree, directory: &Tree) -> Result<()> {
    let path = Path::new(&device.path);
    let (tree, below) = match path.strip_prefix("/dev") {
        Ok(below) => (directory, below),
        Err(_) => (root, path),
    };
    let (Some(parent), Some(name), true) = (below.parent(), below.file_name(), path.is_absolute()) else {
        return Err(Error::invalid(format!("{:?} is no path for a device", device.path)));
    };
    let parent = tree.make_directories(parent, 0o755, Links::Follow);
    make_one(&parent.map_err(|error| error.context(format!("make device {}", device.path)))?, name, device)
}

fn make_one(parent: &Tree, name: &OsStr, device: &Device) -> Result<()> {
    let what = || format!("make device {}", device.path);
    let kind = match device.kind {
        DeviceKind::Character => FileType::CharacterDevice,
        DeviceKind::Block => FileType::BlockDevice,
    };
    let mode = Mode::from_raw_mode(device.mode & 0o7777);
    match rustix::fs::mknodat(parent, name, kind, mode, makedev(device.major, device.minor)) {
        Ok(()) if (device.uid, device.gid) != (0, 0) => {
            let owner = (Some(Uid::from_raw(device.uid)), Some(Gid::from_raw(device.gid)));
            rustix::fs::chownat(parent, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW).with_context(what)
        }
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => match is_device(open(parent, name)?.as_fd(), kind, (device.major, device.minor))? {
            true => Ok(()),
            false => Err(Error::conflict(format!("{}: something else is there", what()))),
        },
        // As in a user namespace, or below a group that may not make any.
        Err(Errno::PERM) => bind(parent, name, device, kind).with_context(what),
        Err(errno) => Err(errno).with_context(what),
    }
}

/// Binds the host's device file where none can be made.
fn bind(parent: &Tree, name: &OsStr, device: &Device, kind: FileType) -> Result<()> {
    let numbers = (device.major, device.minor);
    let folder = if kind == FileType::BlockDevice { "block" } else { "char" };
    let by_number = format!("/dev/{folder}/{}:{}", device.major, device.minor);
    let source = open_verified(Path::new(&device.path), kind, numbers)
        .or_else(|_| open_verified(Path::new(&by_number), kind, numbers))?;
    match rustix::fs::mknodat(parent, name, FileType::RegularFile, Mode::from_raw_mode(0o600), 0) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno).context("make a file for it"),
    }
    attach(clone_of(source.as_fd(), Depth::Single)?.as_fd(), open(parent, name)?.as_fd())
}

fn open(parent: &Tree, name: &OsStr) -> Result<OwnedFd> {
    rustix::fs::openat(parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .with_context(|| format!("open {}", name.display()))
}
