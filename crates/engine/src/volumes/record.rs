//! What a volume is, on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use base::lock::{Lock, Sharing};
use base::time::Timestamp;
use base::{Context, Error, Result, file};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::{Engine, layout};

/// The files of a volume.
pub(crate) const DATA: &str = "_data";
/// What it is.
pub(super) const RECORD: &str = "volume.json";
/// No volume can have this name.
const LOCK: &str = ".lock";
/// By which Docker's clients know volumes that nobody named.
pub(super) const ANONYMOUS_LABEL: &str = "com.docker.volume.anonymous";

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeRecord {
    /// Its name.
    pub name: String,
    /// `local`.
    pub driver: String,
    /// Where its files are.
    pub mountpoint: PathBuf,
    /// When it was made.
    pub created: Timestamp,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Whether it was made for one container without a name.
    pub anonymous: bool,
}

/// `volumes/<name>/volume.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) format: u32,
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) options: BTreeMap<String, String>,
}

/// Docker's words for a volume that is not there.
pub(super) fn no_such(name: &str) -> Error {
    let shown: String = name.chars().take(300).collect();
    Error::not_found(format!("get {shown}: no such volume"))
}

impl Engine {
    /// The folder of all volumes.
    pub(super) fn volumes_folder(&self) -> Result<OwnedFd> {
        file::make_directory_at(self.root.directory(), layout::VOLUMES, 0o700)
    }

    /// Keeps volumes from being removed, or everybody else from using them.
    pub(crate) fn lock_volumes(&self, sharing: Sharing) -> Result<Lock> {
        Lock::acquire(self.volumes_folder()?.as_fd(), LOCK, sharing)
    }

    /// The directory of one volume; `None` where there is none.
    pub(crate) fn volume_directory(&self, name: &str) -> Result<Option<OwnedFd>> {
        if super::create::check_name(name).is_err() {
            return Ok(None);
        }
        match file::open_directory_at(self.volumes_folder()?.as_fd(), name) {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if error.errno() == Some(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The volume of this name; `None` where there is none.
    pub(crate) fn find_volume(&self, name: &str) -> Result<Option<VolumeRecord>> {
        let Some(directory) = self.volume_directory(name)? else { return Ok(None) };
        let stored: Option<Stored> =
            file::read_json(directory.as_fd(), RECORD).map_err(|error| error.context(format!("volume {name}")))?;
        let Some(stored) = stored else { return Ok(None) };
        if stored.format > layout::FORMAT {
            return Err(Error::unsupported(format!("volume {name} was written by a newer berth: use that one")));
        }
        let device = stored.options.get("device").map(PathBuf::from);
        Ok(Some(VolumeRecord {
            anonymous: stored.labels.contains_key(ANONYMOUS_LABEL),
            driver: "local".to_owned(),
            mountpoint: device.unwrap_or_else(|| self.root.layout.volumes().join(name).join(DATA)),
            name: stored.name,
            created: stored.created,
            labels: stored.labels,
            options: stored.options,
        }))
    }

    /// All volumes, by name.
    pub(crate) fn all_volumes(&self) -> Result<Vec<VolumeRecord>> {
        let folder = self.volumes_folder()?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&folder).context("list the volumes")? {
            let entry = entry.context("list the volumes")?;
            if let Ok(name) = entry.file_name().to_str()
                && !name.starts_with('.')
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        let mut volumes = Vec::with_capacity(names.len());
        for name in names {
            // One that was removed since is no error.
            volumes.extend(self.find_volume(&name)?);
        }
        Ok(volumes)
    }

    /// Name → ids of the containers that have it among their mounts.
    pub(crate) fn volumes_in_use(&self) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for id in self.root.container_ids()? {
            let Some(container) = self.root.load(&id)? else { continue };
            for name in container.record.mounts.iter().filter_map(crate::mounts::Planned::volume_name) {
                users.entry(name.to_owned()).or_default().insert(id.to_string());
            }
        }
        Ok(users)
    }
}
