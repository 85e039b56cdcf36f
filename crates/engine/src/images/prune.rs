//! Removes images that nothing uses.

use base::Result;

use super::remove::RemovedImage;
use crate::containers::Filter;
use crate::{Caller, Engine};

/// What a prune removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunedImages {
    /// Names, images and layers.
    pub removed: Vec<RemovedImage>,
    /// Bytes.
    pub reclaimed_bytes: u64,
}

impl Engine {
    /// Removes dangling images, or with the filter `dangling=false` all that no container uses.
    ///
    /// # Errors
    /// `Invalid` for an unknown filter.
    pub fn prune_images(&self, caller: &Caller, filter: &Filter) -> Result<PrunedImages> {
        let _ = (caller, filter);
        todo!()
    }
}
