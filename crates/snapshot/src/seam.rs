//! What completes a layer in a chain: directories that it only implied, hard links whose targets lie below it; and what shortens a chain that is too long.

use crate::chain::{Found, Seen, Step, look, see, trees};
use crate::copy::{copy_directory_attributes, copy_file, copy_tree};
use crate::extract::OPAQUE;
use crate::layers::{Layers, read_marker, staging_name};
use crate::marker::{LayerMarker, MARKER, SeamMarker, TREE, Written};
use crate::overlay::mount_read_only;
use base::digest::Digest;
use base::file::{self, Durability};
use base::lock::Lock;
use base::tree::{Links, Tree};
use base::{Context, Error, Result};
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The layer's own directory and what lies below it.
struct Surroundings<'a> {
    own: Tree,
    below: Vec<Tree>,
    implied: BTreeSet<&'a Path>,
    seam: Tree,
}

impl Layers {
    /// The seam above the last layer of `chain`, made where it is missing; `None` where the chain needs none.
    pub(crate) fn seam(
        &self,
        chain: &[Digest],
        id: &Digest,
        marker: &LayerMarker,
        below: &[Step],
    ) -> Result<Option<String>> {
        let name = format!("{}-{}", id.algorithm().name(), id.hex());
        let make = |tree: OwnedFd| self.complete(marker, below, tree);
        let is_empty = self
            .make_seam(&name, chain, make)
            .map_err(|error| error.context(format!("complete layer {} for its parents", marker.content.short())))?;
        Ok(if is_empty { None } else { Some(name) })
    }

    /// One directory that shows what `lower`, lowest first, shows as an overlay.
    pub(crate) fn merged(&self, lower: &[PathBuf], chain: &[Digest]) -> Result<PathBuf> {
        let key: Vec<u8> =
            lower.iter().flat_map(|path| [path.as_os_str().as_encoded_bytes(), b"\0"].concat()).collect();
        let name = format!("merged-{}", Digest::sha256(&key).hex());
        let make = |tree: OwnedFd| {
            let topmost_first: Vec<PathBuf> = lower.iter().rev().cloned().collect();
            copy_tree(mount_read_only(&topmost_first)?, tree).map(|_| false)
        };
        self.make_seam(&name, chain, make).map_err(|error| error.context("merge the lowest layers of a long chain"))?;
        Ok(self.seam_path(&name))
    }

    /// Makes the seam `name` unless it is there; `make` fills its tree and says whether nothing was needed.
    fn make_seam(&self, name: &str, chain: &[Digest], make: impl FnOnce(OwnedFd) -> Result<bool>) -> Result<bool> {
        if let Some(is_empty) = self.find_seam(name)? {
            return Ok(is_empty);
        }
        let lock = self.wait_for_lock(name)?;
        if let Some(is_empty) = self.find_seam(name)? {
            self.unlock(name, lock)?;
            return Ok(is_empty);
        }
        let staging = staging_name(name);
        let folder = Tree::new(self.layers.try_clone().context("open the folder of layers")?);
        let build = || {
            folder.remove_all(OsStr::new(&staging))?;
            let directory = file::make_directory_at(folder.as_fd(), &staging, 0o700)?;
            let is_empty = make(file::make_directory_at(directory.as_fd(), TREE, 0o755)?)?;
            let written = Written::Boot(self.boot.clone());
            let marker = SeamMarker { chain: chain.to_vec(), written, is_empty };
            file::replace_json(directory.as_fd(), MARKER, &marker, Durability::Lazy)?;
            self.publish(&staging, self.seams.as_fd(), name)?;
            Ok(is_empty)
        };
        let result = build();
        if result.is_err() {
            // What stays is swept by the next collection.
            let _ = folder.remove_all(OsStr::new(&staging));
        }
        self.unlock(name, lock)?;
        result
    }

    fn find_seam(&self, name: &str) -> Result<Option<bool>> {
        let marker: Option<SeamMarker> = read_marker(self.seams.as_fd(), name)?;
        Ok(marker.filter(|marker| marker.written.counts(&self.boot)).map(|marker| marker.is_empty))
    }

