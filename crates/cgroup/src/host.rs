//! Which hierarchies this machine has, and where they are mounted.

use base::{Context, Error, Result};
use rustix::fs::{Mode as FileMode, OFlags};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `f_type` of a cgroup2 file system (statfs(2)).
const CGROUP2_MAGIC: u64 = 0x6367_7270;
/// More than any machine's mounts need; mountinfo beyond it is refused.
const MOUNTINFO_LIMIT: u64 = 32 << 20;

/// How the machine arranges its controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One unified hierarchy with all controllers.
    V2,
    /// One hierarchy for each controller or few, and no unified one.
    V1,
    /// As V1, and a unified hierarchy beside them that carries processes but few controllers.
    Hybrid,
}

impl Mode {
    /// `1` or `2`, as Docker's `info` tells it.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::V2 => "2",
            Self::V1 | Self::Hybrid => "1",
        }
    }
}

/// One mounted hierarchy.
#[derive(Debug)]
pub struct Hierarchy {
    name: String,
    controllers: Vec<String>,
    mount_point: PathBuf,
    root: OwnedFd,
    unified: bool,
}

impl Hierarchy {
    /// The name of its folder below the mount root: `memory`, `cpu,cpuacct`, `systemd`, `unified`; empty for pure v2.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Controllers of v1, or `name=…` of a named hierarchy; empty for the unified one. Joined by commas, they are the
    /// options with which a v1 hierarchy is mounted again.
    #[must_use]
    pub fn controllers(&self) -> &[String] {
        &self.controllers
    }

    /// Where it is mounted.
    #[must_use]
    pub fn mount_point(&self) -> &Path {
        &self.mount_point
    }

    /// Whether it is the v2 hierarchy.
    #[must_use]
    pub fn is_unified(&self) -> bool {
        self.unified
    }

    /// Its topmost directory.
    #[must_use]
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    pub(crate) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|own| own == controller)
    }
}

/// The hierarchies of this machine; clones share them.
#[derive(Debug, Clone)]
pub struct Host {
    mode: Mode,
    hierarchies: Arc<[Hierarchy]>,
}

impl Host {
    /// Looks at what is mounted at and directly below `mount_root`, normally [`MOUNT_ROOT`](crate::MOUNT_ROOT).
    ///
    /// # Errors
    /// [`Kind::Unsupported`](base::Kind::Unsupported) where no control groups are mounted there.
    pub fn detect(mount_root: &Path) -> Result<Self> {
        let root = open(mount_root)?;
        let status = rustix::fs::fstatfs(&root).with_context(|| format!("stat {}", mount_root.display()))?;
        if status.f_type as u64 == CGROUP2_MAGIC {
            let unified = Hierarchy {
                name: String::new(),
                controllers: Vec::new(),
                mount_point: mount_root.to_owned(),
                root,
                unified: true,
            };
            return Ok(Self { mode: Mode::V2, hierarchies: Arc::new([unified]) });
        }
        let mut text = String::new();
        File::open("/proc/self/mountinfo")
            .and_then(|file| file.take(MOUNTINFO_LIMIT).read_to_string(&mut text))
            .context("read /proc/self/mountinfo")?;
        let mut hierarchies = Vec::new();
        for line in text.lines() {
            if let Some(found) = parse_mount(line, mount_root) {
                let FoundMount { name, controllers, mount_point, unified } = found;
                let root = open(&mount_point)?;
                hierarchies.push(Hierarchy { name, controllers, mount_point, root, unified });
            }
        }
        let unified = hierarchies.iter().filter(|hierarchy| hierarchy.unified).count();
        let mode = match (unified, hierarchies.len()) {
            (0, 0) => {
                return Err(Error::unsupported(format!(
                    "no control groups are mounted at {}: mount cgroup2 there",
                    mount_root.display()
                )));
            }
            (0, _) => Mode::V1,
            (_, _) => Mode::Hybrid,
        };
        Ok(Self { mode, hierarchies: hierarchies.into() })
    }

