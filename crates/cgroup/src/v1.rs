//! Limits as the controllers of cgroup v1 take them (Documentation/admin-guide/cgroup-v1/).

use crate::device::{Access, DeviceKind, DeviceRule};
use crate::directory;
use crate::group::{Group, Place, relative};
use crate::resources::Resources;
use crate::v2::missing;
use base::{Context, Error, Result};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};

/// Writes what `resources` sets in one v1 hierarchy.
pub(crate) fn apply_to(place: &Place<'_>, resources: &Resources) -> Result<()> {
    let group = place.directory;
    for controller in place.hierarchy.controllers() {
        match controller.as_str() {
            "memory" => memory(group, resources)?,
            "cpu" => cpu(group, resources)?,
            "cpuset" => {
                let lists = [("cpus", &resources.cpuset_cpus), ("mems", &resources.cpuset_mems)];
                for (kind, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
                    write(group, &format!("cpuset.{kind}"), list, &format!("cpuset {kind}"))?;
                }
            }
            "pids" => {
                if let Some(pids) = resources.pids {
                    let value = if pids < 0 { "max".to_owned() } else { pids.to_string() };
                    write(group, "pids.max", &value, "pids limit")?;
                }
            }
            "devices" => devices(group, &resources.devices)?,
            _ => {}
        }
    }
    Ok(())
}

/// Refuses settings whose controller is mounted nowhere, instead of dropping them.
pub(crate) fn check_reachable(group: &Group, resources: &Resources) -> Result<()> {
    if group.controller("memory").is_none() && group.directory().is_some() && group.host.hierarchies().len() == 1 {
        // Pure v2: a missing file has been reported already.
        return Ok(());
    }
    let memory = resources.memory.or(resources.memory_swap).or(resources.memory_reservation).is_some()
        || resources.memory_swappiness.is_some()
        || resources.oom_kill_disable;
    let cpu = resources.cpu_shares.is_some() || resources.cpu_quota.is_some() || resources.cpu_period.is_some();
    let cpuset = !resources.cpuset_cpus.is_empty() || !resources.cpuset_mems.is_empty();
    for (wanted, controller) in [
        (memory, "memory"),
        (cpu, "cpu"),
        (cpuset, "cpuset"),
        (resources.pids.is_some(), "pids"),
        (!resources.devices.is_empty(), "devices"),
    ] {
        if wanted && group.controller(controller).is_none() {
            return Err(Error::unsupported(format!(
                "limits of the {controller} controller cannot be set: no hierarchy with it is mounted"
            )));
        }
    }
    Ok(())
}

fn write(group: BorrowedFd<'_>, file: &str, value: &str, setting: &str) -> Result<()> {
    match directory::write(group, file, value) {
        Err(Errno::NOENT) => Err(missing(setting, file)),
        result => result.with_context(|| format!("set {setting} (write {value:?} to {file})")),
    }
}

fn memory(group: BorrowedFd<'_>, resources: &Resources) -> Result<()> {
    memory_and_swap(group, resources)?;
    if let Some(bytes) = resources.memory_reservation {
        write(group, "memory.soft_limit_in_bytes", &bytes.to_string(), "memory reservation")?;
    }
    if let Some(swappiness) = resources.memory_swappiness {
        write(group, "memory.swappiness", &swappiness.to_string(), "memory swappiness")?;
    }
    if resources.oom_kill_disable {
        write(group, "memory.oom_control", "1", "oom kill disable")?;
    }
    Ok(())
}

/// The kernel never lets the bound of memory be above that of memory and swap together, at no step of a change.
fn memory_and_swap(group: BorrowedFd<'_>, resources: &Resources) -> Result<()> {
    const MEMORY: &str = "memory.limit_in_bytes";
    let Some(memory) = resources.memory else { return memory_swap(group, resources) };
    match directory::write(group, MEMORY, &memory.to_string()) {
        Ok(()) => return memory_swap(group, resources),
        Err(Errno::BUSY) => {
            return Err(Error::conflict(format!(
                "set memory to {memory} bytes: the processes use more, and it cannot be taken from them"
            )));
        }
        // Above the present bound of both: that one is raised first.
        Err(Errno::INVAL) if resources.memory_swap.is_some() || memory < 0 => {}
        Err(Errno::INVAL) => {
            return Err(Error::invalid(
                "memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
            ));
        }
        Err(Errno::NOENT) => return Err(missing("memory", MEMORY)),
        Err(errno) => return Err(errno).with_context(|| format!("set memory (write {memory} to {MEMORY})")),
    }
    let unbounded = Resources { memory_swap: resources.memory_swap.or(Some(-1)), ..resources.clone() };
    memory_swap(group, &unbounded)?;
    write(group, MEMORY, &memory.to_string(), "memory")
}

fn memory_swap(group: BorrowedFd<'_>, resources: &Resources) -> Result<()> {
    const BOTH: &str = "memory.memsw.limit_in_bytes";
    let Some(both) = resources.memory_swap else { return Ok(()) };
    match directory::write(group, BOTH, &both.to_string()) {
        // The kernel was started without accounting of swap, and nobody asked for a bound in so many words.
        Err(Errno::NOENT) if resources.swap_is_default() => Ok(()),
        Err(Errno::NOENT) => Err(missing("memory swap", BOTH)),
        result => result.with_context(|| format!("set memory swap (write {both} to {BOTH})")),
    }
}

