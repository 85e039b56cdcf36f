//! The runtime's specification of a container: what it sees of the kernel, from what was decided elsewhere.
//!
//! Pure. Layers, processes, devices and the user's mounts come in ready; nothing is looked up here.

use std::path::PathBuf;

use base::Result;
use runtime::spec::{
    ControlGroup, Device, DeviceKind, Mount, MountOptions, MountSource, Namespace, Namespaces, Process, Propagation,
    ReadOnly, Root, Spec,
};

use super::devices::{self, Found};
use super::effective::DEFAULT_SHM_SIZE;
use super::resources;
use super::security::Security;
use crate::containers::{CgroupMode, IpcMode, NetworkMode, PidMode, Settings, UtsMode};

/// What a specification is made of, beside the settings.
#[derive(Debug)]
pub(crate) struct Parts {
    /// As the container sees it.
    pub(crate) hostname: String,
    /// Layers and the writable directory.
    pub(crate) root: Root,
    /// What runs first.
    pub(crate) process: Process,
    /// The user's mounts, in their order.
    pub(crate) mounts: Vec<Mount>,
    /// The engine's own files in `/etc`.
    pub(crate) files: Vec<Mount>,
    /// `/dev/shm` of another or for others; `None`: the container's own.
    pub(crate) shared_memory: Option<PathBuf>,
    /// Of the host.
    pub(crate) devices: Vec<Found>,
    /// Hidden and read-only paths.
    pub(crate) security: Security,
    /// Absolute below the hierarchies' tops.
    pub(crate) cgroup: String,
}

/// The specification of a container with these settings, whose network is `network` now.
///
/// # Errors
/// `Invalid` for a device rule that is none.
pub(crate) fn spec(settings: &Settings, network: &NetworkMode, parts: Parts) -> Result<Spec> {
    let namespaces = namespaces(settings, network);
    let own_name = namespaces.uts == Namespace::New;
    let mut resources = resources::control_group(&settings.resources);
    resources.devices = devices::rules(settings, &parts.devices)?;
    let mounts = mounts(settings, &parts);
    Ok(Spec {
        hostname: if own_name { parts.hostname } else { String::new() },
        domainname: if own_name { settings.domainname.clone() } else { String::new() },
        root: parts.root,
        read_only_root: settings.read_only_root,
        root_propagation: root_propagation(&mounts),
        mounts,
        namespaces,
        process: parts.process,
        init: settings.init == Some(true),
        devices: parts.devices.iter().filter_map(device).collect(),
        masked_paths: parts.security.masked_paths,
        read_only_paths: parts.security.read_only_paths,
        sysctls: settings.sysctls.iter().map(|(name, value)| (name.replace('/', "."), value.clone())).collect(),
        cgroup: ControlGroup { path: parts.cgroup, resources, writable: settings.privileged },
    })
}

fn namespaces(settings: &Settings, network: &NetworkMode) -> Namespaces {
    Namespaces {
        pid: match settings.pid {
            PidMode::Private => Namespace::New,
            PidMode::Host => Namespace::Host,
            PidMode::Container(_) => Namespace::Join,
        },
        network: match network {
            NetworkMode::Host => Namespace::Host,
            NetworkMode::Container(_) => Namespace::Join,
            NetworkMode::Default | NetworkMode::None | NetworkMode::Named(_) => Namespace::New,
        },
        ipc: match settings.ipc {
            IpcMode::Host => Namespace::Host,
            IpcMode::Container(_) => Namespace::Join,
            IpcMode::Default | IpcMode::Private | IpcMode::Shareable | IpcMode::None => Namespace::New,
        },
        uts: match settings.uts {
            UtsMode::Private => Namespace::New,
            UtsMode::Host => Namespace::Host,
        },
        cgroup: match settings.cgroup {
            Some(CgroupMode::Host) => Namespace::Host,
            _ => Namespace::New,
        },
    }
}

