//! An open state root: its directories, its format, the machine that it runs on.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use base::digest::Digest;
use base::file::{self, Durability};
use base::id::Id;
use base::lock::Lock;
use base::{Context, Error, Kind, Result};
use rustix::fs::Mode;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::Options;
use crate::containers::pending::Pending;
use crate::layout::{self, Layout};

/// An open state root.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) options: Options,
    pub(crate) layout: Layout,
    /// Tags what this root has outside of itself; empty for the default root.
    pub(crate) short_id: String,
    /// Clients that came before the start of what they attach to or wait for.
    pub(crate) pending: Pending,
    directory: OwnedFd,
    containers: OwnedFd,
    names: OnceLock<OwnedFd>,
    unfinished: OnceLock<OwnedFd>,
    host: OnceLock<Host>,
}

/// Which machine, and which namespaces of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    boot_id: String,
    network_namespace: u64,
    mount_namespace: u64,
}

impl Root {
    pub(crate) fn open(options: Options) -> Result<Self> {
        let directory = match file::open_directory(&options.root) {
            Ok(directory) => directory,
            Err(error) if error.errno() == Some(Errno::NOENT) => make(&options.root)?,
            // The root may be a link of the administrator's.
            Err(error) if matches!(error.errno(), Some(Errno::LOOP | Errno::NOTDIR)) => {
                file::make_directories(&options.root, 0o700)?
            }
            Err(error) => return Err(error.context("open the state root")),
        };
        check_format(directory.as_fd(), &options.root)?;
        close_to_others(directory.as_fd(), &options.root)?;
        let real_path = real_path(directory.as_fd())?;
        let short_id = match real_path.to_str() {
            Some(layout::DEFAULT_ROOT) => String::new(),
            _ => Digest::sha256(real_path.as_os_str().as_encoded_bytes()).hex()[..8].to_owned(),
        };
        let containers = file::make_directory_at(directory.as_fd(), layout::CONTAINERS, 0o700)?;
        let root = Self {
            layout: Layout::new(&real_path, &options.runroot),
            short_id,
            options,
            pending: Pending::default(),
            directory,
            containers,
            names: OnceLock::new(),
            unfinished: OnceLock::new(),
            host: OnceLock::new(),
        };
        Ok(root)
    }

