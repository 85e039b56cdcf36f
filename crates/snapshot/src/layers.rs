//! The folder of extracted layers: who extracts, when a layer is there, what may go.

use crate::decompress;
use crate::extract::{self, Extracted, Limits};
use crate::marker::{LayerMarker, MARKER, SeamMarker, TREE, TreePath, Written, boot_id};
use base::digest::{Algorithm, Digest};
use base::file::{self, Durability};
use base::id::Id;
use base::lock::{Lock, Sharing};
use base::tree::Tree;
use base::{Context, Error, Result, crash_point};
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

const LAYERS: &str = "layers";
const SEAMS: &str = "seams";
/// What extracted layers are kept in below a state root.
pub const ROOT_NAMES: &[&str] = &[LAYERS, SEAMS];

/// Extracted layers and seams of a state root.
#[derive(Debug)]
pub struct Layers {
    pub(crate) layers: OwnedFd,
    pub(crate) seams: OwnedFd,
    pub(crate) root_path: PathBuf,
    pub(crate) boot: String,
}

/// A layer that is extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The digest of its archive before compression.
    pub content: Digest,
    /// Bytes of its files.
    pub bytes: u64,
    /// Entries of its archive.
    pub entries: u64,
}

/// What is there when a layer is wanted.
#[derive(Debug)]
pub enum Begin<'a> {
    /// It is extracted.
    Present(Layer),
    /// It is not, and this is how to do it.
    Extraction(Extraction<'a>),
    /// Somebody else is extracting it: ask again later.
    Busy,
}

/// A layer that is being extracted. Its lock is held; dropping it leaves nothing that counts.
#[derive(Debug)]
pub struct Extraction<'a> {
    layers: &'a Layers,
    expected: Option<Digest>,
    name: String,
    _lock: Lock,
}

/// What a collection removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Layers, by the digest of their archives.
    pub removed: Vec<Digest>,
    /// Bytes of their files.
    pub bytes: u64,
}

