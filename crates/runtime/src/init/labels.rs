//! Labels of security modules: the file is opened while `/proc` is the host's, and written when nothing but exec is left.

use crate::spec::Process;
use base::{Context, Error, Result};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A label that the program will get.
#[derive(Debug)]
pub(crate) struct Label {
    file: OwnedFd,
    text: String,
    name: String,
}

impl Label {
    /// Prepares the label that `process` asks for.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](base::Kind::Unsupported) where the kernel does not have that module.
    pub(crate) fn open(process: &Process) -> Result<Option<Self>> {
        if let Some(profile) = process.apparmor_profile.as_deref().filter(|profile| *profile != "unconfined") {
            let enabled =
                std::fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with(b"Y"));
            if !enabled {
                return Err(Error::unsupported(format!(
                    "AppArmor profile {profile}: AppArmor is not enabled on this host: leave the option out"
                )));
            }
            let file = open("/proc/self/attr/apparmor/exec").or_else(|_| open("/proc/self/attr/exec"))?;
            return Ok(Some(Self {
                file,
                text: format!("exec {profile}"),
                name: format!("AppArmor profile {profile}"),
            }));
        }
        if let Some(label) = &process.selinux_label {
            if !Path::new("/sys/fs/selinux/enforce").exists() {
                return Err(Error::unsupported(format!(
                    "SELinux label {label}: SELinux is not enabled on this host: leave the option out"
                )));
            }
            let file = open("/proc/self/attr/exec")?;
            return Ok(Some(Self { file, text: label.clone(), name: format!("SELinux label {label}") }));
        }
        Ok(None)
    }

    /// Has the next program run under the label.
    pub(super) fn apply(&self) -> Result<()> {
        match rustix::io::write(&self.file, self.text.as_bytes()) {
            Err(Errno::NOENT) => Err(Error::not_found(format!("{} is not loaded", self.name))),
            outcome => outcome.map(drop).with_context(|| format!("set {}", self.name)),
        }
    }
}

fn open(path: &str) -> Result<OwnedFd> {
    rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).with_context(|| format!("open {path}"))
}