    /// The state root.
    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// The folder of all containers.
    pub(crate) fn containers(&self) -> BorrowedFd<'_> {
        self.containers.as_fd()
    }

    /// The folder of all names.
    pub(crate) fn names(&self) -> Result<BorrowedFd<'_>> {
        self.folder(&self.names, layout::NAMES)
    }

    /// The folder of what is being made or removed.
    pub(crate) fn unfinished(&self) -> Result<BorrowedFd<'_>> {
        self.folder(&self.unfinished, layout::UNFINISHED)
    }

    fn folder<'a>(&'a self, cell: &'a OnceLock<OwnedFd>, name: &str) -> Result<BorrowedFd<'a>> {
        if let Some(folder) = cell.get() {
            return Ok(folder.as_fd());
        }
        let folder = file::make_directory_at(self.directory(), name, 0o700)?;
        Ok(cell.get_or_init(|| folder).as_fd())
    }

    /// The directory of one container, whole or not.
    pub(crate) fn container_directory(&self, id: &Id) -> Result<Option<OwnedFd>> {
        match file::open_directory_at(self.containers(), id.as_str()) {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if error.errno() == Some(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ids of all containers' directories, whole or not, in no order.
    pub(crate) fn container_ids(&self) -> Result<Vec<Id>> {
        ids_in(self.containers())
    }

    /// The control group below which this root's containers get theirs.
    pub(crate) fn cgroup_parent(&self) -> String {
        match (&self.options.configuration.cgroup_parent, self.short_id.as_str()) {
            (Some(parent), _) if !parent.is_empty() => parent.clone(),
            (_, "") => "/berth".to_owned(),
            (_, id) => format!("/berth-{id}"),
        }
    }

    /// Records that this machine and these namespaces now use the root. Everything that makes something alive asks for it first.
    ///
    /// # Errors
    /// `Conflict` when something of this root is alive in other namespaces of this boot.
    pub(crate) fn claim_host(&self) -> Result<&str> {
        if let Some(host) = self.host.get() {
            return Ok(&host.boot_id);
        }
        let current = Host::current()?;
        let recorded: Option<Host> = file::read_json(self.directory(), layout::HOST_FILE).unwrap_or_default();
        if recorded.as_ref() != Some(&current) {
            if let Some(recorded) = recorded
                && recorded.boot_id == current.boot_id
                && let Some(id) = self.any_alive()?
            {
                return Err(Error::conflict(format!(
                    "the state root {} is in use from another {} namespace of this machine: container {} runs there; \
                     use berth there, or give this one another --root",
                    self.layout.root().display(),
                    if recorded.mount_namespace == current.mount_namespace { "network" } else { "mount" },
                    id.short()
                )));
            }
            file::replace_json(self.directory(), layout::HOST_FILE, &current, Durability::Lazy)?;
        }
        Ok(&self.host.get_or_init(|| current).boot_id)
    }

    fn any_alive(&self) -> Result<Option<Id>> {
        for id in self.container_ids()? {
            if let Some(directory) = self.container_directory(&id)?
                && Lock::is_held(directory.as_fd(), layout::ALIVE)?
            {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

/// Names in `folder` that are ids.
pub(crate) fn ids_in(folder: BorrowedFd<'_>) -> Result<Vec<Id>> {
    let mut ids = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder).context("list a folder of the state root")? {
        let entry = entry.context("list a folder of the state root")?;
        if let Some(id) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) {
            ids.push(id);
        }
    }
    Ok(ids)
}

impl Host {
    /// Whether both are the same network namespace of the same boot.
    pub(crate) fn is_same_network(&self, other: &Self) -> bool {
        self.boot_id == other.boot_id && self.network_namespace == other.network_namespace
    }

    pub(crate) fn current() -> Result<Self> {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").context("read the boot id")?;
        let mount = sys::host_identity::own_mount_namespace().context("open the mount namespace")?;
        let mount_namespace = match sys::host_identity::mount_namespace_id(mount.as_fd()) {
            Ok(id) => id,
            Err(_) => rustix::fs::fstat(&mount).context("stat the mount namespace")?.st_ino,
        };
        let network_namespace = match sys::host_identity::network_namespace_cookie() {
            Ok(cookie) => cookie,
            Err(_) => rustix::fs::stat("/proc/thread-self/ns/net").context("stat the network namespace")?.st_ino,
        };
        Ok(Self { boot_id: boot_id.trim().to_owned(), network_namespace, mount_namespace })
    }
}

fn check_format(directory: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let Some(bytes) = file::read_bounded(directory, layout::FORMAT_FILE, 64)? else {
        return adopt(directory, path);
    };
    let text = String::from_utf8_lossy(&bytes);
    match text.trim().parse::<u32>() {
        Ok(format) if format <= layout::FORMAT => Ok(()),
        Ok(format) => Err(Error::unsupported(format!(
            "the state root {} has format {format}, which is newer than this berth knows ({}): use the newer berth",
            path.display(),
            layout::FORMAT
        ))),
        Err(_) => Err(Error::corrupt(format!(
            "{}/format is damaged: it should hold the number {}",
            path.display(),
            layout::FORMAT
        ))),
    }
}

/// Images and volumes have programs with set-user-id bits, and directories that anybody may write: nobody else gets there by the host's paths.
fn close_to_others(directory: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let mode = rustix::fs::fstat(directory).context("stat the state root")?.st_mode & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    rustix::fs::fchmod(directory, Mode::from_raw_mode(mode & 0o7700)).with_context(|| {
        let path = path.display();
        format!("the state root {path} is open to others, as mode {mode:o}: chmod 0700 {path}")
    })
}

/// Makes the root.
fn make(path: &Path) -> Result<OwnedFd> {
    file::make_directories(path, 0o700).context("make the state root")
}

/// Makes an empty directory a state root, once its file system has shown that it can carry one.
fn adopt(directory: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let foreign = rustix::fs::Dir::read_from(directory)
        .context("list the state root")?
        .filter_map(|entry| entry.ok())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| !matches!(name.as_str(), "." | ".." | "lost+found") && !is_ours(name));
    if let Some(foreign) = foreign {
        return Err(Error::invalid(format!(
            "{} is no state root: it has no file format, but has {foreign:?}; name an empty directory",
            path.display()
        )));
    }
    snapshot::probe(directory).map_err(|error| {
        let kind = if error.kind() == Kind::Internal { Kind::Unsupported } else { error.kind() };
        error.with_kind(kind).context(format!("the file system of the state root {}", path.display()))
    })?;
    file::replace(directory, layout::FORMAT_FILE, format!("{}\n", layout::FORMAT).as_bytes(), Durability::Synced)
}

// Two processes may make the same root at the same time, and a crash may have left a part of one.
fn is_ours(name: &str) -> bool {
    name.starts_with('.')
        || [layout::OWN, image::ROOT_NAMES, snapshot::ROOT_NAMES].iter().any(|names| names.contains(&name))
}

/// Where the kernel says that an open directory is.
fn real_path(directory: BorrowedFd<'_>) -> Result<std::path::PathBuf> {
    use std::os::fd::AsRawFd;
    let link = format!("/proc/self/fd/{}", directory.as_raw_fd());
    std::fs::read_link(link).context("find the path of the state root")
}

/// Makes one directory that must not exist yet.
pub(crate) fn make_new_directory(parent: BorrowedFd<'_>, name: &str, mode: u32) -> Result<OwnedFd> {
    rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(mode)).with_context(|| format!("make directory {name}"))?;
    file::open_directory_at(parent, name)
}
