//! What a pull finds here and leaves here: blobs, layers and names, kept by a lease until a name leads to them.

use std::fs::File;

use base::digest::Digest;
use base::{Kind, Result, crash_point};
use image::{Ingest, Lease, Partial, Store, Target};
use oci::config::CONFIG_LIMIT_BYTES;
use oci::manifest::Descriptor;
use oci::reference::Reference;
use registry::ServedManifest;
use snapshot::Begin;

use super::documents::{Documents, Layer};

/// The local side of one pull.
pub(super) struct Local<'a> {
    pub(super) store: &'a Store,
    pub(super) lease: &'a Lease<'a>,
    pub(super) layers: &'a snapshot::Layers,
}

/// What of a layer is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Presence {
    /// Its bytes as the registry has them.
    pub(super) blob: bool,
    /// Its files.
    pub(super) files: bool,
}

impl Presence {
    pub(super) fn is_complete(self) -> bool {
        self.blob && self.files
    }
}

impl Local<'_> {
    /// Keeps what these layers need, whether it is here yet or not.
    pub(super) fn protect(&self, layers: &[Layer]) -> Result<()> {
        let digests: Vec<Digest> =
            layers.iter().flat_map(|layer| [layer.blob.digest.clone(), layer.content.clone()]).collect();
        self.lease.protect(&digests)
    }

    pub(super) fn presence(&self, layer: &Layer) -> Result<Presence> {
        let size = self.store.blob_size(&layer.blob.digest)?;
        Ok(Presence { blob: size.is_some(), files: self.layers.find(&layer.content)?.is_some() })
    }

    pub(super) fn has_name(&self, reference: &Reference) -> Result<bool> {
        Ok(self.store.named(reference)?.is_some())
    }

    /// A document that is here. A damaged one is not: it is got again.
    pub(super) fn read_document(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        self.lease.protect(std::slice::from_ref(digest))?;
        match self.store.read_blob(digest, CONFIG_LIMIT_BYTES) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) if error.kind() == Kind::Corrupt => {
                self.store.discard_if_damaged(digest)?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Stores a document that has this digest.
    pub(super) fn put_document(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        self.lease.protect(std::slice::from_ref(digest))?;
        loop {
            match self.store.begin(digest)? {
                Ingest::Present(_) => return Ok(()),
                // Documents are small: whoever is at it is done at once.
                Ingest::Busy => std::thread::sleep(std::time::Duration::from_millis(5)),
                Ingest::Partial(partial) => {
                    use base::Context;
                    use std::os::unix::fs::FileExt;
                    partial.file().set_len(0).context("empty a partial document")?;
                    partial.file().write_all_at(bytes, 0).context("write a document")?;
                    return self.store.publish(partial, digest).map(|_| ());
                }
            }
        }
    }

    /// Whether a stored blob was damaged and is gone now.
    pub(super) fn discard_if_damaged(&self, digest: &Digest) -> Result<bool> {
        self.store.discard_if_damaged(digest)
    }

    pub(super) fn open_blob(&self, digest: &Digest) -> Result<File> {
        self.store.open_blob(digest)
    }

    /// The file in which a blob is completed, or what there is in its place.
    pub(super) fn begin(&self, digest: &Digest) -> Result<Ingest> {
        self.store.begin(digest)
    }

    /// Makes a completed file the blob that it is.
    pub(super) fn publish(&self, partial: Partial, found: &Digest) -> Result<()> {
        crash_point!("pull.before-blob");
        self.store.publish(partial, found).map(|_| ())
    }

    /// The extraction of a layer, or what there is in its place.
    pub(super) fn begin_files(&self, layer: &Layer) -> Result<Begin<'_>> {
        self.layers.begin(&layer.content)
    }

    /// Makes the reference mean what was pulled, also under the digest that the registry knows it by. Returns whether anything changed.
    pub(super) fn set_names(&self, reference: &Reference, documents: &Documents) -> Result<bool> {
        let describe = |served: &ServedManifest| {
            Descriptor::new(&served.media_type, served.digest.clone(), served.bytes.len() as u64)
        };
        let (image, indexes) = (documents.image(), &documents.chain[..documents.chain.len() - 1]);
        let target = Target {
            config: documents.manifest.config.digest.clone(),
            manifest: describe(image),
            indexes: indexes.iter().map(describe).collect(),
        };
        let by_digest = reference.with_digest(documents.named().digest.clone());
        let by_tag = reference.tag().filter(|_| reference.digest().is_none());
        let names = [Some(&by_digest), by_tag.map(|_| reference)];
        let mut changed = false;
        let store = self.store.exclusive()?;
        for name in names.into_iter().flatten() {
            if self.store.named(name)?.as_ref() != Some(&target) {
                store.set_name(name, &target)?;
                changed = true;
            }
            crash_point!("pull.after-name");
        }
        Ok(changed)
    }
}
