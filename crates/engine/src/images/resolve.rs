//! Which image a name, an id or the beginning of one means, and where the files of its layers are.
//!
//! A layer whose files do not count any more (a power cut may have taken a part of them) is extracted again from its blob before it is used.

use std::path::PathBuf;
use std::time::Duration;

use base::digest::Digest;
use base::{Context, Error, Kind, Result};
use image::{Store, Target};
use oci::config::{CONFIG_LIMIT_BYTES, ImageConfig};
use oci::manifest::{DOCUMENT_LIMIT_BYTES, Document, Manifest};
use snapshot::{Begin, Layers, Limits};

use crate::Engine;

/// Who waits for somebody else's extraction looks again after this time.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A local image, found.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedImage {
    /// Digest of its configuration.
    pub(crate) id: Digest,
    /// Digest of its manifest.
    pub(crate) manifest: Digest,
    /// Its configuration.
    pub(crate) config: ImageConfig,
    /// Layers before compression, lowest first.
    pub(crate) layers: Vec<Digest>,
}

impl ResolvedImage {
    /// `linux/amd64` and the like.
    pub(crate) fn platform(&self) -> String {
        let mut text = format!("{}/{}", self.config.os, self.config.architecture);
        if !self.config.variant.is_empty() {
            text.push('/');
            text.push_str(&self.config.variant);
        }
        text
    }
}

impl Engine {
    /// The image that `name` means.
    ///
    /// # Errors
    /// `NotFound` in Docker's words; `Corrupt` where its configuration is damaged.
    pub(crate) fn resolve_image(&self, name: &str) -> Result<ResolvedImage> {
        let store = self.image_store()?;
        let target = store.resolve(name)?;
        let config = read_config(&store, &target.config)?;
        let layers = config.rootfs.diff_ids.clone();
        Ok(ResolvedImage { id: target.config, manifest: target.manifest.digest, config, layers })
    }

    /// The id of the image that `name` means.
    pub(crate) fn identify_image(&self, name: &str) -> Result<Digest> {
        Ok(self.image_store()?.resolve(name)?.config)
    }

    /// Keeps every image from being collected until the guard is dropped; for moments.
    ///
    /// Whoever writes a container's record resolves its image under this guard: a collection knows of the container only from its record.
    pub(crate) fn keep_images(&self) -> Result<image::Shared> {
        self.image_store()?.share()
    }

    /// Bytes of the extracted files of these layers.
    pub(crate) fn image_size(&self, layers: &[Digest]) -> Result<u64> {
        let extracted = self.extracted_layers()?;
        let mut bytes = 0;
        for content in layers {
            bytes += extracted.find(content)?.map_or(0, |layer| layer.bytes);
        }
        Ok(bytes)
    }

    /// The directories of these layers, top first; layers whose files are missing are extracted again.
    ///
    /// # Errors
    /// `NotFound` where neither the files of a layer are here nor its blob.
    pub(crate) fn lower_directories(&self, layers: &[Digest]) -> Result<Vec<PathBuf>> {
        let extracted = self.extracted_layers()?;
        let missing = extracted.missing(layers)?;
        if !missing.is_empty() {
            let store = self.image_store()?;
            for content in &missing {
                let blob = self.blob_of(&store, content)?;
                extract_again(&store, &extracted, content, &blob)?;
            }
        }
        extracted.plan(layers)
    }

    /// The directories of these layers as they are, top first, for show: nothing is made that is missing.
    pub(crate) fn shown_directories(&self, layers: &[Digest]) -> Result<Vec<PathBuf>> {
        self.extracted_layers()?.paths(layers)
    }

    /// How many images there are.
    pub(crate) fn count_images(&self) -> Result<u64> {
        Ok(self.image_store()?.list()?.len() as u64)
    }

    /// The content store of this root.
    pub(crate) fn image_store(&self) -> Result<Store> {
        Store::open(self.root.directory())
    }

