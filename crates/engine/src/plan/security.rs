//! What `--security-opt` asks for.

use std::path::Path;

use base::{Error, Result};

use crate::Configuration;
use crate::containers::Settings;

/// Paths of the kernel that a container does not see, beside those of [`throttles`].
pub const MASKED_PATHS: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Paths of the kernel that a container cannot write.
pub const READ_ONLY_PATHS: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What a container's system calls are filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// The default profile.
    #[default]
    Default,
    /// Nothing.
    Unconfined,
    /// A profile of the user's, in Docker's format.
    Profile(String),
}

/// What `--security-opt` asks for, and what `--privileged` implies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// System calls.
    pub filter: Filter,
    /// Whether no process can ever gain privileges.
    pub no_new_privileges: bool,
    /// Profile; empty: none.
    pub apparmor: String,
    /// SELinux's `user:role:type:level` parts by key; empty: none.
    pub labels: Vec<(String, String)>,
    /// Whether SELinux is switched off for it.
    pub label_disabled: bool,
    /// Hidden paths.
    pub masked_paths: Vec<String>,
    /// Read-only paths.
    pub read_only_paths: Vec<String>,
}

/// Reads the security options of `settings`.
///
/// # Errors
/// `Invalid` for an option that is not understood.
pub fn plan(settings: &Settings, configuration: &Configuration) -> Result<Security> {
    let mut security = Security {
        filter: configured_filter(configuration),
        masked_paths: settings.masked_paths.clone().unwrap_or_else(masked_paths),
        read_only_paths: settings.read_only_paths.clone().unwrap_or_else(|| owned(READ_ONLY_PATHS)),
        ..Security::default()
    };
    if settings.privileged {
        security.filter = Filter::Unconfined;
        security.masked_paths.clear();
        security.read_only_paths.clear();
    }
    for option in &settings.security_options {
        apply(&mut security, option)?;
    }
    Ok(security)
}

fn masked_paths() -> Vec<String> {
    let mut paths = owned(MASKED_PATHS);
    paths.extend(throttles(Path::new(PROCESSORS)));
    paths
}

const PROCESSORS: &str = "/sys/devices/system/cpu";

/// Where the processors in `directory` count how often they were too hot, of which a container could tell what its neighbours compute (as in Docker).
fn throttles(directory: &Path) -> Vec<String> {
    let is_processor = |name: &str| {
        let number = name.strip_prefix("cpu").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_processor(name));
    let places = names.map(|name| directory.join(name).join("thermal_throttle")).filter(|place| place.exists());
    let mut paths: Vec<String> = places.map(|place| place.display().to_string()).collect();
    paths.sort();
    paths
}

fn owned(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

fn configured_filter(configuration: &Configuration) -> Filter {
    match configuration.seccomp_profile.as_deref() {
        None | Some("" | "builtin") => Filter::Default,
        Some("unconfined") => Filter::Unconfined,
        Some(profile) => Filter::Profile(profile.to_owned()),
    }
}

fn apply(security: &mut Security, option: &str) -> Result<()> {
    // Docker's older notation separates by a colon.
    let at = option.find(['=', ':']);
    let (key, value) = match at {
        Some(at) => (&option[..at], Some(&option[at + 1..])),
        None => (option, None),
    };
    match (key, value) {
        ("no-new-privileges", None) => security.no_new_privileges = true,
        ("no-new-privileges", Some(value)) => security.no_new_privileges = boolean(option, value)?,
        ("seccomp", Some("unconfined")) => security.filter = Filter::Unconfined,
        ("seccomp", Some("builtin" | "default")) => security.filter = Filter::Default,
        ("seccomp", Some(profile)) if profile.trim_start().starts_with('{') => {
            security.filter = Filter::Profile(profile.to_owned());
        }
        ("seccomp", Some(_)) => {
            return Err(Error::invalid(
                "invalid --security-opt seccomp: use unconfined, builtin, or the content of a profile",
            ));
        }
        ("apparmor", Some("unconfined")) => security.apparmor = "unconfined".to_owned(),
        ("apparmor", Some(profile)) if !profile.is_empty() => security.apparmor = profile.to_owned(),
        ("label", Some("disable")) => security.label_disabled = true,
        ("label", Some(label)) => security.labels.push(label_part(option, label)?),
        ("systempaths", Some("unconfined")) => {
            security.masked_paths.clear();
            security.read_only_paths.clear();
        }
        ("writable-cgroups", _) => {
            return Err(Error::unsupported("not supported: --security-opt writable-cgroups"));
        }
        _ => return Err(Error::invalid(format!("invalid --security-opt: {option:?}"))),
    }
    Ok(())
}

fn boolean(option: &str, value: &str) -> Result<bool> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Error::invalid(format!("invalid --security-opt {option:?}: use true or false"))),
    }
}

