//! Lists volumes.

use base::Result;

use super::VolumeRecord;
use crate::caller::Operation;
use crate::containers::{Filter, filter};
use crate::{Caller, Engine};

/// The keys of a list.
const KEYS: &[&str] = &["name", "driver", "label", "dangling"];

impl Engine {
    /// Lists volumes by name. Keys of the filter: `name`, `driver`, `label`, `dangling`.
    ///
    /// # Errors
    /// `Invalid` for an unknown filter.
    pub fn list_volumes(&self, caller: &Caller, filter: &Filter) -> Result<Vec<VolumeRecord>> {
        caller.permit(Operation::Read, "list volumes")?;
        filter.check_keys(KEYS)?;
        let dangling = filter.truth("dangling")?;
        let names = filter::patterns(filter.get("name"))?;
        let mut volumes = self.all_volumes()?;
        volumes.retain(|volume| {
            let (drivers, labels) = (filter.get("driver"), &volume.labels);
            (names.is_empty() || names.iter().any(|pattern| pattern.is_match(&volume.name)))
                && (drivers.is_empty() || drivers.contains(&volume.driver))
                && filter.labels_pass(labels)
        });
        if let Some(dangling) = dangling {
            let users = self.volumes_in_use()?;
            volumes.retain(|volume| users.contains_key(&volume.name) != dangling);
        }
        Ok(volumes)
    }
}
