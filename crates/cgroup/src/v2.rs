//! Limits as cgroup v2 takes them (Documentation/admin-guide/cgroup-v2.rst).

use crate::device_program;
use crate::directory;
use crate::group::Place;
use crate::host::Mode;
use crate::resources::{Resources, shares_to_weight};
use base::{Context, Error, Result};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};

/// Controllers that every group gets where the kernel has them: they limit and account.
const ALWAYS: &[&str] = &["cpu", "io", "memory", "pids"];

/// Makes the controllers that `resources` needs available to the group `name`, from the top down.
pub(crate) fn enable(root: BorrowedFd<'_>, name: &str, resources: &Resources) -> Result<()> {
    let parent = match name.rsplit_once('/') {
        Some((parent, _)) => match directory::open(root, parent) {
            Ok(handle) => Some(handle),
            // The group itself is gone then, which its opening finds.
            Err(_) => return Ok(()),
        },
        None => None,
    };
    let enabled = enabled(parent.as_ref().map_or(root, AsFd::as_fd))?;
    if wanted(resources).all(|controller| enabled.iter().any(|found| found == controller)) {
        return Ok(());
    }
    let mut ends: Vec<usize> = name.match_indices('/').map(|(end, _)| end).collect();
    ends.insert(0, 0);
    for end in ends {
        let handle;
        let group = match &name[..end] {
            "" => root,
            path => {
                handle = directory::open(root, path).with_context(|| format!("open group {path}"))?;
                handle.as_fd()
            }
        };
        enable_in(group, &name[..end], resources)?;
    }
    Ok(())
}

fn enable_in(group: BorrowedFd<'_>, path: &str, resources: &Resources) -> Result<()> {
    let available = directory::read(group, "cgroup.controllers")?.unwrap_or_default();
    let enabled = enabled(group)?;
    for controller in wanted(resources) {
        let is_available = available.split_whitespace().any(|found| found == controller);
        if !is_available || enabled.iter().any(|found| found == controller) {
            continue;
        }
        match directory::write(group, "cgroup.subtree_control", &format!("+{controller}")) {
            Ok(()) => {}
            // Vanished: the caller makes it again.
            Err(Errno::NODEV) => return Ok(()),
            Err(Errno::BUSY) => {
                return Err(Error::conflict(format!(
                    "enable controller {controller} below /{path}: that group has processes of its own; \
                     choose another parent with --cgroup-parent"
                )));
            }
            Err(errno) => return Err(errno).with_context(|| format!("enable controller {controller} below /{path}")),
        }
    }
    Ok(())
}

fn enabled(group: BorrowedFd<'_>) -> Result<Vec<String>> {
    let text = directory::read(group, "cgroup.subtree_control")?.unwrap_or_default();
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// Controllers that a group with `resources` wants; each may repeat.
fn wanted(resources: &Resources) -> impl Iterator<Item = &str> {
    let cpuset = !resources.cpuset_cpus.is_empty() || !resources.cpuset_mems.is_empty();
    ALWAYS.iter().copied().chain(cpuset.then_some("cpuset"))
}

/// Writes what `resources` sets. Beside v1 hierarchies only what belongs to v2 alone.
pub(crate) fn apply(place: &Place<'_>, resources: &Resources, mode: Mode) -> Result<()> {
    if mode == Mode::V2 {
        for (file, value, setting) in settings(resources)? {
            write(place.directory, file, &value, setting)?;
        }
        swap(place.directory, resources)?;
        if !resources.devices.is_empty() {
            device_program::attach(place.directory, &resources.devices)?;
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

/// The error for a setting whose file the kernel does not have.
pub(crate) fn missing(setting: &str, file: &str) -> Error {
    Error::unsupported(format!("{setting} cannot be set: this host's control groups have no {file}"))
}

fn bound(value: i64) -> String {
    if value < 0 { "max".to_owned() } else { value.to_string() }
}

/// File, value and the setting's name, of the plain ones.
fn settings(resources: &Resources) -> Result<Vec<(&'static str, String, &'static str)>> {
    let refuse = |setting| Err(Error::unsupported(format!("{setting} cannot be set: cgroup v2 has no such setting")));
    if resources.oom_kill_disable {
        return refuse("oom kill disable");
    }
    if resources.memory_swappiness.is_some() {
        return refuse("memory swappiness");
    }
    let mut settings = Vec::new();
    let mut set = |file, value: Option<String>, name| settings.extend(value.map(|value| (file, value, name)));
    set("memory.max", resources.memory.map(bound), "memory");
    set("memory.low", resources.memory_reservation.map(bound), "memory reservation");
    set("cpu.weight", resources.cpu_shares.map(|shares| shares_to_weight(shares).to_string()), "cpu shares");
    set("cpu.max", cpu_max(resources.cpu_quota, resources.cpu_period), "cpu quota and period");
    let list = |list: &str| (!list.is_empty()).then(|| list.to_owned());
    set("cpuset.cpus", list(&resources.cpuset_cpus), "cpuset cpus");
    set("cpuset.mems", list(&resources.cpuset_mems), "cpuset mems");
    set("pids.max", resources.pids.map(bound), "pids limit");
    Ok(settings)
}

/// `cpu.max` takes quota and period together, or the quota alone and keeps the period.
fn cpu_max(quota: Option<i64>, period: Option<u64>) -> Option<String> {
    match (quota, period) {
        (None, None) => None,
        (Some(quota), None) => Some(bound(quota)),
        (quota, Some(period)) => Some(format!("{} {period}", bound(quota.unwrap_or(-1)))),
    }
}

fn swap(group: BorrowedFd<'_>, resources: &Resources) -> Result<()> {
    let Some(alone) = resources.swap_alone()? else { return Ok(()) };
    match directory::write(group, "memory.swap.max", &bound(alone)) {
        // Without swap there is nothing to bound, and nobody asked for a bound in so many words.
        Err(Errno::NOENT) if resources.swap_is_default() => Ok(()),
        Err(Errno::NOENT) => Err(missing("memory swap", "memory.swap.max")),
        result => result.context("set memory swap (write memory.swap.max)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_values() {
        let resources = Resources {
            memory: Some(64 << 20),
            memory_reservation: Some(-1),
            cpu_shares: Some(1024),
            cpu_quota: Some(50_000),
            cpu_period: Some(100_000),
            cpuset_cpus: "0-1".to_owned(),
            pids: Some(-1),
            ..Resources::default()
        };
        let settings = settings(&resources).unwrap();
        let written: Vec<_> = settings.iter().map(|(file, value, _)| (*file, value.as_str())).collect();
        let expected = [
            ("memory.max", "67108864"),
            ("memory.low", "max"),
            ("cpu.weight", "39"),
            ("cpu.max", "50000 100000"),
            ("cpuset.cpus", "0-1"),
            ("pids.max", "max"),
        ];
        assert_eq!(written, expected);
    }

    #[test]
    fn processor_time() {
        assert_eq!(cpu_max(None, None), None);
        assert_eq!(cpu_max(Some(-1), None).as_deref(), Some("max"));
        assert_eq!(cpu_max(None, Some(5000)).as_deref(), Some("max 5000"));
    }

    #[test]
    fn what_v2_lacks_is_said() {
        let resources = Resources { memory_swappiness: Some(10), ..Resources::default() };
        assert_eq!(settings(&resources).unwrap_err().kind(), base::Kind::Unsupported);
    }
}
