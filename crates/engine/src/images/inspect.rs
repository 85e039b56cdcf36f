//! Shows everything of one image.

use std::collections::BTreeMap;

use base::Result;
use base::digest::Digest;
use base::time::Timestamp;
use oci::config::ImageConfig;
use oci::manifest::Descriptor;

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
        let _ = (caller, name);
        todo!()
    }
}
