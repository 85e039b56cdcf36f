//! At each start: from what was decided to the runtime's mounts, with sources that exist.

use std::path::{Path, PathBuf};

use base::{Context, Error, Result};
use runtime::spec::{Mount, MountOptions, MountSource};

use super::planned::{Missing, Planned, Source};
use super::propagation;
use crate::Engine;

impl Engine {
    /// The runtime's mounts for what create decided, in the order in which they are made.
    ///
    /// # Errors
    /// `Invalid` for a source of `--mount` that is gone or cannot propagate as asked, `NotFound` for a volume that is.
    pub(crate) fn runtime_mounts(&self, planned: &[Planned]) -> Result<Vec<Mount>> {
        planned.iter().map(|mount| self.runtime_mount(mount)).collect()
    }

    fn runtime_mount(&self, planned: &Planned) -> Result<Mount> {
        let mut options = MountOptions { read_only: planned.read_only, ..MountOptions::default() };
        let source = match &planned.source {
            Source::Bind { path, recursive, missing } => {
                let path = Path::new(path);
                if !path.exists() {
                    provide(path, *missing)?;
                }
                propagation::check(path, planned.propagation)?;
                MountSource::Bind { path: path.to_owned(), subpath: None, recursive: *recursive }
            }
            Source::Volume { name, subpath, .. } => {
                let volume = self.find_volume(name)?.ok_or_else(|| {
                    Error::not_found(format!("volume {name} is gone: make it again with berth volume create {name}"))
                })?;
                self.keep_half_filled(name)?;
                let subpath = (!subpath.is_empty()).then(|| PathBuf::from(subpath));
                MountSource::Bind { path: volume.mountpoint, subpath, recursive: true }
            }
            Source::Tmpfs(tmpfs) => {
                options = MountOptions { read_only: planned.read_only, ..tmpfs.options };
                MountSource::Tmpfs { options: tmpfs.values.clone() }
            }
        };
        Ok(Mount { source, target: planned.target.clone(), options, propagation: planned.propagation })
    }
}

fn provide(path: &Path, missing: Missing) -> Result<()> {
    match missing {
        Missing::Make => std::fs::create_dir_all(path)
            .with_context(|| format!("error while creating mount source path '{}'", path.display())),
        Missing::Refuse => Err(Error::invalid(format!(
            "invalid mount config for type \"bind\": bind source path does not exist: {}",
            path.display()
        ))),
    }
}
