//! Decides at create what is mounted: in Docker's order, later words over earlier ones, and never two for one target.

use std::path::Path;

use base::digest::Digest;
use base::id::Id;
use base::lock::{Lock, Sharing};
use base::{Error, Result};
use runtime::spec::{Propagation, ReadOnly};

use super::bind;
use super::planned::{Missing, Planned, Source};
use super::request;
use super::tmpfs::TmpfsOptions;
use crate::Engine;
use crate::containers::{MountKind, MountPoint, Settings};
use crate::volumes::VolumeRequest;

/// What create decided.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    pub(crate) planned: Vec<Planned>,
    pub(crate) points: Vec<MountPoint>,
    pub(crate) warnings: Vec<String>,
    /// Keeps the volumes that were chosen until the container's record shows that it uses them.
    pub(crate) _volumes: Option<Lock>,
}

/// A mount that is wanted, and what its volume is made of where it does not exist.
struct Wanted {
    planned: Planned,
    volume: VolumeRequest,
}

impl Engine {
    /// Decides at create what is mounted: checks notation, makes volumes, fills empty ones from the image.
    ///
    /// The decision must be kept until the container's record is written.
    ///
    /// # Errors
    /// `Invalid` for malformed notation and two mounts for one target; `NotFound` for a container or a driver that is named and missing.
    pub(crate) fn plan_mounts(&self, container: &Id, settings: &Settings, layers: &[Digest]) -> Result<Decision> {
        let mut wanted = self.of_other_containers(container, settings)?;
        // Names of the user's own displace what comes from other containers, but not each other.
        let own = own_mounts(settings)?;
        wanted.retain(|inherited| own.iter().all(|mount| mount.planned.target != inherited.planned.target));
        wanted.extend(own);
        for text in &settings.volumes {
            let target = request::target(text)?;
            if wanted.iter().all(|mount| mount.planned.target != target) {
                wanted.push(anonymous(target, settings));
            }
        }
        // What lies deeper is mounted later.
        wanted.sort_by_key(|mount| mount.planned.target.matches('/').count());
        let mut decision = Decision::default();
        if wanted.iter().any(|mount| mount.planned.volume_name().is_some()) {
            decision._volumes = Some(self.lock_volumes(Sharing::Shared)?);
        }
        for Wanted { mut planned, volume } in wanted {
            let mut mountpoint = String::new();
            if let Source::Volume { name, subpath, is_anonymous, no_copy } = &mut planned.source {
                let record = self.ensure_volume(VolumeRequest { name: name.clone(), ..volume })?;
                name.clone_from(&record.name);
                *is_anonymous = record.anonymous;
                mountpoint = record.mountpoint.display().to_string();
                if !*no_copy && subpath.is_empty() {
                    self.copy_up(&record, &planned.target, layers)?;
                }
            }
            decision.points.push(planned.point(&mountpoint));
            decision.planned.push(planned);
        }
        Ok(decision)
    }

    /// What `--volumes-from` brings.
    fn of_other_containers(&self, container: &Id, settings: &Settings) -> Result<Vec<Wanted>> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for text in &settings.volumes_from {
            let (name, mode) = text.split_once(':').unwrap_or((text, ""));
            let read_only = match mode {
                "" | "rw" | "z" | "Z" => false,
                "ro" | "ro,z" | "ro,Z" | "z,ro" | "Z,ro" => true,
                _ => return Err(Error::invalid(format!("invalid mode for volumes-from: {mode}"))),
            };
            if mode.contains(['z', 'Z']) {
                refuse_to_relabel("--volumes-from", text)?;
            }
            let other = self.root.find(name)?;
            if other.id == *container {
                return Err(Error::invalid("a container cannot take its own volumes"));
            }
            for mut planned in other.record.mounts {
                if matches!(planned.source, Source::Tmpfs(_)) {
                    continue;
                }
                if let Source::Volume { no_copy, .. } = &mut planned.source {
                    // It is the other container's: its image had its turn.
                    *no_copy = true;
                }
                if read_only && planned.read_only == ReadOnly::No {
                    planned.read_only = ReadOnly::Recursive;
                }
                wanted.retain(|earlier| earlier.planned.target != planned.target);
                wanted.push(Wanted { planned, volume: VolumeRequest::default() });
            }
        }
        Ok(wanted)
    }
}

