//! Removes volumes that no container uses.

use std::os::fd::AsFd;

use base::Result;
use base::lock::Sharing;

use super::record::DATA;
use crate::caller::Operation;
use crate::containers::Filter;
use crate::{Caller, Engine};

/// What a prune removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunedVolumes {
    /// Their names.
    pub removed: Vec<String>,
    /// Bytes.
    pub reclaimed_bytes: u64,
}

impl Engine {
    /// Removes volumes that no container uses: anonymous ones, or with the filter `all=true` all. Further keys: `label`, `label!`.
    ///
    /// # Errors
    /// `Invalid` for an unknown filter; the first failure to remove, after everything else is gone.
    pub fn prune_volumes(&self, caller: &Caller, filter: &Filter) -> Result<PrunedVolumes> {
        caller.permit(Operation::Change, "prune volumes")?;
        filter.check_keys(&["label", "label!", "all"])?;
        let all = filter.truth("all")?.unwrap_or(false);
        let _lock = self.lock_volumes(Sharing::Exclusive)?;
        let users = self.volumes_in_use()?;
        let mut pruned = PrunedVolumes::default();
        let mut failure = None;
        for volume in self.all_volumes()? {
            if users.contains_key(&volume.name) || !(all || volume.anonymous) || !filter.labels_pass(&volume.labels) {
                continue;
            }
            // What cannot be counted is removed all the same.
            let bytes = self.volume_bytes(&volume.name).unwrap_or(0);
            match self.discard_volume(&volume.name) {
                Ok(()) => {
                    pruned.removed.push(volume.name);
                    pruned.reclaimed_bytes = pruned.reclaimed_bytes.saturating_add(bytes);
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(pruned), Err)
    }

    /// Bytes of a volume's files.
    pub(crate) fn volume_bytes(&self, name: &str) -> Result<u64> {
        match self.volume_directory(name)? {
            Some(directory) => crate::containers::size::of_directory(directory.as_fd(), DATA),
            None => Ok(0),
        }
    }
}
