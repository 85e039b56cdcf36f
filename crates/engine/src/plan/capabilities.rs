//! Which capabilities a container's process gets.

use base::{Error, Result};

use crate::configuration::Defaults;
use crate::containers::Settings;

/// Every capability, by number.
pub const ALL: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// What a container gets that asked for nothing.
const DEFAULT: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SYS_CHROOT",
    "CAP_MKNOD",
    "CAP_AUDIT_WRITE",
    "CAP_SETFCAP",
];

/// A set of capabilities, a bit per number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// Every capability that this program knows.
    pub const EVERY: Self = Self((1 << ALL.len()) - 1);

    fn of(names: &[&str]) -> Self {
        Self(names.iter().filter_map(|name| number(name)).fold(0, |bits, number| bits | 1 << number))
    }

    /// A bit per number.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Their names, by number.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        let held = ALL.iter().enumerate().filter(|(number, _)| self.0 & 1 << number != 0);
        held.map(|(_, name)| (*name).to_owned()).collect()
    }
}

fn number(name: &str) -> Option<usize> {
    ALL.iter().position(|known| *known == name)
}

/// What the user asked for, over the defaults; `ALL` in the additions begins with everything, in the drops with nothing.
///
/// # Errors
/// `Invalid` for an unknown name.
pub fn plan(settings: &Settings, defaults: Defaults) -> Result<Capabilities> {
    if settings.privileged {
        return Ok(Capabilities::EVERY);
    }
    let (adds_all, adds) = parse(&settings.capabilities_add)?;
    let (drops_all, drops) = parse(&settings.capabilities_drop)?;
    let mut initial = Capabilities::of(&DEFAULT).0;
    if defaults == Defaults::Hardened {
        initial &= !Capabilities::of(&["CAP_NET_RAW"]).0;
    }
    let bits = match (adds_all, drops_all) {
        (true, _) => Capabilities::EVERY.0 & !drops,
        (false, true) => adds,
        (false, false) => initial & !drops | adds,
    };
    Ok(Capabilities(bits))
}

/// Whether `ALL` is among the names, and the bits of the others.
fn parse(names: &[String]) -> Result<(bool, u64)> {
    let (mut all, mut bits) = (false, 0);
    for name in names {
        let upper = name.to_ascii_uppercase();
        if upper == "ALL" || upper == "CAP_ALL" {
            all = true;
            continue;
        }
        let full = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
        let number = number(&full)
            .ok_or_else(|| Error::invalid(format!("invalid capability {name:?}: there is none of this name")))?;
        bits |= 1 << number;
    }
    Ok((all, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(add: &[&str], drop: &[&str]) -> Result<Vec<String>> {
        let settings = Settings {
            capabilities_add: add.iter().map(|name| (*name).to_owned()).collect(),
            capabilities_drop: drop.iter().map(|name| (*name).to_owned()).collect(),
            ..Settings::default()
        };
        plan(&settings, Defaults::Docker).map(Capabilities::names)
    }

    #[test]
    fn defaults_are_dockers() {
        assert_eq!(planned(&[], &[]).unwrap(), DEFAULT);
        assert_eq!(plan(&Settings::default(), Defaults::Docker).unwrap().bits(), 0xa804_25fb);
    }

    #[test]
    fn additions_and_drops() {
        assert_eq!(planned(&[], &["ALL"]).unwrap(), [""; 0]);
        assert_eq!(planned(&["net_admin"], &["all"]).unwrap(), ["CAP_NET_ADMIN"]);
        assert_eq!(planned(&["ALL"], &["CAP_SYS_ADMIN"]).unwrap().len(), 40);
        assert_eq!(planned(&["SYS_TIME"], &["CHOWN"]).unwrap().len(), 14);
        assert!(planned(&["NONSENSE"], &[]).is_err());
        let privileged = Settings { privileged: true, ..Settings::default() };
        assert_eq!(plan(&privileged, Defaults::Docker).unwrap(), Capabilities::EVERY);
        let hardened = plan(&Settings::default(), Defaults::Hardened).unwrap().names();
        assert!(!hardened.contains(&"CAP_NET_RAW".to_owned()));
    }
}
