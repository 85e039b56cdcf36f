//! Mounts, each made where nobody sees it and then moved to a handle of its target.

use super::target::{Shape, reach};
use super::{devices, hierarchies, sysctls};
use crate::spec::{Mount, MountOptions, MountSource, Propagation, ReadOnly, Spec};
use base::tree::{Links, Tree};
use base::{Context, Error, Result};
use cgroup::Group;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::mount::{Attributes, Depth};

/// What mounts are made from.
pub(super) struct Plan<'a> {
    pub(super) spec: &'a Spec,
    pub(super) group: &'a Group,
    pub(super) root: &'a Tree,
}

/// File systems of the container that later steps need.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    /// The process file system at `/proc`.
    pub(super) proc: Option<Tree>,
    /// The device file system at `/sys`.
    pub(super) sysfs: Option<Tree>,
    /// Terminals.
    pub(super) devpts: Option<OwnedFd>,
    /// Whether the kernel parameters are written.
    parameters: bool,
}

/// Opens what is bound, as long as its mounts still are peers of the host's; in the order of the mounts, `None` for other mounts.
pub(super) fn open_sources(mounts: &[Mount]) -> Result<Vec<Option<OwnedFd>>> {
    let open = |mount: &Mount| match &mount.source {
        MountSource::Bind { path, subpath, recursive } => {
            let depth = if *recursive { Depth::Recursive } else { Depth::Single };
            let source = open_source(path, subpath.as_deref(), depth);
            let source = source.map_err(|error| error.context(format!("mount {} on {}", path.display(), mount.target)));
            source.map(Some)
        }
        _ => Ok(None),
    };
    mounts.iter().map(open).collect()
}

fn open_source(path: &Path, subpath: Option<&Path>, depth: Depth) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if depth == Depth::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let Some(subpath) = subpath else {
        return match open_tree(CWD, path, flags) {
            Err(Errno::NOENT) => Err(Error::not_found(format!("bind source path does not exist: {}", path.display()))),
            source => source.context("open the source"),
        };
    };
    let source = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).context("open the source")?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let below = base::tree::open_inside(source.as_fd(), subpath, OFlags::PATH, Mode::empty(), resolve)
        .with_context(|| format!("open subpath {}", subpath.display()))?;
    open_tree(&below, "", flags | OpenTreeFlags::AT_EMPTY_PATH).context("open the source")
}

/// Files of the process file system that other ones may hide: they only tell figures.
const HIDEABLE: [&str; 9] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/net/dev",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
];

/// Lets nothing else take the place of the process file system: labels, masks and limits would be written to a false one (CVE-2019-16884).
fn guard_proc(target: BorrowedFd<'_>, made: BorrowedFd<'_>, path: &str) -> Result<()> {
    let is_proc = |file: BorrowedFd<'_>| {
        rustix::fs::fstatfs(file).context("stat").map(|status| status.f_type == rustix::fs::PROC_SUPER_MAGIC)
    };
    let is_top = path.trim_end_matches('/') == "/proc";
    let hides = is_top || is_proc(target)?;
    if !hides || HIDEABLE.contains(&path) || (is_top && is_proc(made)?) {
        return Ok(());
    }
    Err(Error::invalid("nothing else can be mounted on /proc or inside of it"))
}

/// Makes all mounts, and with them the device files and the kernel parameters.
pub(super) fn mount_all(plan: &Plan<'_>, sources: Vec<Option<OwnedFd>>) -> Result<Mounted> {
    let Plan { spec, root, .. } = plan;
    let mut mounted = Mounted::default();
    let has_devices = spec.mounts.iter().any(is_devices);
    if !has_devices {
        devices::make(&spec.devices, root, None)?;
    }
    for (mount, source) in spec.mounts.iter().zip(sources) {
        let made = mount_one(plan, mount, source, &mut mounted);
        made.map_err(|error| error.context(format!("mount {} on {}", name_of(&mount.source), mount.target)))?;
    }
    if !mounted.parameters && !spec.sysctls.is_empty() {
        let proc = Tree::new(file_system("proc", &[], MountOptions::default())?);
        sysctls::write(&spec.sysctls, &proc)?;
    }
    Ok(mounted)
}

