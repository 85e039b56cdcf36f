//! Removes a name of an image, and with the last one the image.

use base::Result;

use crate::{Caller, Engine};

/// How to remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoveImageRequest {
    /// Also an image with several names (by id), or one that stopped containers use.
    pub force: bool,
}

/// One thing that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovedImage {
    /// A name.
    Untagged(String),
    /// An image or a layer, by digest.
    Deleted(String),
}

impl Engine {
    /// Removes an image by name or id.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when containers use it or it has several names.
    pub fn remove_image(&self, caller: &Caller, name: &str, request: RemoveImageRequest) -> Result<Vec<RemovedImage>> {
        let _ = (caller, name, request);
        todo!()
    }
}
