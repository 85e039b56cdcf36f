//! Which image a name, an id or the beginning of one means.

use base::Result;
use base::digest::Digest;
use oci::config::ImageConfig;

use crate::Engine;

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
    /// `NotFound` in Docker's words.
    pub(crate) fn resolve_image(&self, name: &str) -> Result<ResolvedImage> {
        let _ = name;
        todo!()
    }
}

impl Engine {
    /// The id of the image that `name` means.
    pub(crate) fn identify_image(&self, name: &str) -> Result<Digest> {
        Ok(self.resolve_image(name)?.id)
    }

    /// Bytes of the extracted files of these layers.
    pub(crate) fn image_size(&self, layers: &[Digest]) -> Result<u64> {
        let _ = layers;
        todo!("needs snapshot")
    }

    /// The directories of these layers, top first.
    pub(crate) fn lower_directories(&self, layers: &[Digest]) -> Result<Vec<std::path::PathBuf>> {
        let _ = layers;
        todo!("needs snapshot")
    }

    /// How many images there are.
    pub(crate) fn count_images(&self) -> Result<u64> {
        todo!("needs image")
    }
}
