//! `berth system install`: the systemd unit that brings containers up at boot and stops them with their own signals at shutdown.
//!
//! The unit holds no process. Supervisors live in control groups of their own, outside of the unit's and unknown to systemd, which therefore touches
//! them only when it ends every process that is left, after all units have stopped. So the unit's stop, and it alone, must have stopped the
//! containers by then; and stopping or restarting something else, or a session's end, never reaches them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use base::digest::Digest;
use base::{Context, Error, Result};
use cli::Globals;
use engine::{Options, layout};

use crate::open;

/// Units of the administrator.
const UNITS: &str = "/etc/systemd/system";
/// Exists where systemd is the init process (`sd_booted(3)`).
const BOOTED: &str = "/run/systemd/system";
/// What the machine starts for.
const TARGET: &str = "multi-user.target";

/// Writes the unit, enables it, and starts it where systemd runs; a line for each step.
///
/// # Errors
/// `Unsupported` without systemd; `Invalid` for a path that a unit cannot name; what writing the unit or `systemctl` fails with.
pub(crate) fn install(globals: &Globals) -> Result<Vec<String>> {
    let options = open::options(globals)?;
    let folder = Path::new(UNITS);
    if !folder.is_dir() {
        return Err(Error::unsupported(format!(
            "install: there is no {UNITS}: without systemd, let your init run `berth system boot` at start and `berth system shutdown` at shutdown"
        )));
    }
    let name = unit_name(&options);
    let path = folder.join(&name);
    let text = unit(&options)?;
    let mut steps = vec![write_unit(&path, &text)?];
    if !Path::new(BOOTED).is_dir() {
        steps.push(enable_by_link(folder, &name)?);
        return Ok(steps);
    }
    for arguments in [&["daemon-reload"][..], &["enable", &name]] {
        steps.push(systemctl(arguments)?);
    }
    // A unit that is not active has nothing to stop at shutdown.
    steps.push(systemctl(&["start", &name])?);
    Ok(steps)
}

/// One unit for each state root.
fn unit_name(options: &Options) -> String {
    if options.root == Path::new(layout::DEFAULT_ROOT) {
        return "berth.service".to_owned();
    }
    format!("berth-{}.service", &Digest::sha256(options.root.as_os_str().as_encoded_bytes()).hex()[..8])
}

fn unit(options: &Options) -> Result<String> {
    let mut command = word(&options.binary)?;
    let mut mounts = String::new();
    for (flag, path) in [("--root", &options.root), ("--runroot", &options.runroot)] {
        let path = word(path)?;
        let _ = write!(command, " {flag} {path}");
        let _ = write!(mounts, " {path}");
    }
    if let Some(configuration) = &options.configuration_file {
        let _ = write!(command, " --config-file {}", word(configuration)?);
    }
    Ok(format!(
        "\
# Written by `berth system install`.
[Unit]
Description=berth containers
# What is started after these is stopped before them: containers keep their network and their volumes until they have ended.
Wants=network-online.target
After=network-online.target nss-lookup.target local-fs.target remote-fs.target time-sync.target dbus.service
RequiresMountsFor={mounts}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={command} system boot
ExecStop={command} system shutdown
# A container's own patience ends its stop; this bound is only for one that has none.
TimeoutStopSec=10min
# What a start or a stop leaves running is a container's and not this unit's to end.
KillMode=process

[Install]
WantedBy={TARGET}
",
        mounts = mounts.trim_start(),
    ))
}

/// A path as one word of a unit (`systemd.service(5)`, command lines; `systemd.unit(5)`, specifiers).
fn word(path: &Path) -> Result<String> {
    let text = path.to_str().filter(|text| text.starts_with('/') && !text.contains(char::is_control));
    let text = text.ok_or_else(|| Error::invalid(format!("install: a unit cannot name the path {path:?}")))?;
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    Ok(if escaped.contains([' ', '\'', ';', '"']) { format!("\"{escaped}\"") } else { escaped })
}

fn write_unit(path: &Path, text: &str) -> Result<String> {
    if std::fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(format!("{} is there already", path.display()));
    }
    let partial = PathBuf::from(format!("{}.partial", path.display()));
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
    written.with_context(|| format!("write {}", path.display()))?;
    Ok(format!("wrote {}", path.display()))
}

/// What `systemctl enable` would do, on a system that is not running.
fn enable_by_link(units: &Path, name: &str) -> Result<String> {
    let wants = units.join(format!("{TARGET}.wants"));
    std::fs::create_dir_all(&wants).with_context(|| format!("make directory {}", wants.display()))?;
    let link = wants.join(name);
    match std::os::unix::fs::symlink(units.join(name), &link) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("link {}", link.display()))
        }
        _ => Ok(format!("enabled {name} for the next boot; systemd does not run here now")),
    }
}

fn systemctl(arguments: &[&str]) -> Result<String> {
    let line = format!("systemctl {}", arguments.join(" "));
    let output = Command::new("systemctl").args(arguments).output().with_context(|| line.clone())?;
    if output.status.success() {
        return Ok(line);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(Error::unavailable(format!("{line}: {} ({})", complaint.trim(), output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Configuration;

    fn options(root: &str) -> Options {
        Options {
            root: root.into(),
            runroot: "/run/berth".into(),
            configuration: Configuration::default(),
            configuration_file: None,
            binary: "/usr/bin/berth".into(),
        }
    }

    #[test]
    fn the_unit_boots_and_shuts_down() {
        let options = Options { configuration_file: Some("/etc/my engine.json".into()), ..options("/var/lib/berth") };
        let text = unit(&options).unwrap();
        let command = "/usr/bin/berth --root /var/lib/berth --runroot /run/berth --config-file \"/etc/my engine.json\"";
        for line in [
            format!("ExecStart={command} system boot"),
            format!("ExecStop={command} system shutdown"),
            "RemainAfterExit=yes".to_owned(),
            "RequiresMountsFor=/var/lib/berth /run/berth".to_owned(),
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in {text}");
        }
    }

    #[test]
    fn each_root_has_its_unit() {
        assert_eq!(unit_name(&options("/var/lib/berth")), "berth.service");
        let other = unit_name(&options("/srv/berth"));
        assert!(other.starts_with("berth-") && other.len() == "berth-12345678.service".len(), "{other}");
    }

    #[test]
    fn words_of_a_unit_mean_what_they_say() {
        let table = [
            ("/a/b", "/a/b"),
            ("/a b", "\"/a b\""),
            ("/100%", "/100%%"),
            ("/a$b", "/a$$b"),
            ("/a\"b", "\"/a\\\"b\""),
            ("/a\\b", "/a\\\\b"),
        ];
        for (path, expected) in table {
            assert_eq!(word(Path::new(path)).unwrap(), expected);
        }
        assert!(word(Path::new("relative")).is_err());
        assert!(word(Path::new("/a\nExecStart=/bin/sh")).is_err());
    }
}
