//! What a crash in the middle of a create, a renaming or a removal leaves, and how it is cleared away.
//!
//! Before any begins, `unfinished/<id>` is made: a symbolic link that says which of them it is, and the name or both names. It goes when the work is
//! done. A link whose container's lock is free therefore stands for a crash, and whoever changes something next finds it without looking at
//! any other container.

use std::os::fd::{AsFd, BorrowedFd};

use base::id::Id;
use base::lock::{Lock, Sharing};
use base::tree::Tree;
use base::{Context, Result, crash_point, file};
use rustix::fs::AtFlags;
use rustix::io::Errno;
use serde::Deserialize;

use super::record;
use crate::root::{Root, ids_in};
use crate::{Engine, layout, names};

/// No id.
const FOLDER_LOCK: &str = ".lock";
const ATTEMPTS: u32 = 100;

/// Keeps what is noted and what is there from differing for others: shared while a container comes into being or vanishes, exclusive for whoever
/// looks for what a crash left. Held for moments, and before a container's own lock is taken.
pub(crate) fn lock(root: &Root, sharing: Sharing) -> Result<Lock> {
    Lock::acquire(root.unfinished()?, FOLDER_LOCK, sharing)
}

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Without its `config.json`, the container never was.
    Creating,
    /// It has two names; its record says which one is true.
    Renaming,
    /// The container is gone for everybody already.
    Removing,
    /// The same; volumes that nobody named go with it.
    RemovingWithVolumes,
}

impl Work {
    fn word(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Renaming => "renaming",
            Self::Removing => "removing",
            Self::RemovingWithVolumes => "removing-with-volumes",
        }
    }
}

/// Says that `work` on `id` begins.
pub(crate) fn begin(root: &Root, work: Work, id: &Id, name: &str) -> Result<()> {
    let text = format!("{}:{name}", work.word());
    match rustix::fs::symlinkat(&*text, root.unfinished()?, id.as_str()) {
        // An earlier attempt to remove it did not come to its end.
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno).context("note what is under way"),
    }
}

/// Says that the work on `id` goes on under another name.
pub(crate) fn begin_again(root: &Root, work: Work, id: &Id, name: &str) -> Result<()> {
    end(root, id)?;
    begin(root, work, id, name)
}

/// Says that the work on `id` is done.
pub(crate) fn end(root: &Root, id: &Id) -> Result<()> {
    match rustix::fs::unlinkat(root.unfinished()?, id.as_str(), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno).context("note what is done"),
    }
}

/// What is still needed of the record of a container that is being removed.
#[derive(Deserialize)]
struct Removed {
    mounts: Vec<crate::mounts::Planned>,
}

impl Engine {
    /// Clears away what crashes have left half made or half removed. Costs one look at a folder that is empty as a rule.
    ///
    /// What cannot be removed was told to whoever tried first, and stays for the next: it must not keep anybody from something else.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub(crate) fn clear_unfinished(&self) -> Result<()> {
        for id in ids_in(self.root.unfinished()?)? {
            let _ = self.clear_one(&id);
        }
        Ok(())
    }

    /// The same for one container.
    pub(super) fn clear_one(&self, id: &Id) -> Result<()> {
        let is_held = |directory: BorrowedFd<'_>| Lock::is_held(directory, layout::LOCK);
        if let Some(directory) = self.root.container_directory(id)?
            && is_held(directory.as_fd())?
        {
            // Somebody is still at it.
            return Ok(());
        }
        // Nobody is between two states now: what is still noted and not locked is a crash's.
        let folder = lock(&self.root, Sharing::Exclusive)?;
        let Some((work, name)) = read(&self.root, id)? else { return Ok(()) };
        let Some(directory) = self.root.container_directory(id)? else {
            release_all(&self.root, &name, id, None)?;
            return end(&self.root, id);
        };
        let Some(lock) = Lock::try_acquire(directory.as_fd(), layout::LOCK, Sharing::Exclusive)? else { return Ok(()) };
        drop(folder);
        if let Some(true_name) = record::name_of(directory.as_fd())? {
            if work == Work::Renaming {
                release_all(&self.root, &name, id, Some(&true_name))?;
                super::rename::tell_supervisor(directory.as_fd(), &true_name);
                if let Some(container) = self.root.load(id)? {
                    name.split(':').try_for_each(|other| self.rename_in_networks(&container, other, &true_name))?;
                }
            }
            // It was made, or nothing of it is gone yet: whoever wants it removed says so again.
            return end(&self.root, id);
        }
        super::shared_memory::remove(&self.root.layout.container(id))?;
        if work == Work::RemovingWithVolumes
            && let Ok(Some(removed)) = file::read_json::<Removed>(directory.as_fd(), layout::REMOVED)
        {
            self.remove_anonymous_volumes(&removed.mounts)?;
        }
        self.destroy_directory(id, &name, lock)
    }

    /// Removes everything of a container that exists for nobody any more.
    pub(crate) fn destroy_directory(&self, id: &Id, name: &str, held: Lock) -> Result<()> {
        release_all(&self.root, name, id, None)?;
        crash_point!("rm.name-gone");
        if let Some(directory) = self.root.container_directory(id)? {
            let directory = Tree::new(directory);
            // The lock goes last: as long as it is there, everybody sees that somebody is at it.
            for (entry, _) in directory.entries()?.iter().filter(|(entry, _)| entry != layout::LOCK) {
                directory.remove_all(entry)?;
            }
        }
        crash_point!("rm.files-gone");
        let _folder = lock(&self.root, Sharing::Shared)?;
        self.remove_emptied(id)?;
        crash_point!("rm.directory-gone");
        drop(held);
        end(&self.root, id)
    }

    /// Whoever has just found the container may make its lock anew between the removal of the lock and that of the directory.
    fn remove_emptied(&self, id: &Id) -> Result<()> {
        let containers = self.root.containers().try_clone_to_owned().context("open the folder of containers")?;
        let containers = Tree::new(containers);
        for _ in 0..ATTEMPTS {
            match containers.remove_all(id.as_str().as_ref()) {
                Err(error) if error.errno() == Some(Errno::NOTEMPTY) => {}
                result => return result,
            }
        }
        containers.remove_all(id.as_str().as_ref())
    }
}

/// Releases the name, or both names, that a note speaks of, but for the true one.
fn release_all(root: &Root, noted: &str, id: &Id, true_name: Option<&str>) -> Result<()> {
    // No name has a colon.
    for name in noted.split(':').filter(|name| Some(*name) != true_name) {
        names::release(root, name, id)?;
    }
    Ok(())
}

/// What was under way with `id`, and its name.
fn read(root: &Root, id: &Id) -> Result<Option<(Work, String)>> {
    let target = match rustix::fs::readlinkat(root.unfinished()?, id.as_str(), Vec::new()) {
        Ok(target) => target.to_string_lossy().into_owned(),
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno).context("read what is under way"),
    };
    let Some((word, name)) = target.split_once(':') else {
        file::remove(root.unfinished()?, id.as_str())?;
        return Ok(None);
    };
    let works = [Work::Renaming, Work::Removing, Work::RemovingWithVolumes];
    let work = works.into_iter().find(|work| work.word() == word).unwrap_or(Work::Creating);
    Ok(Some((work, name.to_owned())))
}
