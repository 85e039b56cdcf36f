//! A chain of layers as lower directories, and what is visible below one of them.

use crate::layers::{Layers, open_tree};
use crate::overlay::OVERLAY_LAYER_LIMIT;
use base::digest::Digest;
use base::tree::{Links, Tree};
use base::{Context, Error, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

impl Layers {
    /// The lower directories of `chain`, whose lowest layer comes first: topmost first, at most [`OVERLAY_LAYER_LIMIT`], seams included.
    ///
    /// Seams that are missing are made, once for every chain; what was planned stays valid as long as the layers are kept.
    ///
    /// # Errors
    /// [`NotFound`](base::Kind::NotFound) for a layer that is not extracted; [`Corrupt`](base::Kind::Corrupt) for a hard link to what no layer below has.
    pub fn plan(&self, chain: &[Digest]) -> Result<Vec<PathBuf>> {
        let mut steps: Vec<Step> = Vec::with_capacity(chain.len());
        let mut chain_id: Option<Digest> = None;
        for (at, content) in chain.iter().enumerate() {
            let marker = self.marker(content)?.ok_or_else(|| {
                Error::not_found(format!("layer {} is not extracted: pull its image again", content.short()))
            })?;
            let id = match &chain_id {
                None => content.clone(),
                Some(below) => Digest::sha256(format!("{below} {content}").as_bytes()),
            };
            let completed = at > 0 && !(marker.implied.is_empty() && marker.links.is_empty());
            let seam = if completed { self.seam(&chain[..=at], &id, &marker, &steps)? } else { None };
            chain_id = Some(id);
            steps.push(Step { content: content.clone(), seam });
        }
        let mut lower = Vec::with_capacity(steps.len());
        for step in &steps {
            lower.push(self.tree_path(&step.content));
            lower.extend(step.seam.iter().map(|seam| self.seam_path(seam)));
        }
        while lower.len() > OVERLAY_LAYER_LIMIT {
            let count = OVERLAY_LAYER_LIMIT.min(lower.len() - OVERLAY_LAYER_LIMIT + 1);
            let merged = self.merged(&lower[..count], chain)?;
            lower.splice(..count, [merged]);
        }
        lower.reverse();
        Ok(lower)
    }
}

/// One layer of a chain and what completes it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) content: Digest,
    /// The name of the seam directly above it.
    pub(crate) seam: Option<String>,
}

/// What a path means in one tree of a chain.
#[derive(Debug)]
pub(crate) enum Seen {
    /// It is here.
    Here(Found),
    /// It is not, and whatever lies below is taken away.
    Hidden,
    /// Nothing is said here.
    Absent,
}

/// Something in a tree.
#[derive(Debug)]
pub(crate) struct Found {
    /// The directory that it is in.
    pub(crate) parent: OwnedFd,
    pub(crate) status: Stat,
}

impl Found {
    pub(crate) fn is_directory(&self) -> bool {
        FileType::from_raw_mode(self.status.st_mode) == FileType::Directory
    }

    /// Opens it as the directory that it is.
    pub(crate) fn directory(&self, path: &Path) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = path.file_name().unwrap_or(OsStr::new("."));
        rustix::fs::openat(&self.parent, name, flags, Mode::empty())
            .with_context(|| format!("open directory {}", path.display()))
    }
}

/// The trees of these steps, topmost first.
pub(crate) fn trees(layers: &Layers, steps: &[Step]) -> Result<Vec<Tree>> {
    let mut trees = Vec::with_capacity(steps.len() * 2);
    for step in steps.iter().rev() {
        if let Some(seam) = &step.seam {
            trees.push(open_tree(layers.seams.as_fd(), seam)?);
        }
        trees.push(layers.tree(&step.content)?);
    }
    Ok(trees)
}

/// What overlayfs would show at `path`, were `trees`, topmost first, mounted.
pub(crate) fn look(trees: &[Tree], path: &Path) -> Result<Option<Found>> {
    for tree in trees {
        match see(tree, path)? {
            Seen::Here(found) => return Ok(Some(found)),
            Seen::Hidden => return Ok(None),
            Seen::Absent => {}
        }
    }
    Ok(None)
}

/// What `path` means in one tree.
pub(crate) fn see(tree: &Tree, path: &Path) -> Result<Seen> {
    let fail = |errno: Errno| -> Result<Seen> { Err(errno).with_context(|| format!("look for {}", path.display())) };
    let mut current = tree.directory(Path::new("."), Links::Refuse)?;
    let mut is_opaque = false;
    let mut names = path.iter().peekable();
    while let Some(name) = names.next() {
        is_opaque |= crate::seam::is_opaque(current.as_fd())?;
        let status = match rustix::fs::statat(&current, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => status,
            Err(Errno::NOENT) => return Ok(if is_opaque { Seen::Hidden } else { Seen::Absent }),
            Err(errno) => return fail(errno),
        };
        if crate::extract::is_whiteout(&status) {
            return Ok(Seen::Hidden);
        }
        if names.peek().is_none() {
            return Ok(Seen::Here(Found { parent: current.into(), status }));
        }
        if FileType::from_raw_mode(status.st_mode) != FileType::Directory {
            return Ok(Seen::Hidden);
        }
        current = current.directory(Path::new(name), Links::Refuse)?;
    }
    let status = rustix::fs::fstat(&current).context("stat a layer")?;
    Ok(Seen::Here(Found { parent: current.into(), status }))
}
