//! Shows everything of one image.

use std::collections::BTreeMap;

use base::Result;
use base::digest::Digest;
use base::time::Timestamp;
use oci::config::ImageConfig;
use oci::manifest::Descriptor;

use super::resolve::{familiar_names, read_config};
use crate::caller::Operation;
use crate::{Caller, Engine};

/// Everything of one image.
#[derive(Clone, Debug)]
pub struct ImageDetails {
    /// The digest of its configuration.
    pub id: Digest,
    /// Its manifest.
    pub manifest: Descriptor,
    /// `alpine:3.20`.
    pub tags: Vec<String>,
    /// `alpine@sha256:…`.
    pub repository_digests: Vec<String>,
    /// As published.
    pub config: ImageConfig,
    /// Bytes of its extracted files.
    pub size: u64,
    /// `overlay`.
    pub storage_driver: &'static str,
    /// Lower directories.
    pub storage: BTreeMap<String, String>,
    /// When a name of it was last set here; zero: unknown.
    pub last_tagged: Timestamp,
}

impl Engine {
    /// Shows an image, by name, id or prefix.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn inspect_image(&self, caller: &Caller, name: &str) -> Result<ImageDetails> {
        caller.permit(Operation::Read, &format!("inspect image {name}"))?;
        let store = self.image_store()?;
        let image = store.find(name)?;
        let config = read_config(&store, &image.id)?;
        let layers = &config.rootfs.diff_ids;
        let (tags, repository_digests) = familiar_names(&image);
        Ok(ImageDetails {
            size: self.image_size(layers)?,
            storage_driver: "overlay",
            storage: self.storage_of(layers)?,
            last_tagged: image.names.iter().map(|name| name.set).max().unwrap_or(Timestamp::ZERO),
            id: image.id,
            manifest: image.target.manifest,
            tags,
            repository_digests,
            config,
        })
    }

    /// Where the layers are, as Docker's overlay driver names them: the topmost apart from those below it.
    fn storage_of(&self, layers: &[Digest]) -> Result<BTreeMap<String, String>> {
        let paths = self.shown_directories(layers)?;
        let paths: Vec<String> = paths.into_iter().map(|path| path.display().to_string()).collect();
        let mut storage = BTreeMap::new();
        if let Some((top, below)) = paths.split_first() {
            storage.insert("UpperDir".to_owned(), top.clone());
            if !below.is_empty() {
                storage.insert("LowerDir".to_owned(), below.join(":"));
            }
        }
        Ok(storage)
    }
}
