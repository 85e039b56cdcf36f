//! On what a profile is compiled for: machine, kernel and capabilities.

use super::architecture::Architecture;
use super::profile::{Restriction, Rule};
use base::{Error, Result};

/// Names of capabilities by number, without `CAP_` (linux/capability.h).
const CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What decides which rules of a profile apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// The machine.
    pub architecture: Architecture,
    /// The kernel's version, its first two parts.
    pub kernel: (u32, u32),
    /// The process's bounding capabilities, as bits by their numbers.
    pub capabilities: u64,
}

impl Conditions {
    /// Those of this host, for a process with `capabilities`.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](base::Kind::Unsupported) on a machine whose system calls are not known here.
    pub fn here(capabilities: u64) -> Result<Self> {
        let architecture = Architecture::native().ok_or_else(|| {
            Error::unsupported(
                "system calls cannot be filtered on this architecture: use --security-opt seccomp=unconfined",
            )
        })?;
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        Ok(Self { architecture, kernel: version(&release), capabilities })
    }

    /// Whether `rule` applies.
    pub(super) fn admit(&self, rule: &Rule) -> bool {
        self.includes(&rule.includes) && !self.excludes(&rule.excludes)
    }

    /// All that is named must be so.
    fn includes(&self, restriction: &Restriction) -> bool {
        restriction.capabilities.iter().all(|name| self.has(name))
            && (restriction.architectures.is_empty() || self.is_among(&restriction.architectures))
            && restriction.kernel.is_none_or(|oldest| self.kernel >= oldest)
    }

    /// One thing that is so is enough.
    fn excludes(&self, restriction: &Restriction) -> bool {
        restriction.capabilities.iter().any(|name| self.has(name))
            || self.is_among(&restriction.architectures)
            || restriction.kernel.is_some_and(|oldest| self.kernel >= oldest)
    }

    fn is_among(&self, architectures: &[String]) -> bool {
        architectures.iter().any(|name| name == self.architecture.profile_name())
    }

    fn has(&self, capability: &str) -> bool {
        let name = capability.strip_prefix("CAP_").unwrap_or(capability);
        CAPABILITIES.iter().position(|known| *known == name).is_some_and(|bit| self.capabilities & 1 << bit != 0)
    }
}

/// The first two numbers of a release like `6.18.0-rc1`; 0 where they are missing.
fn version(release: &str) -> (u32, u32) {
    let mut parts = release.split(|letter: char| !letter.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restrictions() {
        let conditions = Conditions { architecture: Architecture::X86_64, kernel: (5, 10), capabilities: 1 << 21 };
        let restriction = |capabilities: &[&str], architectures: &[&str], kernel| Restriction {
            capabilities: capabilities.iter().map(|name| (*name).to_owned()).collect(),
            architectures: architectures.iter().map(|name| (*name).to_owned()).collect(),
            kernel,
        };
        for (restriction, included, excluded) in [
            (restriction(&[], &[], None), true, false),
            (restriction(&["CAP_SYS_ADMIN"], &[], None), true, true),
            (restriction(&["CAP_SYS_ADMIN", "CAP_BPF"], &[], None), false, true),
            (restriction(&["CAP_NOTHING"], &[], None), false, false),
            (restriction(&[], &["arm", "amd64"], None), true, true),
            (restriction(&[], &["s390x"], None), false, false),
            (restriction(&[], &[], Some((4, 8))), true, true),
            (restriction(&[], &[], Some((5, 11))), false, false),
        ] {
            assert_eq!(conditions.includes(&restriction), included, "{restriction:?}");
            assert_eq!(conditions.excludes(&restriction), excluded, "{restriction:?}");
        }
    }

    #[test]
    fn versions() {
        for (release, parts) in [("6.18.0-rc1", (6, 18)), ("5.10", (5, 10)), ("6.1+deb", (6, 1)), ("x", (0, 0))] {
            assert_eq!(version(release), parts, "{release}");
        }
    }
}
