//! Removes all containers that are down.

use base::id::Id;
use base::time::Timestamp;
use base::{Context, Error, Result};
use rustix::fs::AtFlags;

use super::filter::Filter;
use super::record::Locked;
use super::remove::AnonymousVolumes;
use super::size;
use crate::caller::Operation;
use crate::{Caller, Engine, layout};

/// What a prune removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The containers.
    pub removed: Vec<Id>,
    /// Bytes of their writable layers and logs.
    pub reclaimed_bytes: u64,
}

impl Engine {
    /// Removes every container that is created, exited or dead and passes the filter (`label`, `label!`, `until`).
    ///
    /// # Errors
    /// The first failure, after all were tried.
    pub fn prune_containers(&self, caller: &Caller, filter: &Filter) -> Result<Pruned> {
        caller.permit(Operation::Change, "prune containers")?;
        filter.check_keys(&["label", "label!", "until"])?;
        let until = filter.until(Timestamp::now())?;
        self.clear_unfinished()?;
        let mut pruned = Pruned::default();
        let mut failure: Option<Error> = None;
        for id in self.root.container_ids()? {
            match self.prune_one(&id, filter, until) {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    pruned.removed.push(id);
                    pruned.reclaimed_bytes = pruned.reclaimed_bytes.saturating_add(bytes);
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        self.remove_place_of_supervisors()?;
        failure.map_or(Ok(pruned), Err)
    }

    /// Bytes of the container, where it was removed.
    fn prune_one(&self, id: &Id, filter: &Filter, until: Option<Timestamp>) -> Result<Option<u64>> {
        // Without the lock: one that runs is not even touched.
        let Some(container) = self.root.load(id)? else { return Ok(None) };
        let passes = filter.labels_pass(&container.record.settings.labels)
            && until.is_none_or(|until| container.record.created < until);
        if !passes || container.view()?.status.is_alive() {
            return Ok(None);
        }
        let Some(container) = self.root.load_locked(id)? else { return Ok(None) };
        if self.settle(&container)?.is_supervised() {
            return Ok(None);
        }
        // What cannot be counted is removed all the same.
        let bytes = bytes_of(&container).unwrap_or(0);
        self.remove_settled(container, AnonymousVolumes::Keep)?;
        Ok(Some(bytes))
    }
}

fn bytes_of(container: &Locked) -> Result<u64> {
    let mut bytes = size::of_directory(container.directory(), layout::UPPER)?;
    for entry in rustix::fs::Dir::read_from(container.directory()).context("list the container's files")? {
        let entry = entry.context("list the container's files")?;
        let name = entry.file_name();
        let is_log = name.to_bytes() == layout::LOG.as_bytes() || name.to_bytes().starts_with(b"log.");
        if is_log && let Ok(status) = rustix::fs::statat(container.directory(), name, AtFlags::SYMLINK_NOFOLLOW) {
            bytes = bytes.saturating_add(u64::try_from(status.st_size).unwrap_or(0));
        }
    }
    Ok(bytes)
}