    /// The extracted layers of this root.
    pub(crate) fn extracted_layers(&self) -> Result<Layers> {
        Layers::open(self.root.directory(), self.root.layout.root())
    }

    /// The blob of a layer, by the manifests of all images and of all containers' images.
    fn blob_of(&self, store: &Store, content: &Digest) -> Result<Digest> {
        let mut manifests: Vec<Digest> = store.list()?.into_iter().map(|image| image.target.manifest.digest).collect();
        manifests.extend(self.images_of_containers()?.into_iter().map(|image| image.manifest));
        for digest in manifests {
            // Another image may be damaged or half gone without harm to this one.
            let Ok((manifest, config)) = read_image(store, &digest) else { continue };
            let position = config.rootfs.diff_ids.iter().position(|own| own == content);
            if let Some(layer) = position.and_then(|at| manifest.layers.get(at))
                && store.blob_size(&layer.digest)?.is_some()
            {
                return Ok(layer.digest.clone());
            }
        }
        Err(Error::not_found(format!("the files of layer {} are gone: pull its image again", content.short())))
    }

    /// What every container was made from, with one that is not whole left out.
    pub(crate) fn images_of_containers(&self) -> Result<Vec<crate::containers::record::ImageRecord>> {
        let mut images = Vec::new();
        for id in self.root.container_ids()? {
            images.extend(self.root.load(&id)?.map(|container| container.record.image));
        }
        Ok(images)
    }
}

/// The configuration of an image.
pub(super) fn read_config(store: &Store, id: &Digest) -> Result<ImageConfig> {
    let read = store.read_blob(id, CONFIG_LIMIT_BYTES).and_then(|bytes| ImageConfig::parse(&bytes));
    read.map_err(|error| error.context(format!("configuration of image {}", id.short())))
}

/// The manifest and the configuration of an image, by its manifest.
pub(super) fn read_image(store: &Store, manifest: &Digest) -> Result<(Manifest, ImageConfig)> {
    let bytes = store.read_blob(manifest, DOCUMENT_LIMIT_BYTES)?;
    let Document::Manifest(manifest) = oci::manifest::parse("", &bytes)? else {
        return Err(Error::corrupt(format!("{} is no manifest of one image", manifest.short())));
    };
    let config = read_config(store, &manifest.config.digest)?;
    Ok((manifest, config))
}

/// The names of an image as people read them: those by tag, and those by digest.
pub(super) fn familiar_names(image: &image::Image) -> (Vec<String>, Vec<String>) {
    let references = image.names.iter().map(|name| &name.reference);
    let (digests, tags): (Vec<_>, Vec<_>) = references.partition(|reference| reference.digest().is_some());
    let familiar = |references: Vec<&oci::reference::Reference>| {
        references.into_iter().map(oci::reference::Reference::familiar).collect()
    };
    (familiar(tags), familiar(digests))
}

/// Extracts a layer from its blob, or waits for whoever does.
pub(super) fn extract_again(store: &Store, layers: &Layers, content: &Digest, blob: &Digest) -> Result<()> {
    loop {
        match layers.begin(content)? {
            Begin::Present(_) => return Ok(()),
            Begin::Busy => std::thread::sleep(LOOK_AGAIN),
            Begin::Extraction(extraction) => {
                let mut archive = store.open_blob(blob).context("extract a layer again")?;
                return match extraction.apply(&mut archive, &Limits::default()) {
                    Ok(_) => Ok(()),
                    Err(error) if error.kind() == Kind::Corrupt => Err(error.context(format!(
                        "blob {} is damaged on disk: remove its image and pull it again",
                        blob.short()
                    ))),
                    Err(error) => Err(error),
                };
            }
        }
    }
}

/// What a name means once its documents are stored.
pub(super) fn target_of(config: Digest, manifest: oci::manifest::Descriptor) -> Target {
    Target { config, manifest, indexes: Vec::new() }
}
