//! Removes what no image, no container and no unfinished operation needs.

use std::collections::BTreeSet;

use base::digest::Digest;
use base::{Result, crash_point};
use image::{Exclusive, InUse};

use crate::Engine;

/// What a collection removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Collected {
    /// Layers whose files are gone, by the digest of their archives.
    pub(super) layers: BTreeSet<Digest>,
    /// Bytes of blobs, partial downloads and files of layers.
    pub(super) bytes: u64,
}

impl Engine {
    /// Removes every blob and every layer that is not reached. Nobody else changes names, makes containers or begins to use a layer meanwhile.
    ///
    /// # Errors
    /// `Corrupt` when it cannot be told what an image or a container needs: nothing is removed then.
    pub(super) fn collect(&self, exclusive: &Exclusive<'_>) -> Result<Collected> {
        let mut in_use = InUse::default();
        for image in self.images_of_containers()? {
            in_use.manifests.push(image.manifest);
            in_use.layers.extend(image.layers);
        }
        let blobs = exclusive.collect(&in_use)?;
        crash_point!("collect.blobs-removed");
        let layers = self.extracted_layers()?.collect(&blobs.layers)?;
        crash_point!("collect.layers-removed");
        Ok(Collected { layers: layers.removed.into_iter().collect(), bytes: blobs.bytes + layers.bytes })
    }

    /// Lets everything that was extracted in this boot count after a power cut too, which may take seconds.
    ///
    /// For the background and for a shutdown: without it, the layers are extracted from their blobs once more when they are next used.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn settle_layers(&self) -> Result<()> {
        self.extracted_layers()?.settle()
    }
}
