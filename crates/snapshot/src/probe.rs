//! Whether a file system can carry layers and what containers write.

use crate::extract::OPAQUE;
use base::file;
use base::tree::Tree;
use base::{Context, Error, Kind, Result};
use rustix::fs::{FileType, Mode, RenameFlags, XattrFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};

const OVERLAYFS_MAGIC: u64 = 0x794c_7630;
const ADVICE: &str = "name a state root on ext4, xfs, btrfs or tmpfs by --root";

/// Tries in a directory of its own below `directory` what layers and containers need, and leaves nothing behind.
///
/// # Errors
/// [`Unsupported`](Kind::Unsupported), naming what is missing and what to do; [`Exhausted`](Kind::Exhausted) for a full disk.
pub fn probe(directory: BorrowedFd<'_>) -> Result<()> {
    let status = rustix::fs::fstatfs(directory).context("ask for the file system's type")?;
    if status.f_type as u64 & 0xffff_ffff == OVERLAYFS_MAGIC {
        return Err(Error::unsupported(format!(
            "it is an overlay itself, and the kernel does not put what containers write on one: {ADVICE}"
        )));
    }
    let name = file::temporary_name("probe");
    let place = file::make_directory_at(directory, &name, 0o700)?;
    let result = try_all(place.as_fd());
    drop(place);
    let folder = Tree::new(directory.try_clone_to_owned().context("open the state root")?);
    let removed = folder.remove_all(OsStr::new(&name));
    result.and(removed)
}

fn try_all(place: BorrowedFd<'_>) -> Result<()> {
    let make = |name: &str| file::make_directory_at(place, name, 0o755);
    let (upper, work) = (make("upper")?, make("work")?);
    let lower = vec![make("one")?, make("two")?];
    feature(
        rustix::fs::fsetxattr(&lower[0], OPAQUE, b"y", XattrFlags::empty()),
        "has no extended attributes in the namespace trusted",
    )?;
    feature(
        rustix::fs::mknodat(place, "device", FileType::CharacterDevice, Mode::empty(), 0),
        "or this process may not make whiteouts (device files 0:0)",
    )?;
    file::replace(place, "from", b"", file::Durability::Lazy)?;
    feature(
        rustix::fs::renameat_with(place, "from", place, "to", RenameFlags::NOREPLACE),
        "cannot rename without replacing (RENAME_NOREPLACE)",
    )?;
    let tree = Tree::new(place.try_clone_to_owned().context("open the probe")?);
    if tree.entries()?.iter().any(|(_, kind)| *kind == FileType::Unknown) {
        return Err(lacks("does not tell the types of files in listings (d_type; on xfs: made without ftype=1)"));
    }
    match crate::overlay::mount(&lower, &[("upperdir", upper.as_fd()), ("workdir", work.as_fd())]) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == Kind::Exhausted => Err(error),
        Err(error) => Err(error.context(format!("it cannot carry an overlay: {ADVICE}")).with_kind(Kind::Unsupported)),
    }
}

fn feature(result: Result<(), Errno>, lack: &str) -> Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(Errno::NOSPC | Errno::DQUOT) => result.context("try the file system"),
        Err(_) => Err(lacks(lack)),
    }
}

fn lacks(what: &str) -> Error {
    Error::unsupported(format!("it {what}: {ADVICE}"))
}
