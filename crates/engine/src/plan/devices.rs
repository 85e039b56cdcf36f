//! Devices of the host in a container: `--device`, `--device-cgroup-rule`, and all of them with `--privileged`.

use std::path::{Path, PathBuf};

use base::{Context, Error, Result};
use cgroup::{Access, DeviceKind, DeviceRule};
use rustix::fs::FileType;

use crate::containers::{DeviceMapping, Settings};

/// What `--device` may grant.
const PERMISSIONS: &str = "rwm";
/// Folders and files of `/dev` that every container has its own of.
const OWN: &[&str] =
    &["console", "fd", "mqueue", "ptmx", "pts", "shm", "stderr", "stdin", "stdout", "lxc", "lxd-fuse", ".lxc", "core"];
/// More than any host has; a directory that loops ends here.
const DEVICE_LIMIT: usize = 4096;

/// One device of the host, found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where in the container.
    pub path: PathBuf,
    /// A block device, or else a character device.
    pub block: bool,
    /// Its driver.
    pub major: u32,
    /// Its number with the driver.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub user: u32,
    /// Group.
    pub group: u32,
    /// Some of `r`, `w`, `m`.
    pub permissions: String,
}

/// Checks notation without looking at the host.
///
/// # Errors
/// `Invalid` for a relative path or permissions that are none.
pub fn check(settings: &Settings) -> Result<()> {
    for device in &settings.devices {
        for path in [&device.host_path, &device.container_path] {
            let good = path.starts_with('/') && !path.split('/').any(|part| part == "..") && !path.contains('\0');
            if !(good || path.is_empty() && std::ptr::eq(path, &device.container_path)) {
                return Err(Error::invalid(format!("{path:?} is not an absolute path of a device")));
            }
        }
        if !device.permissions.is_empty() {
            Access::parse(&device.permissions)?;
        }
    }
    settings.device_rules.iter().try_for_each(|rule| DeviceRule::parse(rule).map(drop))
}

/// Looks up the devices that `settings` asks for.
///
/// # Errors
/// `Invalid` for a path that is missing or no device.
pub fn find(settings: &Settings) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    if settings.privileged {
        walk(Path::new("/dev"), Path::new("/dev"), PERMISSIONS, &mut found)?;
        found.retain(|device| !OWN.iter().any(|own| device.path.starts_with(Path::new("/dev").join(own))));
    }
    for mapping in &settings.devices {
        find_one(mapping, &mut found)?;
    }
    Ok(found)
}

/// What the device controller is told: nothing but what every container has, what was `found` and what the user's rules say.
///
/// # Errors
/// `Invalid` for a rule that is none.
pub fn rules(settings: &Settings, found: &[Found]) -> Result<Vec<DeviceRule>> {
    if settings.privileged {
        return Ok(vec![DeviceRule::ALLOW_ALL]);
    }
    let mut rules = DeviceRule::defaults();
    for device in found {
        let kind = if device.block { DeviceKind::Block } else { DeviceKind::Character };
        let access = Access::parse(&device.permissions)?;
        rules.push(DeviceRule { allow: true, kind, major: Some(device.major), minor: Some(device.minor), access });
    }
    for text in &settings.device_rules {
        rules.extend(DeviceRule::parse(text)?);
    }
    Ok(rules)
}

fn find_one(mapping: &DeviceMapping, found: &mut Vec<Found>) -> Result<()> {
    let host = Path::new(&mapping.host_path);
    let inside = if mapping.container_path.is_empty() { host } else { Path::new(&mapping.container_path) };
    let permissions = if mapping.permissions.is_empty() { PERMISSIONS } else { &mapping.permissions };
    // A link like /dev/cdrom is followed; what it names is then looked at.
    let target = std::fs::canonicalize(host).map_err(|error| {
        Error::invalid(format!(
            "error gathering device information while adding custom device {:?}: {error}",
            mapping.host_path
        ))
    })?;
    let before = found.len();
    if target.is_dir() {
        walk(&target, inside, permissions, found)?;
    } else {
        found.extend(stat_device(&target, inside, permissions)?);
    }
    if found.len() == before {
        return Err(Error::invalid(format!(
            "error gathering device information while adding custom device {:?}: not a device node",
            mapping.host_path
        )));
    }
    Ok(())
}

