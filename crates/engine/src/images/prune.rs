//! Removes images that nothing uses.

use base::Result;
use base::time::Timestamp;
use image::Image;

use super::remove::RemovedImage;
use super::resolve::read_config;
use crate::caller::Operation;
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
    /// Removes dangling images, or with the filter `dangling=false` all that no container uses. Further keys: `label`, `label!`, `until`.
    ///
    /// # Errors
    /// `Invalid` for an unknown filter.
    pub fn prune_images(&self, caller: &Caller, filter: &Filter) -> Result<PrunedImages> {
        caller.permit(Operation::Change, "prune images")?;
        filter.check_keys(&["dangling", "label", "label!", "until"])?;
        let dangling_only = filter.truth("dangling")?.unwrap_or(true);
        let until = filter.until(Timestamp::now())?;
        let store = self.image_store()?;
        let exclusive = store.exclusive()?;
        let users = self.image_users()?;
        let mut pruned = PrunedImages::default();
        let mut unused: Vec<Image> = Vec::new();
        for image in store.list()? {
            let is_tagged = image.names.iter().any(|name| name.reference.digest().is_none());
            if (is_tagged && dangling_only) || users.contains_key(&image.id) {
                continue;
            }
            // One that cannot be read says nothing of itself: it goes where nothing is asked of it.
            let config = read_config(&store, &image.id).unwrap_or_default();
            let is_new = until.is_some_and(|until| config.created.is_none_or(|created| created >= until));
            if is_new || !filter.labels_pass(&config.config.labels) {
                continue;
            }
            let names: Vec<_> = image.names.iter().map(|name| name.reference.clone()).collect();
            pruned.removed.extend(self.untag(&exclusive, &image, &names)?);
            unused.push(image);
        }
        let (removed, bytes) = self.delete(&exclusive, &unused)?;
        pruned.removed.extend(removed);
        pruned.reclaimed_bytes = bytes;
        Ok(pruned)
    }
}