    /// How the machine arranges its controllers.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// All hierarchies, in the order of their mounts.
    #[must_use]
    pub fn hierarchies(&self) -> &[Hierarchy] {
        &self.hierarchies
    }

    /// The v2 hierarchy, where there is one.
    #[must_use]
    pub fn unified(&self) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| hierarchy.unified)
    }

    /// The paths of this process's own groups, by index of the hierarchy.
    pub(crate) fn own_paths(&self) -> Result<Vec<Option<String>>> {
        let text = std::fs::read_to_string("/proc/self/cgroup").context("read /proc/self/cgroup")?;
        Ok(self.hierarchies.iter().map(|hierarchy| own_path(&text, hierarchy)).collect())
    }
}

/// The path of `hierarchy` in the text of `/proc/PID/cgroup` (cgroups(7)).
fn own_path(text: &str, hierarchy: &Hierarchy) -> Option<String> {
    text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let ours = match hierarchy.unified {
            true => controllers.is_empty(),
            false => controllers.split(',').any(|controller| hierarchy.has(controller)),
        };
        ours.then(|| path.to_owned())
    })
}

fn open(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, FileMode::empty()) {
        Ok(directory) => Ok(directory),
        Err(rustix::io::Errno::NOENT) => {
            Err(Error::unsupported(format!("no control groups are mounted at {}", path.display())))
        }
        Err(errno) => Err(errno).with_context(|| format!("open {}", path.display())),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct FoundMount {
    name: String,
    controllers: Vec<String>,
    mount_point: PathBuf,
    unified: bool,
}

/// A hierarchy directly below `mount_root` in a line of mountinfo (proc_pid_mountinfo(5)).
fn parse_mount(line: &str, mount_root: &Path) -> Option<FoundMount> {
    let (before, after) = line.split_once(" - ")?;
    let mut after = after.split(' ');
    let (file_system, _source, options) = (after.next()?, after.next()?, after.next()?);
    let unified = match file_system {
        "cgroup2" => true,
        "cgroup" => false,
        _ => return None,
    };
    let mount_point = Path::new(before.split(' ').nth(4)?);
    if mount_point.parent() != Some(mount_root) {
        return None;
    }
    const OTHER_OPTIONS: &[&str] = &["rw", "ro", "noprefix", "xattr", "clone_children", "cpuset_v2_mode"];
    let controllers = match unified {
        true => Vec::new(),
        false => options
            .split(',')
            .filter(|option| !OTHER_OPTIONS.contains(option) && !option.starts_with("release_agent="))
            .map(str::to_owned)
            .collect(),
    };
    let name = mount_point.file_name()?.to_str()?.to_owned();
    Some(FoundMount { name, controllers, mount_point: mount_point.to_owned(), unified })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts() {
        let root = Path::new("/sys/fs/cgroup");
        let line = "36 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct";
        let found = parse_mount(line, root).unwrap();
        assert_eq!((found.name.as_str(), found.unified), ("cpu,cpuacct", false));
        assert_eq!(found.controllers, ["cpu", "cpuacct"]);
        let line = "36 30 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd";
        assert_eq!(parse_mount(line, root).unwrap().controllers, ["name=systemd"]);
        let line = "36 30 0:31 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate";
        assert!(parse_mount(line, root).unwrap().unified);
        for other in [
            "36 30 0:31 / /mnt/memory rw - cgroup cgroup rw,memory",
            "36 30 0:31 / /sys/fs/cgroup/a/b rw - cgroup cgroup rw,memory",
            "36 30 0:31 / /sys/fs/cgroup/x rw - tmpfs tmpfs rw",
            "",
        ] {
            assert_eq!(parse_mount(other, root), None, "{other}");
        }
    }

    #[test]
    fn no_control_groups_is_said() {
        let error = Host::detect(Path::new("/proc/self/fd")).unwrap_err();
        assert_eq!(error.kind(), base::Kind::Unsupported);
    }
}
