//! What is reached from names, containers and leases; the rest goes.

use crate::Store;
use crate::store::{Exclusive, names_in};
use base::digest::{Algorithm, Digest};
use base::lock::Lock;
use base::{Context, Kind, Result, file};
use oci::config::{CONFIG_LIMIT_BYTES, ImageConfig};
use oci::manifest::{DOCUMENT_LIMIT_BYTES, Document};
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::collections::BTreeSet;

/// What an interrupted download left is worth resuming for so long.
const PARTIAL_SECONDS: i64 = 24 * 60 * 60;

/// What containers use, whatever names say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InUse {
    /// Manifests of their images.
    pub manifests: Vec<Digest>,
    /// Layers of their file systems, by the digest of the archive.
    pub layers: Vec<Digest>,
}

/// What a collection did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs that were removed.
    pub removed: Vec<Digest>,
    /// Their bytes, partial downloads included.
    pub bytes: u64,
    /// Layers that are still needed, by the digest of their archive: all others may go.
    pub layers: BTreeSet<Digest>,
}

#[derive(Debug, Default)]
struct Reached {
    blobs: BTreeSet<Digest>,
    layers: BTreeSet<Digest>,
}

impl Exclusive<'_> {
    /// Removes every blob that no name, no container and no lease reaches.
    ///
    /// The guard must be kept until the layers that are not needed are gone too.
    ///
    /// # Errors
    /// [`Corrupt`](base::Kind::Corrupt) when an image's documents are damaged: nothing is removed then, since what it needs is unknown.
    pub fn collect(&self, in_use: &InUse) -> Result<Collected> {
        let store = self.store;
        let mut reached = Reached::default();
        for record in store.records()? {
            reached.blobs.extend(record.target.indexes.iter().map(|index| index.digest.clone()));
            reached.blobs.insert(record.target.config.clone());
            reached.manifest(store, &record.target.manifest.digest).map_err(|error| {
                error.context(format!("image {}: remove it by this id", record.target.config.short()))
            })?;
        }
        for manifest in &in_use.manifests {
            reached.manifest(store, manifest)?;
        }
        reached.layers.extend(in_use.layers.iter().cloned());
        let leased = store.leased()?;
        reached.blobs.extend(leased.iter().cloned());
        reached.layers.extend(leased);
        let mut collected = Collected { layers: reached.layers, ..Collected::default() };
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            sweep(store, algorithm, &reached.blobs, &mut collected)?;
        }
        collected.bytes += sweep_downloads(store)?;
        Ok(collected)
    }
}

impl Reached {
    fn manifest(&mut self, store: &Store, digest: &Digest) -> Result<()> {
        if !self.blobs.insert(digest.clone()) {
            return Ok(());
        }
        let Some(bytes) = present(store.read_blob(digest, DOCUMENT_LIMIT_BYTES))? else { return Ok(()) };
        let Document::Manifest(manifest) = oci::manifest::parse("", &bytes)? else { return Ok(()) };
        self.blobs.extend(manifest.layers.into_iter().map(|layer| layer.digest));
        self.blobs.insert(manifest.config.digest.clone());
        let Some(bytes) = present(store.read_blob(&manifest.config.digest, CONFIG_LIMIT_BYTES))? else { return Ok(()) };
        self.layers.extend(ImageConfig::parse(&bytes)?.rootfs.diff_ids);
        Ok(())
    }
}

// What is missing leads nowhere; what is damaged might.
fn present(read: Result<Vec<u8>>) -> Result<Option<Vec<u8>>> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn sweep(store: &Store, algorithm: Algorithm, reached: &BTreeSet<Digest>, collected: &mut Collected) -> Result<()> {
    let folder = store.blobs(algorithm)?;
    for name in names_in(folder)? {
        let Ok(digest) = format!("{}:{name}", algorithm.name()).parse::<Digest>() else { continue };
        if reached.contains(&digest) {
            continue;
        }
        let size = store.blob_size(&digest)?.unwrap_or(0);
        file::remove(folder, &name)?;
        collected.bytes += size;
        collected.removed.push(digest);
    }
    Ok(())
}

fn sweep_downloads(store: &Store) -> Result<u64> {
    let folder = store.downloads()?;
    let now = base::time::Timestamp::now().unix_seconds();
    let mut bytes = 0;
    for name in names_in(folder)? {
        let status = match rustix::fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => status,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno).context("stat a partial download"),
        };
        if now - status.st_mtime > PARTIAL_SECONDS && !Lock::is_held(folder, &name)? {
            file::remove(folder, &name)?;
            bytes += u64::try_from(status.st_size).unwrap_or(0);
        }
    }
    Ok(bytes)
}
