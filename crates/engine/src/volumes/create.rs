//! Makes a volume.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::Path;

use base::file::{self, Durability};
use base::id::Id;
use base::lock::Sharing;
use base::time::Timestamp;
use base::tree::Tree;
use base::{Context, Error, Result, crash_point};
use rustix::fs::RenameFlags;
use rustix::io::Errno;

use super::record::{ANONYMOUS_LABEL, DATA, RECORD, Stored, VolumeRecord};
use crate::caller::Operation;
use crate::{Caller, Engine, layout};

/// A volume that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeRequest {
    /// Empty makes one up.
    pub name: String,
    /// Empty or `local`.
    pub driver: String,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Engine {
    /// Makes a volume; one that exists is returned.
    ///
    /// # Errors
    /// `Invalid` for a malformed name, `Conflict` when it exists with other options.
    pub fn create_volume(&self, caller: &Caller, request: VolumeRequest) -> Result<VolumeRecord> {
        caller.permit(Operation::Change, "create a volume")?;
        let _lock = self.lock_volumes(Sharing::Shared)?;
        self.ensure_volume(request)
    }

    /// The same for who holds the lock on volumes already.
    pub(crate) fn ensure_volume(&self, mut request: VolumeRequest) -> Result<VolumeRecord> {
        check_driver(&request.driver)?;
        check_options(&request.options)?;
        if request.name.is_empty() {
            request.name = Id::random()?.to_string();
            request.labels.insert(ANONYMOUS_LABEL.to_owned(), String::new());
        }
        check_name(&request.name)?;
        if let Some(existing) = self.find_volume(&request.name)? {
            return existing_one(existing, &request);
        }
        let name = request.name.clone();
        let is_made = self.make_volume(&request).map_err(|error| error.context(format!("create volume {name}")))?;
        let volume = self.find_volume(&name)?.ok_or_else(|| Error::internal(format!("volume {name} has vanished")))?;
        if !is_made {
            return existing_one(volume, &request);
        }
        self.record_event("volume", "create", &name, [("driver".to_owned(), "local".to_owned())].into());
        Ok(volume)
    }

    /// Says whether it was this call that made it.
    fn make_volume(&self, request: &VolumeRequest) -> Result<bool> {
        let folder = self.volumes_folder()?;
        let staging = file::temporary_name("volume");
        let directory = file::make_directory_at(folder.as_fd(), &staging, 0o700)?;
        file::make_directory_at(directory.as_fd(), DATA, 0o755)?;
        let stored = Stored {
            format: layout::FORMAT,
            name: request.name.clone(),
            created: Timestamp::now(),
            labels: request.labels.clone(),
            options: request.options.clone(),
        };
        file::replace_json(directory.as_fd(), RECORD, &stored, Durability::Synced)?;
        crash_point!("volume.filled");
        match rustix::fs::renameat_with(&folder, &staging, &folder, &request.name, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(true),
            // Somebody else was first.
            Err(Errno::EXIST) => Tree::new(folder).remove_all(staging.as_ref()).map(|()| false),
            Err(errno) => Err(errno).context("put the volume in place"),
        }
    }
}

fn existing_one(volume: VolumeRecord, request: &VolumeRequest) -> Result<VolumeRecord> {
    if !request.options.is_empty() && request.options != volume.options {
        return Err(Error::conflict(format!(
            "volume {} exists with other options: remove it first or choose another name",
            volume.name
        )));
    }
    Ok(volume)
}

/// Docker's rule for names of local volumes.
pub(super) fn check_name(name: &str) -> Result<()> {
    if name.len() < 2 {
        return Err(Error::invalid(format!(
            "create {name}: volume name is too short, names should be at least two alphanumeric characters"
        )));
    }
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if name.len() <= 255 && name.as_bytes()[0].is_ascii_alphanumeric() && name.bytes().all(is_good) {
        return Ok(());
    }
    let shown: String = name.chars().take(300).collect();
    Err(Error::invalid(format!(
        "create {shown}: {shown:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are \
         allowed. If you intended to pass a host directory, use absolute path"
    )))
}

/// # Errors
/// `NotFound`, in Docker's words, for a driver that is not here.
pub(crate) fn check_driver(driver: &str) -> Result<()> {
    match driver {
        "" | "local" => Ok(()),
        other => Err(Error::not_found(format!("error looking up volume plugin {other}: plugin {other:?} not found"))),
    }
}

/// Of the local driver's options, those of a bind mount: `type=none,o=bind,device=/path`.
fn check_options(options: &BTreeMap<String, String>) -> Result<()> {
    if options.is_empty() {
        return Ok(());
    }
    if let Some(unknown) = options.keys().find(|key| !["type", "o", "device"].contains(&key.as_str())) {
        return Err(Error::invalid(format!("invalid option: {unknown:?}: the local driver knows type, o and device")));
    }
    let get = |key: &str| options.get(key).map(String::as_str).unwrap_or_default();
    let is_bind = matches!(get("type"), "" | "none" | "bind") && matches!(get("o"), "bind" | "rbind");
    if !is_bind {
        return Err(Error::unsupported(format!(
            "not supported: a volume of type {:?}: only type=none, o=bind, device=/path; mount the file system on the host and bind that",
            get("type")
        )));
    }
    if !Path::new(get("device")).is_absolute() {
        return Err(Error::invalid("a volume with o=bind needs an absolute path as device"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["ab", "data", "a.b", "A_1-x", &"a".repeat(255)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "../x", "a/b", "-x", ".x", "a b", "ä1", &"a".repeat(256)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn options_of_the_local_driver() {
        let check = |pairs: &[(&str, &str)]| {
            check_options(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        };
        assert!(check(&[]).is_ok());
        assert!(check(&[("type", "none"), ("o", "bind"), ("device", "/srv")]).is_ok());
        assert!(check(&[("type", "none"), ("o", "bind"), ("device", "srv")]).is_err());
        assert!(check(&[("type", "nfs"), ("o", "addr=x"), ("device", ":/x")]).is_err());
        assert!(check(&[("size", "1g")]).is_err());
    }
}