fn is_devices(mount: &Mount) -> bool {
    is_at(mount, "/dev")
}

fn is_at(mount: &Mount, path: &str) -> bool {
    Path::new(&mount.target) == Path::new(path)
}

fn mount_one(plan: &Plan<'_>, mount: &Mount, source: Option<OwnedFd>, mounted: &mut Mounted) -> Result<()> {
    let Plan { spec, root, group } = plan;
    if is_at(mount, "/") {
        return Err(Error::invalid("the root cannot be a mount's target"));
    }
    let shape = match &source {
        Some(source) if !is_directory(source.as_fd())? => Shape::File,
        _ => Shape::Directory,
    };
    let covered = match &mount.source {
        MountSource::Tmpfs { .. } => root.locate(Path::new(&mount.target), Links::Follow)?,
        _ => None,
    };
    let target = reach(root, &mount.target, shape)?;
    // What is written before the mount is read-only is written here.
    let open_options = MountOptions { read_only: ReadOnly::No, ..mount.options };
    let made = match (&mount.source, source) {
        (MountSource::Bind { .. }, Some(source)) => {
            set_options(source.as_fd(), open_options)?;
            source
        }
        (MountSource::Bind { .. }, None) => return Err(Error::internal("its source was not opened")),
        (MountSource::Tmpfs { options }, _) => tmpfs(options, covered, open_options)?,
        (MountSource::Proc, _) => file_system("proc", &[], open_options)?,
        (MountSource::Sysfs, _) => file_system("sysfs", &[], open_options)?,
        (MountSource::Devpts, _) => {
            file_system("devpts", &[("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5")], open_options)?
        }
        (MountSource::Mqueue, _) => file_system("mqueue", &[], open_options)?,
        (MountSource::Cgroup, _) => return hierarchies::mount(spec, group, target.as_fd(), mount.options),
    };
    if matches!(mount.source, MountSource::Proc) && !mounted.parameters {
        // Nobody has mounted anything on it yet.
        sysctls::write(&spec.sysctls, &Tree::new(copy(made.as_fd())?))?;
        mounted.parameters = true;
    }
    guard_proc(target.as_fd(), made.as_fd(), &mount.target)?;
    set_propagation(made.as_fd(), mount.propagation)?;
    attach(made.as_fd(), target.as_fd())?;
    if is_devices(mount) && !matches!(mount.source, MountSource::Bind { .. }) {
        devices::make(&spec.devices, root, Some(&Tree::new(copy(made.as_fd())?)))?;
    }
    set_read_only(made.as_fd(), mount.options.read_only)?;
    match mount.source {
        MountSource::Proc if is_at(mount, "/proc") => mounted.proc = Some(Tree::new(made)),
        MountSource::Sysfs if is_at(mount, "/sys") => mounted.sysfs = Some(Tree::new(made)),
        MountSource::Devpts => mounted.devpts = Some(made),
        _ => {}
    }
    Ok(())
}

fn name_of(source: &MountSource) -> String {
    match source {
        MountSource::Bind { path, subpath: None, .. } => path.display().to_string(),
        MountSource::Bind { path, subpath: Some(subpath), .. } => path.join(subpath).display().to_string(),
        MountSource::Tmpfs { .. } => "tmpfs".to_owned(),
        MountSource::Proc => "proc".to_owned(),
        MountSource::Sysfs => "sysfs".to_owned(),
        MountSource::Devpts => "devpts".to_owned(),
        MountSource::Mqueue => "mqueue".to_owned(),
        MountSource::Cgroup => "cgroup".to_owned(),
    }
}

/// Moves a detached mount to where `target` is.
pub(super) fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags).context("attach it")
}

/// A detached copy of the mount that `place` is on, with `place` as its root.
pub(super) fn clone_of(place: BorrowedFd<'_>, depth: Depth) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if depth == Depth::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(place, "", flags).context("copy a mount")
}

