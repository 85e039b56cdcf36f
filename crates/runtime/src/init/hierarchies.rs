//! The control groups that a container sees: its own.

use super::mounts::{attach, file_system, set_propagation};
use crate::spec::{MountOptions, Namespace, Propagation, ReadOnly, Spec};
use base::{Context, Result};
use cgroup::{Group, Place};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::mount::{Attributes, Depth};

/// Mounts them at `target`: one file system on v2, otherwise a directory with one for each hierarchy.
pub(super) fn mount(spec: &Spec, group: &Group, target: BorrowedFd<'_>, options: MountOptions) -> Result<()> {
    let read_only = if spec.cgroup.writable { options.read_only } else { ReadOnly::Recursive };
    let options = MountOptions { read_only, ..options };
    if let Some(place) = group.places().find(|place| place.hierarchy.name().is_empty()) {
        return attach(one(spec, group, &place, options)?.as_fd(), target);
    }
    let top_options = MountOptions { read_only: ReadOnly::No, ..options };
    let top = file_system("tmpfs", &[("mode", "755")], top_options)?;
    attach(top.as_fd(), target)?;
    for place in group.places() {
        let name = place.hierarchy.name();
        let mount = one(spec, group, &place, options).map_err(|error| error.context(name))?;
        rustix::fs::mkdirat(&top, name, Mode::from_raw_mode(0o755)).with_context(|| format!("make {name}"))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let below = rustix::fs::openat(&top, name, flags, Mode::empty()).with_context(|| format!("open {name}"))?;
        attach(mount.as_fd(), below.as_fd()).map_err(|error| error.context(name))?;
        for controller in place.hierarchy.controllers().iter().filter(|controller| *controller != name) {
            match rustix::fs::symlinkat(name, &top, controller.trim_start_matches("name=")) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno).with_context(|| format!("make {controller}")),
            }
        }
    }
    match read_only {
        ReadOnly::No => Ok(()),
        _ => sys::mount::set_attributes(top.as_fd(), Attributes::READ_ONLY, Depth::Single).context("make it read-only"),
    }
}

fn one(spec: &Spec, group: &Group, place: &Place<'_>, options: MountOptions) -> Result<OwnedFd> {
    let hierarchy = place.hierarchy;
    if spec.namespaces.cgroup == Namespace::Host && !hierarchy.is_unified() {
        return bound(group, place, options);
    }
    if hierarchy.is_unified() {
        return file_system("cgroup2", &[], options);
    }
    let named = |controller: &'_ String| controller.starts_with("name=");
    let mut keys = Vec::new();
    for controller in hierarchy.controllers() {
        match controller.strip_prefix("name=") {
            Some(name) => keys.push(("name", name)),
            None => keys.push((controller.as_str(), "")),
        }
    }
    if hierarchy.controllers().iter().all(named) {
        keys.push(("none", ""));
    }
    file_system("cgroup", &keys, options)
}

/// With the host's view, the container is shown its own group in place of the hierarchy's top.
fn bound(group: &Group, place: &Place<'_>, options: MountOptions) -> Result<OwnedFd> {
    let path = place.hierarchy.mount_point().join(group.path().trim_start_matches('/'));
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(CWD, &path, flags).with_context(|| format!("open {}", path.display()))?;
    let mut attributes = Attributes::empty();
    attributes.set(Attributes::NO_SUID, options.no_suid);
    attributes.set(Attributes::NO_DEVICES, options.no_devices);
    attributes.set(Attributes::NO_EXEC, options.no_exec);
    attributes.set(Attributes::READ_ONLY, options.read_only != ReadOnly::No);
    sys::mount::set_attributes(mount.as_fd(), attributes, Depth::Single).context("restrict it")?;
    set_propagation(mount.as_fd(), Propagation::Private)?;
    Ok(mount)
}
