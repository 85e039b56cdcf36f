//! Makes an image of one layer from a tar archive of a root file system.
//!
//! The archive is stored as it came, compressed or not, and extracted while it comes in. The name is set last; until then a lease keeps what is there.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base::digest::Digest;
use base::time::Timestamp;
use base::{Context, Result, crash_point};
use image::{Lease, Store, Writer};
use oci::config::{History, ImageConfig, RootFs};
use oci::manifest::{Descriptor, Manifest};
use oci::media_type;
use oci::platform::Platform;
use oci::reference::Reference;
use snapshot::Limits;

use super::changes;
use super::parallel::Stop;
use super::resolve::{extract_again, target_of};
use crate::caller::Operation;
use crate::{Caller, Engine, Progress};

/// How to import.
#[derive(Clone, Debug, Default)]
pub struct ImportRequest {
    /// The name to give; `None`: none.
    pub reference: Option<Reference>,
    /// Said of the layer in the history.
    pub message: String,
    /// Dockerfile instructions that shape the configuration: `CMD …`, `ENV …`.
    pub changes: Vec<String>,
    /// Instead of the host's.
    pub platform: Option<Platform>,
}

/// An image that was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The image's id: the digest of its configuration.
    pub id: Digest,
}

impl Engine {
    /// Imports `archive`, plain or compressed.
    ///
    /// # Errors
    /// `Invalid` for a change that is not understood, `Corrupt` for a damaged archive, `Exhausted` for a full disk.
    pub fn import_image(
        &self,
        caller: &Caller,
        request: &ImportRequest,
        archive: &mut (dyn Read + Send),
        progress: &dyn Progress,
    ) -> Result<Imported> {
        caller.permit(Operation::Change, "import an image")?;
        if let Some(reference) = &request.reference {
            super::tag::check_target(reference)?;
        }
        // What cannot be is refused before a byte is read.
        let mut config = configuration(request)?;
        let store = self.image_store()?;
        let lease = store.lease()?;
        let layer = self.import_layer(&store, &lease, &mut Watched { archive, stop: Stop::new(progress) })?;
        config.rootfs = RootFs { kind: "layers".to_owned(), diff_ids: vec![layer.content.clone()] };
        let config = put_document(&store, &lease, media_type::OCI_CONFIG, &config)?;
        crash_point!("import.config-stored");
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(media_type::OCI_MANIFEST.to_owned()),
            config: config.clone(),
            layers: vec![layer.blob],
            annotations: BTreeMap::new(),
        };
        let manifest = put_document(&store, &lease, media_type::OCI_MANIFEST, &manifest)?;
        crash_point!("import.before-name");
        let target = target_of(config.digest.clone(), manifest);
        let exclusive = store.exclusive()?;
        match &request.reference {
            Some(reference) => exclusive.set_name(reference, &target).map(|_| ())?,
            None => exclusive.keep_unnamed(&target)?,
        }
        drop(exclusive);
        crash_point!("import.named");
        let name = request.reference.as_ref().map(Reference::familiar).unwrap_or_default();
        self.record_event("image", "import", &config.digest.to_string(), [("name".to_owned(), name)].into());
        Ok(Imported { id: config.digest })
    }

    /// Stores the archive and extracts it; both are kept by the lease when this returns.
    fn import_layer(&self, store: &Store, lease: &Lease<'_>, archive: &mut Watched<'_>) -> Result<StoredLayer> {
        let layers = self.extracted_layers()?;
        let extraction = layers.begin_unknown()?;
        let mut copied = Copied { archive, writer: store.writer()?, beginning: Vec::new() };
        let content = extraction.apply(&mut copied, &Limits::default())?.content;
        crash_point!("import.extracted");
        let media_type = layer_type(&copied.beginning);
        // The digests are known only now: nothing may be collected between the linking of the blob and its lease.
        let shared = store.share()?;
        let (digest, size) = copied.writer.finish()?;
        crash_point!("import.blob-linked");
        lease.protect(&[digest.clone(), content.clone()])?;
        drop(shared);
        // A collection may have taken the files before the lease named them.
        extract_again(store, &layers, &content, &digest)?;
        Ok(StoredLayer { blob: Descriptor::new(media_type, digest, size), content })
    }
}

/// The one layer of an imported image.
struct StoredLayer {
    blob: Descriptor,
    content: Digest,
}

fn configuration(request: &ImportRequest) -> Result<ImageConfig> {
    let now = Timestamp::now();
    let platform = request.platform.clone().unwrap_or_else(Platform::host);
    let comment = match request.message.as_str() {
        "" => "Imported from -".to_owned(),
        message => message.to_owned(),
    };
    Ok(ImageConfig {
        created: Some(now),
        architecture: platform.architecture,
        os: platform.os,
        variant: platform.variant.unwrap_or_default(),
        config: changes::apply(&request.changes)?,
        history: vec![History { created: Some(now), comment: comment.clone(), ..History::default() }],
        comment,
        ..ImageConfig::default()
    })
}

/// Stores a document of our own, which the lease keeps from before it is there.
fn put_document<T: serde::Serialize>(
    store: &Store,
    lease: &Lease<'_>,
    media_type: &str,
    document: &T,
) -> Result<Descriptor> {
    let bytes = serde_json::to_vec(document).context("write a document of the image")?;
    lease.protect(&[Digest::sha256(&bytes)])?;
    let digest = store.write_blob(&bytes)?;
    Ok(Descriptor::new(media_type, digest, bytes.len() as u64))
}

/// The media type of a layer whose archive begins so.
fn layer_type(beginning: &[u8]) -> &'static str {
    match beginning {
        [0x1f, 0x8b, ..] => media_type::OCI_LAYER_GZIP,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => media_type::OCI_LAYER_ZSTD,
        _ => media_type::OCI_LAYER,
    }
}

/// An archive that comes in until its client goes away.
struct Watched<'a> {
    archive: &'a mut (dyn Read + Send),
    stop: Stop<'a>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stop.check().map_err(std::io::Error::other)?;
        self.archive.read(buffer)
    }
}

/// Passes an archive on and stores it.
struct Copied<'a, 'b> {
    archive: &'a mut Watched<'b>,
    writer: Writer<'a>,
    /// Its first bytes, which tell how it is compressed.
    beginning: Vec<u8>,
}

impl Read for Copied<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.archive.read(buffer)?;
        self.writer.write_all(&buffer[..count])?;
        let wanted = 4_usize.saturating_sub(self.beginning.len()).min(count);
        self.beginning.extend_from_slice(&buffer[..wanted]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_type() {
        assert_eq!(layer_type(&[0x1f, 0x8b, 8, 0]), media_type::OCI_LAYER_GZIP);
        assert_eq!(layer_type(&[0x28, 0xb5, 0x2f, 0xfd]), media_type::OCI_LAYER_ZSTD);
        assert_eq!(layer_type(b"./"), media_type::OCI_LAYER);
        assert_eq!(layer_type(b""), media_type::OCI_LAYER);
    }
}
