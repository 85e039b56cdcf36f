//! What a layer takes away: whiteouts of the image format become overlayfs's (overlayfs.rst, *whiteouts and opaque directories*).

use super::Layer;
use super::names::{RESERVED, WHITEOUT};
use base::{Context, Error, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, XattrFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

/// The attribute by which a directory hides what lies below it.
pub(crate) const OPAQUE: &str = "trusted.overlay.opaque";

/// What the last name of a path stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// Itself.
    File,
    /// This name is taken away.
    Whiteout(&'a [u8]),
    /// Everything below the parent is taken away.
    Opaque,
    /// Bookkeeping of AUFS.
    Nothing,
}

/// # Errors
/// `Invalid` for names that take nothing away and are no names of files either.
pub(super) fn meaning<'a>(parent: &[u8], name: &'a [u8]) -> Result<Meaning<'a>> {
    for directory in parent.split(|byte| *byte == b'/') {
        if directory.starts_with(RESERVED) {
            return Ok(Meaning::Nothing);
        }
        if directory.starts_with(WHITEOUT) {
            return Err(Error::invalid("a directory of its path has a name that is kept for whiteouts"));
        }
    }
    let Some(hidden) = name.strip_prefix(WHITEOUT) else { return Ok(Meaning::File) };
    match hidden {
        b".wh..opq" => Ok(Meaning::Opaque),
        b"" | b"." | b".." => Err(Error::invalid("it is a whiteout of nothing")),
        hidden if hidden.starts_with(WHITEOUT) => Ok(Meaning::Nothing),
        hidden => Ok(Meaning::Whiteout(hidden)),
    }
}

/// Whether this is how overlayfs says that a name is taken away.
pub(crate) fn is_whiteout(status: &Stat) -> bool {
    FileType::from_raw_mode(status.st_mode) == FileType::CharacterDevice && status.st_rdev == 0
}

impl Layer {
    /// Takes `name` of `parent` away from the layers below. What this layer itself has there stays (specification, *Whiteouts*:
    /// they apply to lower layers only) and hides what is below anyhow, but a directory, which then must say so.
    pub(super) fn hide(&mut self, parent: &[u8], name: &[u8]) -> Result<()> {
        let handle = self.open_parent(parent)?;
        let name = OsStr::from_bytes(name);
        match rustix::fs::mknodat(handle, name, FileType::CharacterDevice, Mode::empty(), 0) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => {
                let status =
                    rustix::fs::statat(handle, name, AtFlags::SYMLINK_NOFOLLOW).context("stat what is there")?;
                match FileType::from_raw_mode(status.st_mode) {
                    FileType::Directory => make_opaque(handle, name),
                    _ => Ok(()),
                }
            }
            Err(errno) => Err(errno).context("make a whiteout"),
        }
    }

    /// Takes everything away that lower layers have in `directory`.
    pub(super) fn hide_below(&mut self, directory: &[u8]) -> Result<()> {
        let handle = self.open_parent(directory)?;
        make_opaque(handle, OsStr::new("."))
    }
}

/// Makes the directory `name` hide what lower layers have there.
pub(super) fn make_opaque(parent: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(parent, name, flags, Mode::empty()).context("open a directory")?;
    rustix::fs::fsetxattr(directory.as_fd(), OPAQUE, b"y", XattrFlags::empty()).context("make a directory opaque")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meanings() {
        let table: [(&str, &str, Option<Meaning<'static>>); 10] = [
            ("a", "b", Some(Meaning::File)),
            ("", "wh.b", Some(Meaning::File)),
            ("a", ".wh.b", Some(Meaning::Whiteout(b"b"))),
            ("a", ".wh..b", Some(Meaning::Whiteout(b".b"))),
            ("a", ".wh..wh..opq", Some(Meaning::Opaque)),
            ("", ".wh..wh.plnk", Some(Meaning::Nothing)),
            (".wh..wh.plnk", "17.23", Some(Meaning::Nothing)),
            ("a", ".wh.", None),
            ("a", ".wh...", None),
            (".wh.a", "b", None),
        ];
        for (parent, name, expected) in table {
            assert_eq!(meaning(parent.as_bytes(), name.as_bytes()).ok(), expected, "{parent} {name}");
        }
    }
}
