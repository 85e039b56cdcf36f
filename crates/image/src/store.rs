//! The store's folders and its lock.

use base::digest::{Algorithm, Digest};
use base::file;
use base::lock::{Lock, Sharing};
use base::{Context, Error, Kind, Result};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

const BLOBS: &str = "blobs";
const DOWNLOADS: &str = "downloads";
const IMAGES: &str = "images";
const LEASES: &str = "leases";
/// For foreign tools.
pub(crate) const INDEX: &str = "index.json";
/// Says that it is an OCI image layout.
pub(crate) const OCI_LAYOUT: &str = "oci-layout";
const LOCK: &str = ".lock";

/// What the store keeps in a state root.
pub const ROOT_NAMES: &[&str] = &[BLOBS, DOWNLOADS, IMAGES, LEASES, INDEX, OCI_LAYOUT];

/// The content store of a state root.
///
/// Reading takes no lock. Its folders are made when they are first needed.
#[derive(Debug)]
pub struct Store {
    root: OwnedFd,
    sha256: OnceLock<OwnedFd>,
    sha512: OnceLock<OwnedFd>,
    downloads: OnceLock<OwnedFd>,
    images: OnceLock<OwnedFd>,
    leases: OnceLock<OwnedFd>,
}

/// Nothing is collected while it is held. Many may hold it; it is meant for moments.
#[derive(Debug)]
pub struct Shared {
    _lock: Lock,
}

/// Nobody else changes names or collects while it is held; the operations that do so are its methods.
///
/// Whoever holds a [`Shared`] of the same store and asks for this waits for itself.
#[derive(Debug)]
pub struct Exclusive<'a> {
    pub(crate) store: &'a Store,
    _lock: Lock,
}

impl Store {
    /// Opens the store of the state root that `root` is open on.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated.
    pub fn open(root: BorrowedFd<'_>) -> Result<Self> {
        let root = root.try_clone_to_owned().context("open the image store")?;
        Ok(Self {
            root,
            sha256: OnceLock::new(),
            sha512: OnceLock::new(),
            downloads: OnceLock::new(),
            images: OnceLock::new(),
            leases: OnceLock::new(),
        })
    }

    /// Keeps collections away until the guard is dropped.
    ///
    /// # Errors
    /// When the lock cannot be taken.
    pub fn share(&self) -> Result<Shared> {
        Ok(Shared { _lock: Lock::acquire(self.images()?, LOCK, Sharing::Shared)? })
    }

    /// Waits until nobody else uses the store's lock and holds it.
    ///
    /// # Errors
    /// When the lock cannot be taken.
    pub fn exclusive(&self) -> Result<Exclusive<'_>> {
        Ok(Exclusive { store: self, _lock: Lock::acquire(self.images()?, LOCK, Sharing::Exclusive)? })
    }

    /// The length of a blob in bytes; `None` where it is not in the store.
    ///
    /// # Errors
    /// When the folder cannot be searched.
    pub fn blob_size(&self, digest: &Digest) -> Result<Option<u64>> {
        match rustix::fs::statat(self.blobs(digest.algorithm())?, digest.hex(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => Ok(Some(u64::try_from(status.st_size).unwrap_or(0))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno).with_context(|| format!("stat blob {digest}")),
        }
    }

    /// Opens a blob for reading. Its content was verified when it was linked in.
    ///
    /// # Errors
    /// [`NotFound`](base::Kind::NotFound).
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::openat(self.blobs(digest.algorithm())?, digest.hex(), flags, Mode::empty()) {
            Ok(file) => Ok(File::from(file)),
            Err(Errno::NOENT) => Err(missing(digest)),
            Err(errno) => Err(errno).with_context(|| format!("open blob {digest}")),
        }
    }

    /// Reads a whole blob of at most `limit` bytes and verifies it once more: a disk may have lied since.
    ///
    /// # Errors
    /// [`NotFound`](base::Kind::NotFound); [`Corrupt`](base::Kind::Corrupt) for a longer or a damaged one.
    pub fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let bytes = file::read_bounded(self.blobs(digest.algorithm())?, digest.hex(), limit)?;
        let bytes = bytes.ok_or_else(|| missing(digest))?;
        let mut hasher = base::digest::Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        if hasher.finish() != *digest {
            return Err(Error::corrupt(format!(
                "blob {digest} is damaged on disk: remove its image and pull it again"
            )));
        }
        Ok(bytes)
    }

    /// Reads a blob once more from its beginning to its end and removes it where it is not what its name says; whether it did.
    ///
    /// For whoever found that its content cannot be right, and can bring it again.
    ///
    /// # Errors
    /// When it cannot be read or removed.
    pub fn discard_if_damaged(&self, digest: &Digest) -> Result<bool> {
        let mut file = match self.open_blob(digest) {
            Ok(file) => file,
            Err(error) if error.kind() == Kind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut hasher = base::digest::Hasher::new(digest.algorithm());
        let mut piece = vec![0; 256 << 10];
        loop {
            match file.read(&mut piece).with_context(|| format!("read blob {digest}"))? {
                0 => break,
                count => hasher.update(&piece[..count]),
            }
        }
        if hasher.finish() == *digest {
            return Ok(false);
        }
        file::remove(self.blobs(digest.algorithm())?, digest.hex())?;
        Ok(true)
    }

    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    pub(crate) fn blobs(&self, algorithm: Algorithm) -> Result<BorrowedFd<'_>> {
        let cell = match algorithm {
            Algorithm::Sha256 => &self.sha256,
            Algorithm::Sha512 => &self.sha512,
        };
        if let Some(folder) = cell.get() {
            return Ok(folder.as_fd());
        }
        let blobs = file::make_directory_at(self.root(), BLOBS, 0o700)?;
        let folder = file::make_directory_at(blobs.as_fd(), algorithm.name(), 0o700)?;
        Ok(cell.get_or_init(|| folder).as_fd())
    }

    pub(crate) fn downloads(&self) -> Result<BorrowedFd<'_>> {
        self.folder(&self.downloads, DOWNLOADS)
    }

    pub(crate) fn images(&self) -> Result<BorrowedFd<'_>> {
        self.folder(&self.images, IMAGES)
    }

    pub(crate) fn leases(&self) -> Result<BorrowedFd<'_>> {
        self.folder(&self.leases, LEASES)
    }

    fn folder<'a>(&'a self, cell: &'a OnceLock<OwnedFd>, name: &str) -> Result<BorrowedFd<'a>> {
        if let Some(folder) = cell.get() {
            return Ok(folder.as_fd());
        }
        let folder = file::make_directory_at(self.root(), name, 0o700)?;
        Ok(cell.get_or_init(|| folder).as_fd())
    }
}

fn missing(digest: &Digest) -> Error {
    Error::not_found(format!("blob {digest} is not in the store: pull its image again"))
}

/// Names in `folder` that do not begin with a dot.
pub(crate) fn names_in(folder: BorrowedFd<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder).context("list a folder of the image store")? {
        let entry = entry.context("list a folder of the image store")?;
        if let Ok(name) = entry.file_name().to_str()
            && !name.starts_with('.')
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
