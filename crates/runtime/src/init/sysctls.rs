//! Kernel parameters of the container's own namespaces. Which ones are allowed is the engine's to decide.

use base::tree::{Links, Tree};
use base::{Context, Error, Result};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Writes `sysctls` through a process file system on which nothing else is mounted.
pub(super) fn write(sysctls: &BTreeMap<String, String>, proc: &Tree) -> Result<()> {
    for (name, value) in sysctls {
        write_one(proc, name, value).map_err(|error| error.context(format!("set sysctl {name}")))?;
    }
    Ok(())
}

fn write_one(proc: &Tree, name: &str, value: &str) -> Result<()> {
    let path = path_of(name)?;
    let file = match proc.open_at(&path, OFlags::WRONLY | OFlags::NOCTTY, Mode::empty(), Links::Refuse) {
        Err(Errno::NOENT) => return Err(Error::unsupported("this kernel has no such parameter")),
        file => file.with_context(|| format!("open {}", path.display()))?,
    };
    match rustix::io::write(&file, value.as_bytes()) {
        Ok(_) => Ok(()),
        Err(Errno::INVAL | Errno::RANGE) => Err(Error::invalid(format!("the kernel does not take {value:?}"))),
        Err(errno) => Err(errno).context("write"),
    }
}

/// As sysctl(8): whichever of `.` and `/` comes first separates.
fn path_of(name: &str) -> Result<PathBuf> {
    let separator = if name.find('/').unwrap_or(usize::MAX) < name.find('.').unwrap_or(usize::MAX) { '/' } else { '.' };
    let mut path = PathBuf::from("sys");
    for part in name.split(separator) {
        // The other separator is a character like others, as the dot is in the name of a VLAN.
        let part = if separator == '.' { part.replace('/', ".") } else { part.to_owned() };
        if part.is_empty() || part == "." || part == ".." || part.contains(['/', '\0']) {
            return Err(Error::invalid("no name of a kernel parameter"));
        }
        path.push(part);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, path) in [
            ("net.ipv4.ip_forward", "sys/net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "sys/net/ipv4/ip_forward"),
            ("net.ipv4.conf.eth0/1.rp_filter", "sys/net/ipv4/conf/eth0.1/rp_filter"),
            ("net/ipv4/conf/eth0.1/rp_filter", "sys/net/ipv4/conf/eth0.1/rp_filter"),
        ] {
            assert_eq!(path_of(name).unwrap(), PathBuf::from(path), "{name}");
        }
        for wrong in
            ["", "..", "net..x", "net/../kernel/core_pattern", "/etc/passwd", "net.//.x", "a.\0", "kernel./..x"]
        {
            assert!(path_of(wrong).is_err(), "{wrong:?}");
        }
    }
}