/// The kernel's file systems first, then by depth what the user and the engine put over them.
fn mounts(settings: &Settings, parts: &Parts) -> Vec<Mount> {
    let is_taken = |target: &str| parts.mounts.iter().any(|mount| mount.target == target);
    let has_own_dev = is_taken("/dev");
    // Who brings a whole /dev brings what is in it.
    let is_hidden = |target: &str| is_taken(target) || (has_own_dev && target.starts_with("/dev/"));
    let mut mounts = kernel_mounts(settings, parts.shared_memory.as_ref());
    mounts.retain(|mount| !is_hidden(&mount.target));
    let files = parts.files.iter().filter(|mount| !is_taken(&mount.target));
    let mut over: Vec<Mount> = parts.mounts.iter().chain(files).cloned().collect();
    over.sort_by_key(|mount| mount.target.matches('/').count());
    mounts.extend(over);
    mounts
}

fn kernel_mounts(settings: &Settings, shared_memory: Option<&PathBuf>) -> Vec<Mount> {
    let closed = MountOptions { no_suid: true, no_devices: true, no_exec: true, read_only: ReadOnly::No };
    let read_only =
        MountOptions { read_only: if settings.privileged { ReadOnly::No } else { ReadOnly::Single }, ..closed };
    let pair = |key: &str, value: String| (key.to_owned(), value);
    let mount = |source: MountSource, target: &str, options: MountOptions| Mount {
        source,
        target: target.to_owned(),
        options,
        propagation: Propagation::default(),
    };
    let devices =
        MountSource::Tmpfs { options: vec![pair("mode", "755".to_owned()), pair("size", "65536k".to_owned())] };
    let mut mounts = vec![
        mount(MountSource::Proc, "/proc", closed),
        mount(devices, "/dev", MountOptions { no_suid: true, no_exec: true, ..MountOptions::default() }),
        mount(
            MountSource::Devpts,
            "/dev/pts",
            MountOptions { no_suid: true, no_exec: true, ..MountOptions::default() },
        ),
        mount(MountSource::Sysfs, "/sys", read_only),
        mount(MountSource::Cgroup, "/sys/fs/cgroup", read_only),
        mount(MountSource::Mqueue, "/dev/mqueue", closed),
    ];
    let bind = |path: PathBuf| MountSource::Bind { path, subpath: None, recursive: false };
    let memory = match (&settings.ipc, shared_memory) {
        (IpcMode::None, _) => return mounts,
        (IpcMode::Host, _) => bind(PathBuf::from("/dev/shm")),
        (_, Some(path)) => bind(path.clone()),
        (_, None) => {
            let size = settings.shm_size.unwrap_or(DEFAULT_SHM_SIZE);
            MountSource::Tmpfs { options: vec![pair("mode", "1777".to_owned()), pair("size", size.to_string())] }
        }
    };
    mounts.push(mount(memory, "/dev/shm", closed));
    mounts
}

/// What is to arrive from outside, or to leave, must be let through by the root.
fn root_propagation(mounts: &[Mount]) -> Propagation {
    let any = |wanted: &[Propagation]| mounts.iter().any(|mount| wanted.contains(&mount.propagation));
    if any(&[Propagation::Shared, Propagation::Rshared]) {
        Propagation::Shared
    } else if any(&[Propagation::Slave, Propagation::Rslave]) {
        Propagation::Rslave
    } else {
        Propagation::Rprivate
    }
}

