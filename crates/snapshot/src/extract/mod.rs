//! From the entries of an archive to the files of a layer.
//!
//! Everything is done relative to the handle of the layer's own directory: a parent is opened by one resolution of the kernel that takes the layer for the root
//! (symbolic links of the layer stay inside), and the last component is never followed. Attributes of directories come last, since files made in them
//! would change their times and inherit from them.

mod attributes;
mod names;
mod place;
mod whiteout;

use crate::tar::Archive;
use base::tree::Tree;
use base::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::OwnedFd;

pub(crate) use attributes::{copy_attributes, set_directory_times};
pub(crate) use whiteout::{OPAQUE, is_whiteout};

/// How much of an archive is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries, with their extended headers and blocks of maps.
    pub entries: u64,
    /// Bytes of file content, without holes.
    pub bytes: u64,
    /// Bytes that are kept in memory to the end: names and attributes of directories, links whose targets are not there.
    pub kept: u64,
}

impl Default for Limits {
    /// Ten million entries and headers, eight tebibytes: beyond every image, within what a file system bears. The free space of the disk bounds it sooner.
    /// 64 MiB in memory: half a million directories.
    fn default() -> Self {
        Self { entries: 10_000_000, bytes: 8 << 40, kept: 64 << 20 }
    }
}

/// What was extracted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Entries of the archive.
    pub entries: u64,
    /// Bytes of file content, without holes.
    pub bytes: u64,
    /// Paths of directories that no entry describes, without a slash at their beginning.
    pub implied: Vec<Vec<u8>>,
    /// Hard links whose targets are not in the layer: name and target.
    pub links: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Extracts the archive that `reader` gives, decompressed, into the empty directory `tree`, and reads it to its end.
///
/// Whatever the archive says, nothing outside of `tree` is touched. On an error, what was made so far stays.
///
/// # Errors
/// [`Corrupt`](Kind::Corrupt) for a damaged archive; [`Invalid`](Kind::Invalid) for names that lead out, bounds that are exceeded, whiteouts that mean nothing;
/// [`Exhausted`](Kind::Exhausted) for a full disk; [`Unsupported`](Kind::Unsupported) for a device where they cannot be made.
pub fn apply(tree: OwnedFd, reader: &mut dyn Read, limits: &Limits) -> Result<Extracted> {
    let mut archive = Archive::new(reader, limits.entries);
    let mut layer = Layer::new(tree, *limits)?;
    while let Some(entry) = archive.next_entry()? {
        layer.count(entry.size)?;
        layer.add(&entry, &mut archive).map_err(|error| explain(error, &entry.shown()))?;
    }
    archive.finish()?;
    layer.finish()
}

fn explain(error: Error, path: &str) -> Error {
    let error = error.context(path);
    match error.errno() {
        Some(rustix::io::Errno::FBIG) => error.with_kind(Kind::Invalid),
        Some(rustix::io::Errno::MLINK) => error.with_kind(Kind::Exhausted),
        _ => error,
    }
}

/// A layer that is being made.
pub(crate) struct Layer {
    tree: Tree,
    limits: Limits,
    entries: u64,
    bytes: u64,
    kept: u64,
    /// The last parent, which most entries share with the one before.
    parent: Option<(Vec<u8>, OwnedFd)>,
    /// What entries said of directories.
    directories: BTreeMap<Vec<u8>, attributes::DirectoryAttributes>,
    implied: BTreeMap<Vec<u8>, ()>,
    links: BTreeMap<Vec<u8>, Vec<u8>>,
    buffer: Vec<u8>,
}

const BUFFER_BYTES: usize = 128 << 10;
/// What keeping a name costs beside its bytes, about.
const KEPT_BYTES: usize = 32;
/// Files beyond this are compared with the free space before they are begun.
const LARGE_BYTES: u64 = 16 << 20;

impl Layer {
    fn new(tree: OwnedFd, limits: Limits) -> Result<Self> {
        Ok(Self {
            tree: Tree::new(tree),
            limits,
            entries: 0,
            bytes: 0,
            kept: 0,
            parent: None,
            directories: BTreeMap::new(),
            implied: BTreeMap::new(),
            links: BTreeMap::new(),
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    fn count(&mut self, bytes: u64) -> Result<()> {
        let byte_limit = self.limits.bytes;
        self.entries += 1;
        self.bytes = self.bytes.checked_add(bytes).filter(|bytes| *bytes <= byte_limit).ok_or_else(|| {
            Error::invalid(format!("the files of the archive have more than {byte_limit} bytes together"))
        })?;
        if bytes >= LARGE_BYTES {
            self.check_room(bytes)?;
        }
        Ok(())
    }

    /// Counts what is kept of `parts` until the end; it counts even where it is forgotten again.
    fn keep(&mut self, parts: &[&[u8]]) -> Result<()> {
        let bytes: usize = parts.iter().map(|part| part.len() + KEPT_BYTES).sum();
        self.kept += bytes as u64;
        if self.kept > self.limits.kept {
            return Err(Error::invalid(format!(
                "the directories and the unresolved links of the archive need more than {} bytes of memory",
                self.limits.kept
            )));
        }
        Ok(())
    }

    fn check_room(&self, bytes: u64) -> Result<()> {
        // A file system that does not say counts as roomy: writing will tell.
        let Ok(status) = rustix::fs::fstatvfs(&self.tree) else { return Ok(()) };
        let room = status.f_bavail.saturating_mul(status.f_frsize);
        if bytes > room {
            return Err(Error::exhausted(format!(
                "the archive has a file of {bytes} bytes, and the disk of the state root has room for {room}: free some space"
            )));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Extracted> {
        self.parent = None;
        // What lies deeper first: setting the times of a directory must not be undone by changes in it.
        let directories = std::mem::take(&mut self.directories);
        for (path, attributes) in directories.iter().rev() {
            attributes.set(&self.tree, path)?;
        }
        self.implied.retain(|path, ()| !directories.contains_key(path));
        Ok(Extracted {
            entries: self.entries,
            bytes: self.bytes,
            implied: self.implied.into_keys().collect(),
            links: self.links.into_iter().collect(),
        })
    }
}
