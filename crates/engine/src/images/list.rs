//! Lists images.

use std::collections::BTreeMap;

use base::Result;
use base::digest::Digest;
use base::time::Timestamp;

use crate::containers::Filter;
use crate::{Caller, Engine};

/// Which images to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageListRequest {
    /// Keys: `reference`, `dangling`, `before`, `since`, `label`, `until`.
    pub filter: Filter,
}

/// One image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSummary {
    /// The digest of its configuration.
    pub id: Digest,
    /// `alpine:3.20`; empty: dangling.
    pub tags: Vec<String>,
    /// `alpine@sha256:…`.
    pub repository_digests: Vec<String>,
    /// From its configuration; zero where that does not say.
    pub created: Timestamp,
    /// Bytes of its extracted files.
    pub size: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// How many containers are made from it.
    pub containers: u64,
}

impl Engine {
    /// Lists images, the newest first.
    ///
    /// # Errors
    /// `Invalid` for an unknown filter.
    pub fn list_images(&self, caller: &Caller, request: &ImageListRequest) -> Result<Vec<ImageSummary>> {
        let _ = (caller, request);
        todo!()
    }
}