    fn wait_for_lock(&self, name: &str) -> Result<Lock> {
        loop {
            if let Some(lock) = self.lock(name)? {
                return Ok(lock);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn complete(&self, marker: &LayerMarker, below: &[Step], seam: OwnedFd) -> Result<bool> {
        let surroundings = Surroundings {
            own: self.tree(&marker.content)?,
            below: trees(self, below)?,
            implied: marker.implied.iter().map(|path| path.as_path()).collect(),
            seam: Tree::new(seam),
        };
        let mut is_empty = true;
        for path in &surroundings.implied {
            if let Some(found) = surroundings.visible_below(path)?
                && found.is_directory()
                && differs(found.directory(path)?.as_fd())?
            {
                surroundings.make_directory(path)?;
                is_empty = false;
            }
        }
        for (name, target) in &marker.links {
            surroundings.link(name.as_path(), target.as_path())?;
            is_empty = false;
        }
        surroundings.finish(&surroundings.seam, Path::new(""))?;
        Ok(is_empty)
    }
}

impl Surroundings<'_> {
    /// What lies below the layer at `path` and is not taken away by the layer.
    fn visible_below(&self, path: &Path) -> Result<Option<Found>> {
        match see(&self.own, path)? {
            Seen::Hidden => Ok(None),
            Seen::Here(found) if found.is_directory() && is_opaque(found.directory(path)?.as_fd())? => Ok(None),
            Seen::Here(_) if self.is_cut_off(path)? => Ok(None),
            _ => look(&self.below, path),
        }
    }

    /// Whether a directory of the layer above `path` hides everything below the layer.
    fn is_cut_off(&self, path: &Path) -> Result<bool> {
        for ancestor in path.ancestors().skip(1) {
            if let Seen::Here(found) = see(&self.own, ancestor)?
                && is_opaque(found.directory(ancestor)?.as_fd())?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The directory at `path` of the seam, with its parents.
    fn make_directory(&self, path: &Path) -> Result<Tree> {
        let mut current = self.seam.directory(Path::new("."), Links::Refuse)?;
        for name in path.iter() {
            match rustix::fs::mkdirat(&current, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno).with_context(|| format!("make directory {}", path.display())),
            }
            current = current.directory(Path::new(name), Links::Refuse)?;
        }
        Ok(current)
    }

    /// Makes a hard link whose target lies below the layer, and with it, as a write to the chain would, the target itself.
    fn link(&self, name: &Path, target: &Path) -> Result<()> {
        let found = look(&self.below, target)?.filter(|found| !found.is_directory()).ok_or_else(|| {
            Error::corrupt(format!("{} is a hard link to {}, which no layer has", name.display(), target.display()))
        })?;
        let (target_name, link_name) = (file_name(target), file_name(name));
        let into = self.make_directory(name.parent().unwrap_or(Path::new("")))?;
        let mut buffer = vec![0; 256 << 10];
        if !matches!(see(&self.own, target)?, Seen::Absent) {
            // The layer has something else there now.
            let scratch = self.make_directory(Path::new(".link"))?;
            copy_file(found.parent.as_fd(), scratch.as_fd(), target_name, &found.status, &mut buffer)?;
            rustix::fs::renameat(&scratch, target_name, &into, link_name).context("put a linked file in place")?;
            return self.seam.remove_all(OsStr::new(".link"));
        }
        let from = self.make_directory(target.parent().unwrap_or(Path::new("")))?;
        // Another link may have brought the target already.
        if rustix::fs::statat(&from, target_name, AtFlags::SYMLINK_NOFOLLOW).is_err() {
            copy_file(found.parent.as_fd(), from.as_fd(), target_name, &found.status, &mut buffer)?;
        }
        rustix::fs::linkat(&from, target_name, &into, link_name, AtFlags::empty()).context("make a hard link")
    }

    /// Gives all directories of the seam the attributes that they have in the chain, the deepest first.
    fn finish(&self, directory: &Tree, path: &Path) -> Result<()> {
        for (name, kind) in directory.entries()? {
            if kind == rustix::fs::FileType::Directory {
                self.finish(&directory.directory(Path::new(&name), Links::Refuse)?, &path.join(&name))?;
            }
        }
        let own = match see(&self.own, path)? {
            Seen::Here(found) if found.is_directory() => Some(found),
            _ => None,
        };
        let lower = if own.is_none() || self.implied.contains(path) { self.visible_below(path)? } else { None };
        let source = lower.filter(Found::is_directory).or(own);
        match source {
            Some(source) => copy_directory_attributes(source.directory(path)?.as_fd(), directory.as_fd()),
            None => Ok(()),
        }
    }
}

fn file_name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// Whether a directory has something that one which was only implied does not.
fn differs(directory: BorrowedFd<'_>) -> Result<bool> {
    let status = rustix::fs::fstat(directory).context("stat a directory")?;
    if (status.st_mode & 0o7777, status.st_uid, status.st_gid) != (0o755, 0, 0) {
        return Ok(true);
    }
    let mut names = [0_u8; 4096];
    match rustix::fs::flistxattr(directory, &mut names) {
        Ok(length) => Ok(names[..length].split(|byte| *byte == 0).any(|name| {
            !name.is_empty() && !name.starts_with(b"trusted.overlay.") && !name.starts_with(b"security.selinux")
        })),
        Err(Errno::NOTSUP) => Ok(false),
        Err(_) => Ok(true),
    }
}

/// Whether a directory hides what lies below it in the chain.
pub(crate) fn is_opaque(directory: BorrowedFd<'_>) -> Result<bool> {
    let mut value = [0_u8; 8];
    match rustix::fs::fgetxattr(directory, OPAQUE, &mut value) {
        Ok(length) => Ok(&value[..length] == b"y"),
        Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
        Err(errno) => Err(errno).context("read an attribute of a layer"),
    }
}
