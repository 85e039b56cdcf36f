//! How bytes become blobs: written aside, synced, verified, then linked in under their digest.

use crate::Store;
use base::digest::{Algorithm, Digest, Hasher};
use base::{Context, Error, Result, crash_point};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};

/// What is there when a blob is wanted.
#[derive(Debug)]
pub enum Ingest {
    /// It is in the store, with this length in bytes.
    Present(u64),
    /// It is not, and this is the file to complete, which may hold the beginning from an earlier attempt.
    Partial(Partial),
    /// Somebody else is completing it: ask again later.
    Busy,
}

/// A blob that is being completed. Its lock is held; dropping it keeps the bytes for the next attempt.
#[derive(Debug)]
pub struct Partial {
    file: File,
    digest: Digest,
    name: String,
}

impl Store {
    /// Begins to complete the blob `digest`, or finds that it is there or that somebody else is at it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn begin(&self, digest: &Digest) -> Result<Ingest> {
        if let Some(size) = self.blob_size(digest)? {
            return Ok(Ingest::Present(size));
        }
        let name = format!("{}-{}", digest.algorithm().name(), digest.hex());
        let Some(lock) = base::lock::Lock::try_acquire(self.downloads()?, &name, base::lock::Sharing::Exclusive)?
        else {
            return Ok(Ingest::Busy);
        };
        let file = File::from(std::os::fd::OwnedFd::from(lock));
        // Between the opening and the lock, the file may have become the blob.
        if let Some(size) = self.blob_size(digest)? {
            if self.is_linked(&file, &name)? {
                base::file::remove(self.downloads()?, &name)?;
            }
            return Ok(Ingest::Present(size));
        }
        if !self.is_linked(&file, &name)? {
            return Ok(Ingest::Busy);
        }
        Ok(Ingest::Partial(Partial { file, digest: digest.clone(), name }))
    }

    fn is_linked(&self, file: &File, name: &str) -> Result<bool> {
        let own = rustix::fs::fstat(file).context("stat a partial download")?;
        match rustix::fs::statat(self.downloads()?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => Ok((status.st_dev, status.st_ino) == (own.st_dev, own.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno).context("stat a partial download"),
        }
    }

    /// Links a completed blob in. `found` is the digest that its writer computed over *all* bytes of the file.
    ///
    /// The bytes are synced before they get their name, so that a blob which exists is whole, power cuts included.
    ///
    /// # Errors
    /// [`Corrupt`](base::Kind::Corrupt) when it is not the wanted one: the partial file is emptied then.
    pub fn publish(&self, partial: Partial, found: &Digest) -> Result<u64> {
        let Partial { file, digest, name } = partial;
        if *found != digest {
            file.set_len(0).context("empty a partial download")?;
            return Err(Error::corrupt(format!("blob {digest}: the bytes that came have digest {found}")));
        }
        file.sync_data().with_context(|| format!("sync blob {digest}"))?;
        let size = file.metadata().with_context(|| format!("stat blob {digest}"))?.len();
        crash_point!("pull.blob-synced");
        let folder = self.blobs(digest.algorithm())?;
        match rustix::fs::renameat_with(self.downloads()?, &name, folder, digest.hex(), RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => base::file::remove(self.downloads()?, &name)?,
            Err(errno) => return Err(errno).with_context(|| format!("link in blob {digest}")),
        }
        rustix::fs::fsync(folder).with_context(|| format!("sync the folder of blob {digest}"))?;
        crash_point!("pull.blob-linked");
        Ok(size)
    }

    /// A blob whose digest is known only at its end.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn writer(&self) -> Result<Writer<'_>> {
        let folder = self.blobs(Algorithm::Sha256)?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = rustix::fs::openat(folder, ".", flags, Mode::from_raw_mode(0o600)).context("make a blob")?;
        Ok(Writer { store: self, file: File::from(file), hasher: Hasher::new(Algorithm::Sha256), size: 0 })
    }

    /// Stores a document of our own or one that was read whole.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn write_blob(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::sha256(bytes);
        if self.blob_size(&digest)?.is_none() {
            let mut writer = self.writer()?;
            writer.write_all(bytes).with_context(|| format!("write blob {digest}"))?;
            writer.finish()?;
        }
        Ok(digest)
    }
}

impl Partial {
    /// The file, open for reading and writing, at any offset.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The digest that it is to have.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// Writes a blob whose digest is known only at its end. Without [`Writer::finish`], nothing stays.
#[derive(Debug)]
pub struct Writer<'a> {
    store: &'a Store,
    file: File,
    hasher: Hasher,
    size: u64,
}

impl Writer<'_> {
    /// Syncs the bytes and links them in; returns their digest and number.
    ///
    /// # Errors
    /// When they cannot be synced or linked in.
    pub fn finish(self) -> Result<(Digest, u64)> {
        let digest = self.hasher.finish();
        self.file.sync_data().with_context(|| format!("sync blob {digest}"))?;
        let folder = self.store.blobs(Algorithm::Sha256)?;
        let source = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        match rustix::fs::linkat(rustix::fs::CWD, source, folder, digest.hex(), AtFlags::SYMLINK_FOLLOW) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno).with_context(|| format!("link in blob {digest}")),
        }
        rustix::fs::fsync(folder.as_fd()).with_context(|| format!("sync the folder of blob {digest}"))?;
        Ok((digest, self.size))
    }
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