fn cpu(group: BorrowedFd<'_>, resources: &Resources) -> Result<()> {
    const PERIOD: &str = "cpu.cfs_period_us";
    if let Some(shares) = resources.cpu_shares {
        write(group, "cpu.shares", &shares.to_string(), "cpu shares")?;
    }
    let quota = resources.cpu_quota.map(|quota| quota.to_string());
    let write_quota = || match &quota {
        Some(quota) => write(group, "cpu.cfs_quota_us", quota, "cpu quota"),
        None => Ok(()),
    };
    let Some(period) = resources.cpu_period else { return write_quota() };
    match directory::write(group, PERIOD, &period.to_string()) {
        Ok(()) => write_quota(),
        // The present quota does not fit the new period, the new quota may.
        Err(Errno::INVAL) if quota.is_some() => {
            write_quota()?;
            write(group, PERIOD, &period.to_string(), "cpu period")
        }
        Err(Errno::NOENT) => Err(missing("cpu period", PERIOD)),
        Err(errno) => Err(errno).with_context(|| format!("set cpu period (write {period} to {PERIOD})")),
    }
}

/// Fills the processors and memory nodes of the group and of its parents, from the top down, where they are empty: a
/// process cannot enter such a group (cpusets.rst).
pub(crate) fn inherit_cpuset_where_empty(place: &Place<'_>, path: &str) -> Result<()> {
    let root = place.hierarchy.root();
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = directory::read(place.directory, file)?.unwrap_or_default();
        if !own.trim().is_empty() {
            continue;
        }
        let mut value = directory::read(root, file)?.unwrap_or_default();
        let name = relative(path);
        let ends = name.match_indices('/').map(|(end, _)| end).chain([name.len()]);
        for end in ends {
            let group = directory::open(root, &name[..end]).with_context(|| format!("open group {}", &name[..end]))?;
            let own = directory::read(group.as_fd(), file)?.unwrap_or_default();
            if own.trim().is_empty() {
                write(group.as_fd(), file, value.trim(), "cpuset")?;
            } else {
                value = own;
            }
        }
    }
    Ok(())
}

/// What a v1 device controller remembers of the rules that it was told.
type Exception = (DeviceKind, Option<u32>, Option<u32>, Access);

fn devices(group: BorrowedFd<'_>, rules: &[DeviceRule]) -> Result<()> {
    let rules = DeviceRule::effective(rules);
    check_expressible(rules)?;
    for rule in rules {
        let file = if rule.allow { "devices.allow" } else { "devices.deny" };
        write(group, file, &rule.to_v1(), &format!("device rule {:?}", rule.to_v1()))?;
    }
    Ok(())
}

/// v1 keeps one answer for everything and a list of exceptions, and takes an exception back only in the words in which
/// it was made: a rule that overlaps an opposite one in part would silently do nothing.
fn check_expressible(rules: &[DeviceRule]) -> Result<()> {
    let mut default_allow = true;
    let mut exceptions: Vec<Exception> = Vec::new();
    for rule in rules {
        if rule.kind == DeviceKind::All {
            default_allow = rule.allow;
            exceptions.clear();
        } else if rule.allow != default_allow {
            exceptions.push((rule.kind, rule.major, rule.minor, rule.access));
        } else {
            let overlapping = |(kind, major, minor, access): &Exception| {
                let meets = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
                let same = (*kind, *major, *minor) == (rule.kind, rule.major, rule.minor);
                let shared = access.read && rule.access.read
                    || access.write && rule.access.write
                    || access.make && rule.access.make;
                *kind == rule.kind && meets(*major, rule.major) && meets(*minor, rule.minor) && shared && !same
            };
            if let Some((.., access)) = exceptions.iter().find(|exception| overlapping(exception)) {
                return Err(Error::unsupported(format!(
                    "device rule {:?} takes back a part of an earlier one (access {access}), which cgroup v1 cannot \
                     express: write the rules without overlap",
                    rule.to_v1()
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deny(text: &str) -> DeviceRule {
        DeviceRule { allow: false, ..DeviceRule::parse(text).unwrap()[0] }
    }

    #[test]
    fn what_v1_cannot_express_is_refused() {
        let allow = |text| DeviceRule::parse(text).unwrap()[0];
        assert!(check_expressible(&DeviceRule::defaults()).is_ok());
        assert!(check_expressible(&[DeviceRule::DENY_ALL, allow("c 1:3 rwm"), deny("c 1:3 m")]).is_ok());
        assert!(check_expressible(&[DeviceRule::DENY_ALL, allow("c 1:* rwm"), deny("c 1:3 m")]).is_err());
        assert!(check_expressible(&[DeviceRule::DENY_ALL, allow("c 1:* r"), deny("c 1:3 m")]).is_ok());
        assert!(check_expressible(&[deny("c 1:3 rwm"), allow("c 2:* r")]).is_ok());
        assert!(check_expressible(&[deny("c 1:3 rwm"), allow("c *:* r")]).is_err());
    }
}
