//! Makes an image of one layer from a tar archive of a root file system.

use std::io::Read;

use base::Result;
use base::digest::Digest;
use oci::platform::Platform;
use oci::reference::Reference;

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
        let _ = (caller, request, archive, progress);
        todo!()
    }
}
