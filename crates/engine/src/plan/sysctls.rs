//! Which kernel settings a container may set: those that its own namespaces have.

use base::{Error, Result};

use crate::containers::{IpcMode, NetworkMode, Settings, UtsMode};

const IPC: &[&str] = &[
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Checks the sysctls of `settings` against its namespaces.
///
/// # Errors
/// `Invalid` for one that no namespace has or that belongs to one that is not the container's own.
pub fn check(settings: &Settings) -> Result<()> {
    let own_ipc = !matches!(settings.ipc, IpcMode::Host | IpcMode::Container(_));
    let own_network = !matches!(settings.network, NetworkMode::Host | NetworkMode::Container(_));
    for (name, value) in &settings.sysctls {
        let dotted = name.replace('/', ".");
        let refuse = |why: &str| Err(Error::invalid(format!("sysctl {name:?} is not allowed: {why}")));
        if !is_name(&dotted) || value.contains('\0') || value.contains('\n') {
            return refuse("it is malformed");
        }
        if IPC.contains(&dotted.as_str()) || dotted.starts_with("fs.mqueue.") {
            if !own_ipc {
                return refuse("the container has no IPC namespace of its own");
            }
        } else if dotted.starts_with("net.") {
            if !own_network {
                return refuse("the container has no network namespace of its own");
            }
        } else if dotted == "kernel.domainname" {
            if settings.uts == UtsMode::Host {
                return refuse("the container has no UTS namespace of its own");
            }
        } else {
            return refuse("it is not in a separate kernel namespace");
        }
    }
    Ok(())
}

// No empty part: neither `..` nor an absolute path can come out of it.
fn is_name(dotted: &str) -> bool {
    let part_is_good = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    dotted.split('.').all(part_is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &str, settings: Settings) -> bool {
        let sysctls = [(name.to_owned(), "1".to_owned())].into();
        check(&Settings { sysctls, ..settings }).is_ok()
    }

    #[test]
    fn only_what_a_namespace_of_its_own_has() {
        let table = [
            ("net.ipv4.ip_forward", true),
            ("net/ipv4/ip_forward", true),
            ("kernel.shmmax", true),
            ("fs.mqueue.msg_max", true),
            ("kernel.domainname", true),
            ("kernel.core_pattern", false),
            ("vm.overcommit_memory", false),
            ("net..core", false),
            ("net/../kernel/core_pattern", false),
            ("", false),
        ];
        for (name, expected) in table {
            assert_eq!(checked(name, Settings::default()), expected, "{name}");
        }
        assert!(!checked("net.core.somaxconn", Settings { network: NetworkMode::Host, ..Settings::default() }));
        assert!(!checked("kernel.sem", Settings { ipc: IpcMode::Host, ..Settings::default() }));
        assert!(!checked("kernel.domainname", Settings { uts: UtsMode::Host, ..Settings::default() }));
    }
}
