//! Removes what is left of a container whose `config.json` a power cut has damaged: what it was is not known any more, where it lies is.

use std::os::fd::AsFd;
use std::path::Path;

use base::id::Id;
use base::lock::{Lock, Sharing};
use base::{Context, Error, Kind, Result, crash_point, file};
use cgroup::Group;

use super::super::kill::AT_ONCE;
use super::super::record::no_such;
use super::super::shared_memory;
use super::super::unfinished::{self, Work};
use super::RemoveRequest;
use crate::{Engine, layout, names};

impl Engine {
    /// Removes a container that cannot be read. Volumes that nobody named stay: nothing tells which they are.
    ///
    /// # Errors
    /// `Conflict` when it runs and is not forced.
    pub(super) fn remove_damaged(&self, name: &str, request: RemoveRequest) -> Result<()> {
        let id = self.root.identify_damaged(name)?.ok_or_else(|| no_such(name))?;
        let directory = self.root.container_directory(&id)?.ok_or_else(|| no_such(name))?;
        if self.root.load(&id).is_ok() {
            return Err(no_such(name));
        }
        let lock = Lock::acquire(directory.as_fd(), layout::LOCK, Sharing::Exclusive)?;
        match self.root.load(&id) {
            Err(error) if error.kind() == Kind::Corrupt => {}
            _ => return Err(no_such(name)),
        }
        if let Some(client) = supervisor::client::Client::connect(directory.as_fd())? {
            if !request.force {
                return Err(Error::conflict(format!(
                    "You cannot remove a running container {id}. Stop the container before attempting removal or force remove"
                )));
            }
            let _ = client.stop(AT_ONCE);
        }
        let _alive = Lock::try_acquire(directory.as_fd(), layout::ALIVE, Sharing::Exclusive)?
            .ok_or_else(|| Error::conflict(format!("container {} still runs", id.short())))?;
        self.remove_group(&id)?;
        shared_memory::remove(&self.root.layout.container(&id))?;
        let known = self.root.name_of_damaged(&id)?.unwrap_or_default();
        unfinished::begin_again(&self.root, Work::Removing, &id, &known)?;
        file::remove(directory.as_fd(), layout::CONFIG)?;
        crash_point!("rm.damaged-config-gone");
        self.destroy_directory(&id, &known, lock)
    }

    /// Where its group was, if nobody chose another parent.
    fn remove_group(&self, id: &Id) -> Result<()> {
        let host = cgroup::Host::detect(Path::new(cgroup::MOUNT_ROOT))?;
        match Group::open(&host, &format!("{}/{id}", self.root.cgroup_parent())) {
            Ok(group) => {
                group.kill()?;
                group.remove()
            }
            Err(error) if error.kind() == Kind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl crate::root::Root {
    /// The container that `text` means: its id, the beginning of it, or a name whose link nobody else has taken.
    fn identify_damaged(&self, text: &str) -> Result<Option<Id>> {
        if let Some(id) = self.identify(text)? {
            return Ok(Some(id));
        }
        let name = text.strip_prefix('/').unwrap_or(text);
        if names::check(name).is_err() { Ok(None) } else { names::owner(self.names()?, name) }
    }

    /// The name whose link leads to `id`.
    fn name_of_damaged(&self, id: &Id) -> Result<Option<String>> {
        for entry in rustix::fs::Dir::read_from(self.names()?).context("list the names")? {
            let entry = entry.context("list the names")?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if names::owner(self.names()?, name)?.as_ref() == Some(id) {
                return Ok(Some(name.to_owned()));
            }
        }
        Ok(None)
    }
}