impl Layers {
    /// Opens the layers of the state root that `root` is open on, and whose path is `path`.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn open(root: BorrowedFd<'_>, path: &Path) -> Result<Self> {
        let layers = file::make_directory_at(root, LAYERS, 0o700)?;
        let seams = file::make_directory_at(root, SEAMS, 0o700)?;
        Ok(Self { layers, seams, root_path: path.to_owned(), boot: boot_id()? })
    }

    /// The layer, where it is extracted and its files count.
    ///
    /// # Errors
    /// When its marker cannot be read.
    pub fn find(&self, content: &Digest) -> Result<Option<Layer>> {
        let marker = self.marker(content)?;
        Ok(marker.map(|marker| Layer { content: marker.content, bytes: marker.bytes, entries: marker.entries }))
    }

    /// Those of `chain` that must be extracted before it can be mounted.
    ///
    /// # Errors
    /// When a marker cannot be read.
    pub fn missing(&self, chain: &[Digest]) -> Result<Vec<Digest>> {
        let mut missing = Vec::new();
        for content in chain {
            if self.marker(content)?.is_none() {
                missing.push(content.clone());
            }
        }
        Ok(missing)
    }

    /// The directories of those layers of `chain` that are there, topmost first, for people: without seams, and nothing is made.
    ///
    /// # Errors
    /// When a marker cannot be read.
    pub fn paths(&self, chain: &[Digest]) -> Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for content in chain.iter().rev() {
            if self.marker(content)?.is_some() {
                paths.push(self.tree_path(content));
            }
        }
        Ok(paths)
    }

    /// Begins to extract a layer, or finds that it is there or that somebody else is at it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(&self, content: &Digest) -> Result<Begin<'_>> {
        if let Some(layer) = self.find(content)? {
            return Ok(Begin::Present(layer));
        }
        let name = directory_name(content);
        let Some(lock) = self.lock(&name)? else { return Ok(Begin::Busy) };
        // Whoever had the lock before may have finished it.
        if let Some(layer) = self.find(content)? {
            self.unlock(&name, lock)?;
            return Ok(Begin::Present(layer));
        }
        Ok(Begin::Extraction(Extraction { layers: self, expected: Some(content.clone()), name, _lock: lock }))
    }

    /// Begins to extract a layer whose digest shows only at its end.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin_unknown(&self) -> Result<Extraction<'_>> {
        let name = Id::random()?.to_string();
        let lock = self.lock(&name)?.ok_or_else(|| Error::internal("a new lock is held by somebody else"))?;
        Ok(Extraction { layers: self, expected: None, name, _lock: lock })
    }

    /// Writes everything to disk and notes that the layers of this boot survive a power cut from now on.
    ///
    /// May take seconds; meant for the background.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn settle(&self) -> Result<()> {
        let mut fresh = Vec::new();
        for (folder, name) in self.entries()? {
            if let Some(marker) = read_value(folder, &name)?
                && marker.get("written").is_some_and(|written| written != "synced")
            {
                fresh.push((folder, name, marker));
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        rustix::fs::syncfs(&self.layers).context("sync the extracted layers")?;
        for (folder, name, mut marker) in fresh {
            marker["written"] = "synced".into();
            let directory = match file::open_directory_at(folder, &name) {
                Ok(directory) => directory,
                // Collected meanwhile.
                Err(error) if error.errno() == Some(Errno::NOENT) => continue,
                Err(error) => return Err(error),
            };
            file::replace_json(directory.as_fd(), MARKER, &marker, Durability::Synced)?;
        }
        Ok(())
    }

    /// Removes all layers but those of `keep`, and the seams of chains that lose one.
    ///
    /// Only for a caller who holds the image store's exclusive lock: nobody then begins to use a layer. What is being extracted stays.
    ///
    /// # Errors
    /// The first failure, after everything that could be removed is gone.
    pub fn collect(&self, keep: &BTreeSet<Digest>) -> Result<Collected> {
        let mut collected = Collected::default();
        let mut failure = None;
        for (folder, name) in self.entries()? {
            let seam: Option<SeamMarker> = read_marker(folder, &name).unwrap_or_default();
            let layer: Option<LayerMarker> = read_marker(folder, &name).unwrap_or_default();
            let kept = match (&layer, &seam) {
                (Some(layer), _) => keep.contains(&layer.content),
                (_, Some(seam)) => seam.chain.iter().all(|content| keep.contains(content)),
                // Damaged: it is made again when it is needed.
                (None, None) => false,
            };
            if kept {
                continue;
            }
            match self.discard(folder, &name) {
                Ok(false) => {}
                Ok(true) => {
                    if let Some(layer) = layer {
                        collected.bytes += layer.bytes;
                        collected.removed.push(layer.content);
                    }
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        if let Err(error) = self.sweep() {
            failure.get_or_insert(error);
        }
        failure.map_or(Ok(collected), Err)
    }

    pub(crate) fn marker(&self, content: &Digest) -> Result<Option<LayerMarker>> {
        let marker: Option<LayerMarker> = read_marker(self.layers.as_fd(), &directory_name(content))?;
        Ok(marker.filter(|marker| marker.written.counts(&self.boot) && marker.content == *content))
    }

    /// The files of an extracted layer.
    pub(crate) fn tree(&self, content: &Digest) -> Result<Tree> {
        open_tree(self.layers.as_fd(), &directory_name(content))
    }

    pub(crate) fn tree_path(&self, content: &Digest) -> PathBuf {
        self.root_path.join(LAYERS).join(directory_name(content)).join(TREE)
    }

    pub(crate) fn seam_path(&self, name: &str) -> PathBuf {
        self.root_path.join(SEAMS).join(name).join(TREE)
    }

    /// Takes the lock of one layer or seam; `None` when somebody else has it.
    pub(crate) fn lock(&self, name: &str) -> Result<Option<Lock>> {
        let name = lock_name(name);
        loop {
            let Some(lock) = Lock::try_acquire(self.layers.as_fd(), &name, Sharing::Exclusive)? else {
                return Ok(None);
            };
            if is_linked(self.layers.as_fd(), &name, &lock)? {
                return Ok(Some(lock));
            }
        }
    }

    pub(crate) fn unlock(&self, name: &str, lock: Lock) -> Result<()> {
        let removed = file::remove(self.layers.as_fd(), &lock_name(name));
        drop(lock);
        removed
    }

    /// Puts a finished directory in its place; one that does not count any more makes way.
    pub(crate) fn publish(&self, staging: &str, folder: BorrowedFd<'_>, name: &str) -> Result<()> {
        for _ in 0..2 {
            match rustix::fs::renameat_with(self.layers.as_fd(), staging, folder, name, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => self.put_aside(folder, name)?,
                result => return result.with_context(|| format!("put layer {name} in place")),
            }
        }
        Err(Error::conflict(format!("layer {name} appears again and again while it is replaced")))
    }

    fn put_aside(&self, folder: BorrowedFd<'_>, name: &str) -> Result<()> {
        let aside = file::temporary_name("stale");
        match rustix::fs::renameat(folder, name, self.layers.as_fd(), &aside) {
            Ok(()) => self.folder()?.remove_all(OsStr::new(&aside)),
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno).with_context(|| format!("put the stale layer {name} aside")),
        }
    }

    /// Removes a layer or a seam, unless somebody is making it; says whether.
    fn discard(&self, folder: BorrowedFd<'_>, name: &str) -> Result<bool> {
        let Some(lock) = self.lock(name)? else { return Ok(false) };
        let removed = self.put_aside(folder, name);
        self.unlock(name, lock)?;
        removed.map(|()| true)
    }

    /// Removes what crashes left: half-extracted layers, locks, directories put aside.
    fn sweep(&self) -> Result<()> {
        let folder = self.folder()?;
        for (name, _) in folder.entries()? {
            let Some(text) = name.to_str() else { continue };
            if let Some(layer) = text.strip_prefix(STAGING_PREFIX) {
                if let Some(lock) = self.lock(layer)? {
                    folder.remove_all(&name)?;
                    self.unlock(layer, lock)?;
                }
            } else if let Some(layer) = text.strip_prefix(LOCK_PREFIX) {
                if let Some(lock) = self.lock(layer)? {
                    self.unlock(layer, lock)?;
                }
            } else if text.starts_with(".stale.") {
                folder.remove_all(&name)?;
            }
        }
        Ok(())
    }

    fn folder(&self) -> Result<Tree> {
        Ok(Tree::new(self.layers.try_clone().context("open the folder of layers")?))
    }

    /// All layers and seams that are in place.
    fn entries(&self) -> Result<Vec<(BorrowedFd<'_>, String)>> {
        let mut all = Vec::new();
        for folder in [self.layers.as_fd(), self.seams.as_fd()] {
            for entry in rustix::fs::Dir::read_from(folder).context("list the layers")? {
                let entry = entry.context("list the layers")?;
                if let Ok(name) = entry.file_name().to_str()
                    && !name.starts_with('.')
                {
                    all.push((folder, name.to_owned()));
                }
            }
        }
        Ok(all)
    }
}

impl Extraction<'_> {
    /// Extracts `archive`, plain or compressed, verifies its digest and puts the layer in place.
    ///
    /// Reads `archive` to its end before anything counts, so that a reader which verifies what it passes on has the last word.
    ///
    /// # Errors
    /// [`Invalid`](base::Kind::Invalid) and [`Corrupt`](base::Kind::Corrupt) for what an archive must not be, and for another digest than expected;
    /// [`Exhausted`](base::Kind::Exhausted) for a full disk; the reader's own, where it failed with a [`base::Error`].
    pub fn apply(self, archive: &mut (dyn Read + Send), limits: &Limits) -> Result<Layer> {
        let staging = staging_name(&self.name);
        let result = self.extract(&staging, archive, limits);
        if result.is_err() {
            // The error that counts is the one that led here; what stays is swept by the next collection.
            let _ = self.layers.folder().and_then(|folder| folder.remove_all(OsStr::new(&staging)));
        }
        let _ = file::remove(self.layers.layers.as_fd(), &lock_name(&self.name));
        match &self.expected {
            Some(content) => result.map_err(|error| error.context(format!("extract layer {}", content.short()))),
            None => result.map_err(|error| error.context("extract the archive")),
        }
    }

    fn extract(&self, staging: &str, archive: &mut (dyn Read + Send), limits: &Limits) -> Result<Layer> {
        let folder = self.layers.folder()?;
        // What a crash left.
        folder.remove_all(OsStr::new(staging))?;
        let directory = file::make_directory_at(folder.as_fd(), staging, 0o700)?;
        let tree = file::make_directory_at(directory.as_fd(), TREE, 0o755)?;
        crash_point!("pull.extracting");
        let algorithm = self.expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let work = |pieces: &mut decompress::Pieces| extract::apply(tree, pieces, limits);
        let (extracted, found) = decompress::pump(archive, algorithm, work)?;
        if let Some(expected) = &self.expected
            && found != *expected
        {
            return Err(Error::corrupt(format!(
                "the archive is not what the image's configuration promised: expected {expected}, got {found}"
            )));
        }
        let marker = marker_of(&found, &self.layers.boot, extracted);
        file::replace_json(directory.as_fd(), MARKER, &marker, Durability::Lazy)?;
        crash_point!("pull.extracted");
        let layer = Layer { content: found, bytes: marker.bytes, entries: marker.entries };
        if self.expected.is_none() && self.layers.find(&layer.content)?.is_some() {
            folder.remove_all(OsStr::new(staging))?;
            return Ok(layer);
        }
        self.layers.publish(staging, self.layers.layers.as_fd(), &directory_name(&layer.content))?;
        crash_point!("pull.layer-published");
        Ok(layer)
    }
}

fn marker_of(content: &Digest, boot: &str, extracted: Extracted) -> LayerMarker {
    let path = TreePath::new;
    LayerMarker {
        content: content.clone(),
        written: Written::Boot(boot.to_owned()),
        bytes: extracted.bytes,
        entries: extracted.entries,
        implied: extracted.implied.into_iter().map(path).collect(),
        links: extracted.links.into_iter().map(|(name, target)| (path(name), path(target))).collect(),
    }
}

const STAGING_PREFIX: &str = ".staging-";
const LOCK_PREFIX: &str = ".lock-";

pub(crate) fn staging_name(name: &str) -> String {
    format!("{STAGING_PREFIX}{name}")
}

fn lock_name(name: &str) -> String {
    format!("{LOCK_PREFIX}{name}")
}

fn directory_name(content: &Digest) -> String {
    format!("{}-{}", content.algorithm().name(), content.hex())
}

fn is_linked(folder: BorrowedFd<'_>, name: &str, lock: &Lock) -> Result<bool> {
    let own = rustix::fs::fstat(lock).context("stat a lock")?;
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(status) => Ok((status.st_dev, status.st_ino) == (own.st_dev, own.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno).context("stat a lock"),
    }
}

pub(crate) fn open_tree(folder: BorrowedFd<'_>, name: &str) -> Result<Tree> {
    let directory = file::open_directory_at(folder, name)?;
    Ok(Tree::new(file::open_directory_at(directory.as_fd(), TREE)?))
}

/// `None` where it is missing or not in the expected form: both are made again.
pub(crate) fn read_marker<T: serde::de::DeserializeOwned>(folder: BorrowedFd<'_>, name: &str) -> Result<Option<T>> {
    let value = read_value(folder, name)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

fn read_value(folder: BorrowedFd<'_>, name: &str) -> Result<Option<serde_json::Value>> {
    match file::open_directory_at(folder, name) {
        Ok(directory) => match file::read_json(directory.as_fd(), MARKER) {
            // A power cut leaves such files.
            Err(error) if error.kind() == base::Kind::Corrupt => Ok(None),
            result => result,
        },
        Err(error) if error.errno() == Some(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}
