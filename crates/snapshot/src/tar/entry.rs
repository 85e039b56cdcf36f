//! One entry of an archive.

use super::header::Block;
use super::sparse::Sparse;
use base::{Error, Result};

/// Linux takes no longer path (`PATH_MAX` with its zero byte).
const PATH_LIMIT_BYTES: usize = 4095;
/// Linux takes no longer name (`NAME_MAX`).
const NAME_LIMIT_BYTES: usize = 255;
/// Deeper trees serve no image and cost every walk.
const DEPTH_LIMIT: usize = 512;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; its target is [`Entry::link`].
    Symlink,
    /// A further name of the file at [`Entry::link`].
    HardLink,
    /// A character device.
    Character,
    /// A block device.
    Block,
    /// A named pipe.
    Fifo,
}

/// One entry of an archive, as it says of itself. Only lengths were checked: names may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As written.
    pub path: Vec<u8>,
    /// Target of a link, as written.
    pub link: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits, `07777`.
    pub mode: u32,
    /// Owner; never 2³² - 1, which would mean *unchanged*.
    pub uid: u32,
    /// Group; never 2³² - 1.
    pub gid: u32,
    /// Seconds and nanoseconds since the epoch.
    pub modified: (i64, u32),
    /// Bytes of data in the archive.
    pub size: u64,
    /// Major and minor number.
    pub device: (u32, u32),
    /// Extended attributes.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the data goes in a file with holes.
    pub sparse: Option<Sparse>,
}

pub(super) fn from_header(block: &Block) -> Result<Entry> {
    let kind = match block.type_flag() {
        b'0' | 0 | b'7' | b'S' => EntryKind::File,
        b'1' => EntryKind::HardLink,
        b'2' => EntryKind::Symlink,
        b'3' => EntryKind::Character,
        b'4' => EntryKind::Block,
        b'5' => EntryKind::Directory,
        b'6' => EntryKind::Fifo,
        other => {
            return Err(Error::invalid(format!(
                "the archive has an entry of the unknown type {:?}",
                char::from(other)
            )));
        }
    };
    let device = match kind {
        EntryKind::Character | EntryKind::Block => {
            let (major, minor) = block.device()?;
            (within(major, "device number", 1 << 12)?, within(minor, "device number", 1 << 20)?)
        }
        _ => (0, 0),
    };
    Ok(Entry {
        path: block.path(),
        link: block.link().to_vec(),
        kind,
        mode: (block.mode()? & 0o7777) as u32,
        uid: owner(block.uid()?)?,
        gid: owner(block.gid()?)?,
        modified: (block.modified_seconds()?, 0),
        size: block.size()?,
        device,
        attributes: Vec::new(),
        sparse: None,
    })
}

/// An id of a user or a group.
pub(super) fn owner(number: i64) -> Result<u32> {
    within(number, "owner", i64::from(u32::MAX))
}

fn within(number: i64, what: &str, bound: i64) -> Result<u32> {
    if !(0..bound).contains(&number) {
        return Err(Error::invalid(format!("the archive has an entry with the impossible {what} {number}")));
    }
    Ok(number as u32)
}

impl Entry {
    /// The length of the file that it makes, in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.sparse.as_ref().map_or(self.size, |sparse| sparse.real_size)
    }

    /// The path as text for messages, bounded.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(&self.path)
    }

    pub(super) fn check(&self) -> Result<()> {
        check_path(&self.path)?;
        match self.kind {
            EntryKind::HardLink => check_path(&self.link),
            EntryKind::Symlink if self.link.is_empty() => {
                Err(Error::invalid(format!("the symbolic link {} of the archive points nowhere", self.shown())))
            }
            EntryKind::Symlink if self.link.len() > PATH_LIMIT_BYTES || self.link.contains(&0) => Err(Error::invalid(
                format!("the symbolic link {} of the archive has an impossible target", self.shown()),
            )),
            _ => Ok(()),
        }
    }
}

fn check_path(path: &[u8]) -> Result<()> {
    let refuse = |why: &str| Err(Error::invalid(format!("{} of the archive {why}", shown(path))));
    if path.is_empty() {
        return Err(Error::invalid("the archive has an entry without a name"));
    }
    if path.contains(&0) {
        return refuse("has a zero byte in its name");
    }
    if path.len() > PATH_LIMIT_BYTES {
        return refuse(&format!("has a path of more than {PATH_LIMIT_BYTES} bytes"));
    }
    let mut depth = 0;
    for name in path.split(|byte| *byte == b'/') {
        if name.len() > NAME_LIMIT_BYTES {
            return refuse(&format!("has a name of more than {NAME_LIMIT_BYTES} bytes"));
        }
        depth += usize::from(!matches!(name, b"" | b"."));
    }
    if depth > DEPTH_LIMIT {
        return refuse(&format!("lies deeper than {DEPTH_LIMIT} directories"));
    }
    Ok(())
}

/// Foreign bytes for a message: bounded, on one line.
pub(crate) fn shown(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    let mut shown: String = text.chars().take(120).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
