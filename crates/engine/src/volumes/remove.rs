//! Removes a volume with its files.

use std::os::fd::AsFd;

use base::lock::Sharing;
use base::tree::Tree;
use base::{Context, Error, Result, crash_point, file};
use rustix::io::Errno;

use super::record::no_such;
use crate::caller::Operation;
use crate::mounts::Planned;
use crate::{Caller, Engine};

/// How to remove a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoveVolumeRequest {
    /// A missing one is no error.
    pub force: bool,
}

impl Engine {
    /// Removes a volume; with `force`, a missing one is no error.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when a container uses it.
    pub fn remove_volume(&self, caller: &Caller, name: &str, request: RemoveVolumeRequest) -> Result<()> {
        caller.permit(Operation::Change, "remove a volume")?;
        let _lock = self.lock_volumes(Sharing::Exclusive)?;
        if self.find_volume(name)?.is_none() {
            return if request.force { Ok(()) } else { Err(no_such(name)) };
        }
        if let Some(users) = self.volumes_in_use()?.get(name) {
            let users: Vec<&str> = users.iter().map(String::as_str).collect();
            return Err(Error::conflict(format!("remove {name}: volume is in use - [{}]", users.join(", "))));
        }
        self.discard_volume(name)
    }

    /// Removes those volumes of a container that nobody named and no other container uses.
    ///
    /// For who removes a container with its volumes, after its record is gone.
    pub(crate) fn remove_anonymous_volumes(&self, mounts: &[Planned]) -> Result<()> {
        let names: Vec<&str> = mounts.iter().filter_map(Planned::anonymous_volume).collect();
        if names.is_empty() {
            return Ok(());
        }
        let _lock = self.lock_volumes(Sharing::Exclusive)?;
        let users = self.volumes_in_use()?;
        let mut failure = None;
        for name in names.into_iter().filter(|name| !users.contains_key(*name)) {
            if self.find_volume(name)?.is_some_and(|volume| volume.anonymous)
                && let Err(error) = self.discard_volume(name)
            {
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Removes a volume that is not in use; only under the exclusive lock.
    pub(super) fn discard_volume(&self, name: &str) -> Result<()> {
        let folder = self.volumes_folder()?;
        let aside = file::temporary_name("removed");
        match rustix::fs::renameat(folder.as_fd(), name, folder.as_fd(), &aside) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno).with_context(|| format!("remove volume {name}")),
        }
        crash_point!("volume.put-aside");
        let tree = Tree::new(folder);
        tree.remove_all(aside.as_ref()).with_context(|| format!("remove volume {name}"))?;
        sweep(&tree)?;
        self.record_event("volume", "destroy", name, [("driver".to_owned(), "local".to_owned())].into());
        Ok(())
    }
}

/// Removes what crashes left of volumes that were being made or removed.
fn sweep(folder: &Tree) -> Result<()> {
    for (name, _) in folder.entries()? {
        let is_left = |name: &str| name.starts_with(".volume.") || name.starts_with(".removed.");
        if name.to_str().is_some_and(is_left) {
            folder.remove_all(&name)?;
        }
    }
    Ok(())
}