fn label_part(option: &str, label: &str) -> Result<(String, String)> {
    match label.split_once(':') {
        Some(("filetype", _)) => Err(Error::unsupported(format!(
            "not supported: --security-opt {option}: files are not labelled; leave the option out"
        ))),
        Some((key @ ("user" | "role" | "type" | "level"), value)) if !value.is_empty() => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err(Error::invalid(format!(
            "invalid --security-opt {option:?}: use label=disable or label=user|role|type|level:VALUE"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(options: &[&str], privileged: bool) -> Result<Security> {
        let settings = Settings { security_options: owned(options), privileged, ..Settings::default() };
        plan(&settings, &Configuration::default())
    }

    #[test]
    fn processors_that_count_their_heat_are_masked() {
        let folder = std::env::temp_dir().join(format!("engine-throttles-{}", std::process::id()));
        for name in ["cpu0/thermal_throttle", "cpu11/thermal_throttle", "cpu2", "cpufreq/thermal_throttle"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        let expected = ["cpu0", "cpu11"].map(|name| folder.join(name).join("thermal_throttle").display().to_string());
        assert_eq!(throttles(&folder), expected);
        assert!(throttles(&folder.join("missing")).is_empty());
        assert!(masked_paths().starts_with(&owned(MASKED_PATHS)));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn options() {
        let default = planned(&[], false).unwrap();
        assert_eq!(default.filter, Filter::Default);
        assert_eq!(default.masked_paths, masked_paths());
        assert!(!default.no_new_privileges);
        assert!(planned(&["no-new-privileges"], false).unwrap().no_new_privileges);
        assert!(!planned(&["no-new-privileges=false"], false).unwrap().no_new_privileges);
        assert!(planned(&["no-new-privileges:true"], false).unwrap().no_new_privileges);
        assert_eq!(planned(&["seccomp=unconfined"], false).unwrap().filter, Filter::Unconfined);
        assert_eq!(planned(&["seccomp={}"], false).unwrap().filter, Filter::Profile("{}".to_owned()));
        assert!(planned(&["systempaths=unconfined"], false).unwrap().masked_paths.is_empty());
        assert!(planned(&["label=disable"], false).unwrap().label_disabled);
        assert_eq!(planned(&["label=type:spc_t"], false).unwrap().labels, [("type".to_owned(), "spc_t".to_owned())]);
        assert_eq!(planned(&["apparmor=mine"], false).unwrap().apparmor, "mine");
        for wrong in
            ["seccomp=/etc/passwd", "unknown", "label=x", "no-new-privileges=maybe", "systempaths=x", "apparmor="]
        {
            assert!(planned(&[wrong], false).is_err(), "{wrong}");
        }
        assert_eq!(planned(&["label=filetype:x_t"], false).unwrap_err().kind(), base::Kind::Unsupported);
    }

    #[test]
    fn privileged_hides_nothing() {
        let security = planned(&[], true).unwrap();
        assert_eq!(security.filter, Filter::Unconfined);
        assert!(security.masked_paths.is_empty() && security.read_only_paths.is_empty());
        assert_eq!(planned(&["seccomp={}"], true).unwrap().filter, Filter::Profile("{}".to_owned()));
    }
}