fn device(found: &Found) -> Option<Device> {
    Some(Device {
        path: found.path.to_str()?.to_owned(),
        kind: if found.block { DeviceKind::Block } else { DeviceKind::Character },
        major: found.major,
        minor: found.minor,
        mode: found.mode,
        uid: found.user,
        gid: found.group,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process() -> Process {
        Process {
            arguments: vec!["sh".to_owned()],
            environment: Vec::new(),
            working_directory: "/".to_owned(),
            user: String::new(),
            additional_groups: Vec::new(),
            terminal: false,
            console_size: (0, 0),
            capabilities: 0,
            no_new_privileges: false,
            limits: Vec::new(),
            oom_score_adjustment: None,
            system_calls: None,
            apparmor_profile: None,
            selinux_label: None,
        }
    }

    fn bind(target: &str) -> Mount {
        Mount {
            source: MountSource::Bind { path: PathBuf::from("/host"), subpath: None, recursive: true },
            target: target.to_owned(),
            options: MountOptions::default(),
            propagation: Propagation::default(),
        }
    }

    fn made(settings: &Settings, own: &[&str]) -> Spec {
        let parts = Parts {
            hostname: "web".to_owned(),
            root: Root::Directory(PathBuf::from("/root")),
            process: process(),
            mounts: own.iter().map(|target| bind(target)).collect(),
            files: vec![bind("/etc/hosts"), bind("/etc/resolv.conf")],
            shared_memory: None,
            devices: Vec::new(),
            security: Security { masked_paths: vec!["/proc/kcore".to_owned()], ..Security::default() },
            cgroup: "/berth/x".to_owned(),
        };
        spec(settings, &NetworkMode::None, parts).unwrap()
    }

    fn targets(spec: &Spec) -> Vec<&str> {
        spec.mounts.iter().map(|mount| mount.target.as_str()).collect()
    }

    #[test]
    fn a_plain_container() {
        let spec = made(&Settings::default(), &[]);
        assert_eq!(
            targets(&spec),
            [
                "/proc",
                "/dev",
                "/dev/pts",
                "/sys",
                "/sys/fs/cgroup",
                "/dev/mqueue",
                "/dev/shm",
                "/etc/hosts",
                "/etc/resolv.conf"
            ]
        );
        assert_eq!(spec.namespaces, Namespaces::default());
        assert_eq!((spec.hostname.as_str(), spec.init, spec.cgroup.writable), ("web", false, false));
        assert_eq!(spec.root_propagation, Propagation::Rprivate);
        let read_only =
            |target: &str| spec.mounts.iter().find(|mount| mount.target == target).unwrap().options.read_only;
        assert_eq!((read_only("/sys"), read_only("/sys/fs/cgroup")), (ReadOnly::Single, ReadOnly::Single));
        assert_eq!((read_only("/proc"), read_only("/dev")), (ReadOnly::No, ReadOnly::No));
    }

    #[test]
    fn the_users_mounts_displace_ours_and_go_by_depth() {
        let spec = made(&Settings::default(), &["/a/b/c", "/dev", "/etc/hosts", "/a"]);
        assert_eq!(
            targets(&spec),
            ["/proc", "/sys", "/sys/fs/cgroup", "/dev", "/a", "/etc/hosts", "/etc/resolv.conf", "/a/b/c"]
        );
    }

    #[test]
    fn namespaces_follow_the_modes() {
        let settings = Settings {
            pid: PidMode::Host,
            ipc: IpcMode::Container("x".to_owned()),
            uts: UtsMode::Host,
            cgroup: Some(CgroupMode::Host),
            ..Settings::default()
        };
        let spec = made(&settings, &[]);
        let expected = Namespaces {
            pid: Namespace::Host,
            network: Namespace::New,
            ipc: Namespace::Join,
            uts: Namespace::Host,
            cgroup: Namespace::Host,
        };
        assert_eq!(spec.namespaces, expected);
        assert_eq!(spec.hostname, "");
        assert_eq!(namespaces(&settings, &NetworkMode::Host).network, Namespace::Host);
        assert_eq!(namespaces(&settings, &NetworkMode::Container("x".to_owned())).network, Namespace::Join);
    }

    #[test]
    fn shared_memory_follows_ipc() {
        let source = |ipc: IpcMode| {
            let spec = made(&Settings { ipc, shm_size: Some(1), ..Settings::default() }, &[]);
            spec.mounts.into_iter().find(|mount| mount.target == "/dev/shm").map(|mount| mount.source)
        };
        assert_eq!(source(IpcMode::None), None);
        assert!(matches!(source(IpcMode::Host), Some(MountSource::Bind { .. })));
        let Some(MountSource::Tmpfs { options }) = source(IpcMode::Private) else { panic!("no memory") };
        assert!(options.contains(&("size".to_owned(), "1".to_owned())));
    }

    #[test]
    fn propagation_reaches_the_root() {
        let with = |propagation| root_propagation(&[Mount { propagation, ..bind("/x") }]);
        assert_eq!(with(Propagation::Rshared), Propagation::Shared);
        assert_eq!(with(Propagation::Slave), Propagation::Rslave);
        assert_eq!(with(Propagation::Private), Propagation::Rprivate);
    }

    #[test]
    fn privileged_may_write_what_others_may_not() {
        let spec = made(&Settings { privileged: true, ..Settings::default() }, &[]);
        assert!(spec.cgroup.writable);
        assert!(spec.mounts.iter().all(|mount| mount.options.read_only == ReadOnly::No));
        assert_eq!(spec.cgroup.resources.devices, [cgroup::DeviceRule::ALLOW_ALL]);
    }
}