fn walk(host: &Path, inside: &Path, permissions: &str, found: &mut Vec<Found>) -> Result<()> {
    let entries = std::fs::read_dir(host).with_context(|| format!("list the devices in {}", host.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("list the devices in {}", host.display()))?;
        let name = entry.file_name();
        if OWN.iter().any(|own| name == *own) {
            continue;
        }
        let kind = entry.file_type().with_context(|| format!("look at {}", entry.path().display()))?;
        if kind.is_dir() {
            walk(&entry.path(), &inside.join(&name), permissions, found)?;
        } else if !kind.is_symlink() {
            found.extend(stat_device(&entry.path(), &inside.join(&name), permissions)?);
        }
        if found.len() > DEVICE_LIMIT {
            return Err(Error::invalid(format!("more than {DEVICE_LIMIT} devices below {}", host.display())));
        }
    }
    Ok(())
}

fn stat_device(host: &Path, inside: &Path, permissions: &str) -> Result<Option<Found>> {
    let status = match rustix::fs::lstat(host) {
        Ok(status) => status,
        // Unplugged since it was listed.
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno).with_context(|| format!("look at the device {}", host.display())),
    };
    let block = match FileType::from_raw_mode(status.st_mode) {
        FileType::BlockDevice => true,
        FileType::CharacterDevice => false,
        _ => return Ok(None),
    };
    Ok(Some(Found {
        path: inside.to_owned(),
        block,
        major: rustix::fs::major(status.st_rdev),
        minor: rustix::fs::minor(status.st_rdev),
        mode: status.st_mode & 0o7777,
        user: status.st_uid,
        group: status.st_gid,
        permissions: permissions.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(host: &str, inside: &str, permissions: &str) -> Settings {
        let device = DeviceMapping {
            host_path: host.to_owned(),
            container_path: inside.to_owned(),
            permissions: permissions.to_owned(),
        };
        Settings { devices: vec![device], ..Settings::default() }
    }

    #[test]
    fn a_device_is_found_by_its_numbers() {
        let found = find(&mapping("/dev/null", "/dev/nothing", "r")).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].block, found[0].major, found[0].minor), (false, 1, 3));
        assert_eq!((found[0].path.as_path(), found[0].permissions.as_str()), (Path::new("/dev/nothing"), "r"));
        assert!(find(&mapping("/etc/passwd", "", "")).is_err());
        assert!(find(&mapping("/dev/missing", "", "")).is_err());
    }

    #[test]
    fn notation() {
        assert!(check(&mapping("/dev/null", "", "rwm")).is_ok());
        for (host, inside, permissions) in [
            ("dev/null", "", ""),
            ("", "", ""),
            ("/dev/null", "x", ""),
            ("/dev/null", "/dev/../x", ""),
            ("/dev/null", "", "rr"),
        ] {
            assert!(check(&mapping(host, inside, permissions)).is_err(), "{host} {inside} {permissions}");
        }
    }

    #[test]
    fn only_what_is_granted_found_or_ruled() {
        let found = find(&mapping("/dev/null", "/dev/nothing", "r")).unwrap();
        let settings =
            Settings { device_rules: vec!["b 8:* rw".to_owned(), "a 10:1 r".to_owned()], ..Settings::default() };
        let rules = super::rules(&settings, &found).unwrap();
        assert_eq!(rules[0], DeviceRule::DENY_ALL);
        let texts: Vec<String> =
            rules[rules.len() - 4..].iter().map(|rule| format!("{:?} {}", rule.kind, rule.access)).collect();
        assert_eq!(texts, ["Character r", "Block rw", "Block r", "Character r"]);
        assert_eq!((rules.len(), rules[rules.len() - 3].minor), (DeviceRule::defaults().len() + 4, None));
        let privileged = Settings { privileged: true, ..settings };
        assert_eq!(super::rules(&privileged, &found).unwrap(), [DeviceRule::ALLOW_ALL]);
    }
}
