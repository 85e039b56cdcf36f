//! Gives a container another name.

use std::os::fd::BorrowedFd;

use base::{Error, Result, crash_point};
use supervisor::client::Client;

use super::unfinished::{self, Work};
use crate::caller::Operation;
use crate::{Caller, Engine, names};

impl Engine {
    /// Renames a container in any state.
    ///
    /// # Errors
    /// `Invalid` for a malformed name, `Conflict` for one in use.
    pub fn rename_container(&self, caller: &Caller, name: &str, new_name: &str) -> Result<()> {
        caller.permit(Operation::Change, &format!("rename {name}"))?;
        let new_name = new_name.strip_prefix('/').unwrap_or(new_name);
        if new_name.is_empty() || name.is_empty() {
            return Err(Error::invalid("Neither old nor new names may be empty"));
        }
        names::check(new_name)?;
        let mut container = self.lock_container(name)?;
        let old_name = container.name().to_owned();
        if old_name == new_name {
            return Err(Error::invalid("Renaming a container with the same name as its current name"));
        }
        // The lock keeps the new name ours until the record says it; the old one is stale from then on.
        unfinished::begin(&self.root, Work::Renaming, &container.id, &format!("{old_name}:{new_name}"))?;
        if let Err(error) = names::take(&self.root, new_name, &container.id) {
            unfinished::end(&self.root, &container.id)?;
            return Err(error);
        }
        crash_point!("rename.name-taken");
        new_name.clone_into(&mut container.container.record.name);
        if let Err(error) = container.write_record() {
            names::release(&self.root, new_name, &container.id)?;
            unfinished::end(&self.root, &container.id)?;
            return Err(error.context(format!("rename {old_name}")));
        }
        crash_point!("rename.record-written");
        names::release(&self.root, &old_name, &container.id)?;
        tell_supervisor(container.directory(), new_name);
        self.rename_in_networks(&container, &old_name, new_name)?;
        unfinished::end(&self.root, &container.id)?;
        self.container_event("rename", &container, [("oldName", format!("/{old_name}"))]);
        Ok(())
    }
}

/// Its events carry the name. One that is too old to be told, or ends just now, goes on with the old one, which harms nothing else.
pub(super) fn tell_supervisor(directory: BorrowedFd<'_>, name: &str) {
    if let Ok(Some(client)) = Client::connect(directory) {
        let _ = client.rename(name);
    }
}