/// Makes a file system of the kernel's and mounts it nowhere. An option without a value is a flag.
pub(super) fn file_system(kind: &str, options: &[(&str, &str)], restrictions: MountOptions) -> Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| match errno {
        Errno::NODEV => Error::unsupported(format!("this kernel has no file system {kind}")),
        errno => base::Failure::into_error(errno).context("open the file system"),
    })?;
    // What mountinfo calls it.
    fsconfig_set_string(context.as_fd(), "source", kind).context("name it")?;
    for (key, value) in options {
        let set = match value.is_empty() {
            true => fsconfig_set_flag(context.as_fd(), *key),
            false => fsconfig_set_string(context.as_fd(), *key, *value),
        };
        match set {
            Err(Errno::INVAL) => return Err(Error::invalid(format!("the kernel does not take option {key}={value}"))),
            set => set.with_context(|| format!("set option {key}={value}"))?,
        }
    }
    fsconfig_create(context.as_fd()).context("make it")?;
    let mut attributes = MountAttrFlags::empty();
    for (wanted, attribute) in [
        (restrictions.no_suid, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (restrictions.no_devices, MountAttrFlags::MOUNT_ATTR_NODEV),
        (restrictions.no_exec, MountAttrFlags::MOUNT_ATTR_NOEXEC),
        (restrictions.read_only != ReadOnly::No, MountAttrFlags::MOUNT_ATTR_RDONLY),
    ] {
        attributes.set(attribute, wanted);
    }
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).context("mount it")
}

fn tmpfs(options: &[(String, String)], covered: Option<OwnedFd>, restrictions: MountOptions) -> Result<OwnedFd> {
    let mut options: Vec<(&str, &str)> = options.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    // Whoever sees it takes it for the directory that it covers; where there was none, everybody may write.
    let covered = covered.map(rustix::fs::fstat).transpose().context("stat the target")?;
    let mode = covered.map(|covered| format!("{:o}", covered.st_mode & 0o7777));
    if let Some(mode) = mode.as_deref().filter(|_| options.iter().all(|(key, _)| *key != "mode")) {
        options.push(("mode", mode));
    }
    file_system("tmpfs", &options, restrictions)
}

fn set_options(mount: BorrowedFd<'_>, options: MountOptions) -> Result<()> {
    let mut attributes = Attributes::empty();
    attributes.set(Attributes::NO_SUID, options.no_suid);
    attributes.set(Attributes::NO_DEVICES, options.no_devices);
    attributes.set(Attributes::NO_EXEC, options.no_exec);
    if attributes.is_empty() {
        return Ok(());
    }
    sys::mount::set_attributes(mount, attributes, Depth::Single).context("restrict it")
}

fn set_read_only(mount: BorrowedFd<'_>, read_only: ReadOnly) -> Result<()> {
    let depth = match read_only {
        ReadOnly::No => return Ok(()),
        ReadOnly::Single => Depth::Single,
        ReadOnly::Recursive => Depth::Recursive,
    };
    sys::mount::set_attributes(mount, Attributes::READ_ONLY, depth).context("make it read-only")
}

/// Sets how a mount propagates.
pub(super) fn set_propagation(mount: BorrowedFd<'_>, propagation: Propagation) -> Result<()> {
    let (kind, depth) = match propagation {
        Propagation::Private => (sys::mount::Propagation::Private, Depth::Single),
        Propagation::Rprivate => (sys::mount::Propagation::Private, Depth::Recursive),
        Propagation::Shared => (sys::mount::Propagation::Shared, Depth::Single),
        Propagation::Rshared => (sys::mount::Propagation::Shared, Depth::Recursive),
        Propagation::Slave => (sys::mount::Propagation::Slave, Depth::Single),
        Propagation::Rslave => (sys::mount::Propagation::Slave, Depth::Recursive),
    };
    sys::mount::set_propagation(mount, kind, depth).context("set its propagation")
}

fn is_directory(file: BorrowedFd<'_>) -> Result<bool> {
    let status = rustix::fs::fstat(file).context("stat the source")?;
    Ok(FileType::from_raw_mode(status.st_mode) == FileType::Directory)
}

fn copy(descriptor: BorrowedFd<'_>) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(descriptor, 3).context("copy a descriptor")
}
