//! Fills an empty volume with what the image has at its target.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use base::digest::Digest;
use base::file::{self, Durability};
use base::lock::{Lock, Sharing};
use base::tree::{Links, Tree};
use base::{Context, Error, Result, crash_point};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::Engine;
use crate::volumes::{DATA, VolumeRecord};

/// Held while a volume is being filled.
const FILL_LOCK: &str = "fill.lock";
/// There as long as a volume is half filled and nobody has used it: a crash leaves it, and who comes next begins anew.
const FILLING: &str = "filling";

impl Engine {
    /// Copies what the image of these layers has at `target` into the volume, with owners, modes, attributes and the directory's own, when
    /// the volume is empty and the image has a directory there. Other containers may have the volume, and run, as with Docker: nothing of theirs is removed.
    ///
    /// # Errors
    /// When the layers cannot be mounted or something cannot be copied; the volume is then filled anew by the next container, unless one has used it.
    pub(crate) fn copy_up(&self, volume: &VolumeRecord, target: &str, layers: &[Digest]) -> Result<()> {
        // A path of the user's own is never filled.
        if !volume.options.is_empty() {
            return Ok(());
        }
        let fill = || {
            let Some(directory) = self.volume_directory(&volume.name)? else {
                return Err(Error::not_found("it was removed meanwhile"));
            };
            let data = Tree::new(file::open_directory_at(directory.as_fd(), DATA)?);
            let is_half = || Ok::<_, Error>(file::read_bounded(directory.as_fd(), FILLING, 16)?.is_some());
            if !data.entries()?.is_empty() && !is_half()? {
                return Ok(());
            }
            let _lock = Lock::acquire(directory.as_fd(), FILL_LOCK, Sharing::Exclusive)?;
            if is_half()? {
                if self.volumes_in_use()?.contains_key(&volume.name) {
                    return file::remove(directory.as_fd(), FILLING);
                }
                clear(&data)?;
            } else if !data.entries()?.is_empty() {
                return Ok(());
            }
            let Some(source) = self.image_directory(target, layers)? else {
                return file::remove(directory.as_fd(), FILLING);
            };
            file::replace(directory.as_fd(), FILLING, b"", Durability::Lazy)?;
            // In this order: a start that saw no such file has a record that is seen here.
            if self.volumes_in_use()?.contains_key(&volume.name) {
                file::remove(directory.as_fd(), FILLING)?;
            }
            crash_point!("create.volume-filling");
            snapshot::copy_tree(source, OwnedFd::from(data))?;
            file::remove(directory.as_fd(), FILLING)
        };
        fill()
            .map_err(|error| error.context(format!("fill volume {} with what the image has at {target}", volume.name)))
    }

    /// Before a container gets the volume: what lies there is its own from now on, and is not cleared any more where a crash left it half filled.
    ///
    /// # Errors
    /// When that cannot be noted.
    pub(super) fn keep_half_filled(&self, name: &str) -> Result<()> {
        let Some(directory) = self.volume_directory(name)? else { return Ok(()) };
        if file::read_bounded(directory.as_fd(), FILLING, 16)?.is_some() {
            let _lock = Lock::acquire(directory.as_fd(), FILL_LOCK, Sharing::Exclusive)?;
            file::remove(directory.as_fd(), FILLING)?;
        }
        Ok(())
    }

    /// The directory at `target` of the image; `None` where it has none.
    fn image_directory(&self, target: &str, layers: &[Digest]) -> Result<Option<OwnedFd>> {
        if layers.is_empty() {
            return Ok(None);
        }
        let image = Tree::new(snapshot::mount_read_only(&self.lower_directories(layers)?)?);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match image.open_at(Path::new(target), flags, Mode::empty(), Links::Follow) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(errno).with_context(|| format!("look for {target} in the image")),
        }
    }
}

fn clear(data: &Tree) -> Result<()> {
    for (name, _) in data.entries()? {
        data.remove_all(&name)?;
    }
    Ok(())
}