/// What `-v`, `--mount` and `--tmpfs` ask for.
fn own_mounts(settings: &Settings) -> Result<Vec<Wanted>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for text in &settings.binds {
        wanted.push(of_bind(text, settings)?);
    }
    for mount in &settings.mounts {
        let planned = request::plan(mount)?;
        let volume = match &mount.kind {
            MountKind::Volume { labels, driver, driver_options, .. } => VolumeRequest {
                name: String::new(),
                driver: driver.clone(),
                options: driver_options.clone(),
                labels: labels.clone(),
            },
            _ => VolumeRequest::default(),
        };
        wanted.push(Wanted { planned, volume });
    }
    for (target, options) in &settings.tmpfs {
        let tmpfs = TmpfsOptions::parse(options)?;
        let planned = Planned {
            target: request::target(target)?,
            read_only: tmpfs.options.read_only,
            source: Source::Tmpfs(tmpfs),
            propagation: Propagation::default(),
            mode: options.clone(),
        };
        wanted.push(Wanted { planned, volume: VolumeRequest::default() });
    }
    for (at, mount) in wanted.iter().enumerate() {
        let target = &mount.planned.target;
        if wanted[..at].iter().any(|earlier| earlier.planned.target == *target) {
            return Err(Error::invalid(format!("Duplicate mount point: {target}")));
        }
    }
    Ok(wanted)
}

fn of_bind(text: &str, settings: &Settings) -> Result<Wanted> {
    let bind = bind::parse(text)?;
    if bind.relabels {
        refuse_to_relabel("-v", text)?;
    }
    let source = if bind.is_path() {
        Source::Bind { path: bind.source.clone(), recursive: true, missing: Missing::Make }
    } else {
        let (name, no_copy) = (bind.source.clone(), bind.no_copy);
        Source::Volume { name, subpath: String::new(), is_anonymous: false, no_copy }
    };
    let planned = Planned {
        target: request::target(&bind.target)?,
        source,
        read_only: bind.read_only,
        propagation: bind.propagation.unwrap_or_default(),
        mode: bind.mode,
    };
    Ok(Wanted { planned, volume: of_driver(settings) })
}

/// Nothing labels files yet. Where there is no SELinux, there is nothing to do.
fn refuse_to_relabel(flag: &str, text: &str) -> Result<()> {
    if !Path::new("/sys/fs/selinux/enforce").exists() {
        return Ok(());
    }
    Err(Error::unsupported(format!(
        "not supported: {flag} {text}: files are not labelled: leave z or Z out and label them with chcon"
    )))
}

fn anonymous(target: String, settings: &Settings) -> Wanted {
    let source = Source::Volume { name: String::new(), subpath: String::new(), is_anonymous: true, no_copy: false };
    let planned =
        Planned { target, source, read_only: ReadOnly::No, propagation: Propagation::default(), mode: String::new() };
    Wanted { planned, volume: of_driver(settings) }
}

fn of_driver(settings: &Settings) -> VolumeRequest {
    VolumeRequest { driver: settings.volume_driver.clone(), ..VolumeRequest::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mount_for_each_target() {
        let with = |binds: &[&str], tmpfs: &[&str]| Settings {
            binds: binds.iter().map(|bind| (*bind).to_owned()).collect(),
            tmpfs: tmpfs.iter().map(|target| ((*target).to_owned(), String::new())).collect(),
            ..Settings::default()
        };
        assert_eq!(own_mounts(&with(&["/a:/x", "data:/y"], &["/z"])).unwrap().len(), 3);
        for (binds, tmpfs) in [(vec!["/a:/x", "/b:/x/"], vec![]), (vec!["/a:/x"], vec!["/x"])] {
            let error = own_mounts(&with(&binds, &tmpfs)).err().unwrap();
            assert!(error.to_string().contains("Duplicate mount point: /x"), "{error}");
        }
    }
}
