//! One group: the same path in each hierarchy that it needs.

use crate::host::{Hierarchy, Host};
use crate::resources::Resources;
use crate::{directory, remove, v1, v2};
use base::{Context, Error, Result};
use rustix::fs::{Mode, OFlags, XattrFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Marks the parents that were made here, and therefore go with their last child.
const OURS: &str = "trusted.berth.parent";
/// Controllers of v1 in whose hierarchies every group is made: they limit, account or guard.
const ALWAYS: &[&str] = &["memory", "pids", "devices", "cpu", "cpuacct", "blkio"];
/// A parent may vanish between its making and its child's: with others removing theirs, not for ever.
const MAKE_ATTEMPTS: u32 = 100;

/// A group that exists.
///
/// It stays when this value is dropped; [`Group::remove`] ends it.
#[derive(Debug)]
pub struct Group {
    pub(crate) host: Host,
    pub(crate) path: String,
    pub(crate) handles: Vec<Option<OwnedFd>>,
}

/// A group's directory in one hierarchy.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The hierarchy.
    pub hierarchy: &'a Hierarchy,
    /// The directory.
    pub directory: BorrowedFd<'a>,
}

/// Ways into a group's v1 hierarchies, for a process that goes itself.
#[derive(Debug)]
pub struct Doors(pub(crate) Vec<OwnedFd>);

impl Doors {
    /// The descriptors, for a new process that closes all others.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd)
    }

    /// Moves the calling thread, which must be the only one of its process, into the group.
    ///
    /// A cgroup namespace is made after this: it shows what its maker was in. Takes no locks and allocates nothing.
    /// The v2 hierarchy is not among the doors: the process is cloned into [`Group::directory`].
    ///
    /// # Errors
    /// As the kernel refuses it; the thread may then be in some of the hierarchies.
    pub fn enter(&self) -> Result<(), Errno> {
        // "0" is the writer itself, which cannot exit meanwhile: the kernel takes no lock that costs a grace period.
        self.0.iter().try_for_each(|door| rustix::io::write(door, b"0").map(drop))
    }
}

impl Group {
    /// Makes the group `path` with limits, in the hierarchies that it needs, and its missing parents.
    ///
    /// An empty group of that name, left by a crash, is replaced. On failure nothing stays.
    ///
    /// # Errors
    /// [`Kind::Invalid`](base::Kind::Invalid) for a wrong path or value, [`Kind::Conflict`](base::Kind::Conflict) where the
    /// group exists and is in use, [`Kind::Unsupported`](base::Kind::Unsupported) naming the setting that this kernel lacks.
    pub fn create(host: &Host, path: &str, resources: &Resources) -> Result<Self> {
        resources.check().map_err(|error| error.context(format!("make control group {path}")))?;
        check_path(path)?;
        let handles = host.hierarchies().iter().map(|_| None).collect();
        let mut group = Self { host: host.clone(), path: path.to_owned(), handles };
        let made = group.make_all(resources).and_then(|()| group.apply(resources));
        if let Err(error) = made {
            // What was made is empty: a failure to remove it would only hide the reason.
            let _ = group.remove();
            return Err(error.context(format!("make control group {path}")));
        }
        Ok(group)
    }

    /// Opens the group `path` where it exists.
    ///
    /// # Errors
    /// [`Kind::NotFound`](base::Kind::NotFound) where no hierarchy has it.
    pub fn open(host: &Host, path: &str) -> Result<Self> {
        check_path(path)?;
        let mut handles = Vec::with_capacity(host.hierarchies().len());
        for hierarchy in host.hierarchies() {
            handles.push(match directory::open(hierarchy.root(), relative(path)) {
                Ok(handle) => Some(handle),
                Err(Errno::NOENT) => None,
                Err(errno) => return Err(errno).with_context(|| format!("open control group {path}")),
            });
        }
        if handles.iter().all(Option::is_none) {
            return Err(Error::not_found(format!("there is no control group {path}")));
        }
        Ok(Self { host: host.clone(), path: path.to_owned(), handles })
    }

    /// Its path below the hierarchies' tops.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its directory in the v2 hierarchy, to clone a process into (`CLONE_INTO_CGROUP`); `None` on pure v1.
    #[must_use]
    pub fn directory(&self) -> Option<BorrowedFd<'_>> {
        self.places().find(|place| place.hierarchy.is_unified()).map(|place| place.directory)
    }

    /// Its directories, one for each hierarchy that it is in. A container should be shown these hierarchies only.
    pub fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.host.hierarchies().iter().zip(&self.handles).filter_map(|(hierarchy, handle)| {
            handle.as_ref().map(|handle| Place { hierarchy, directory: handle.as_fd() })
        })
    }

    /// The directory in the hierarchy of a v1 controller.
    pub(crate) fn controller(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.places().find(|place| place.hierarchy.has(name)).map(|place| place.directory)
    }

    /// Ways into its v1 hierarchies; none on pure v2.
    ///
    /// # Errors
    /// When the group is gone.
    pub fn doors(&self) -> Result<Doors> {
        let places = self.places().filter(|place| !place.hierarchy.is_unified());
        let doors = places
            .map(|place| rustix::fs::openat(place.directory, "tasks", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()));
        let doors = doors.collect::<Result<_, Errno>>().with_context(|| format!("open control group {}", self.path))?;
        Ok(Doors(doors))
    }

    /// Writes the limits that `resources` sets; the others stay as they are.
    ///
    /// # Errors
    /// As [`Group::create`]; the settings before the refused one are then written.
    pub fn update(&mut self, resources: &Resources) -> Result<()> {
        self.update_all(resources).map_err(|error| error.context(format!("update control group {}", self.path)))
    }

    fn update_all(&mut self, resources: &Resources) -> Result<()> {
        resources.check()?;
        let host = self.host.clone();
        for (index, hierarchy) in host.hierarchies().iter().enumerate() {
            if self.handles[index].is_none() && needs(&host, hierarchy, resources) {
                self.extend(index, hierarchy, resources)?;
            }
        }
        self.apply(resources)
    }

    /// Makes the group in one more hierarchy and moves the processes that it has into it.
    fn extend(&mut self, index: usize, hierarchy: &Hierarchy, resources: &Resources) -> Result<()> {
        let handle = make_directory(hierarchy, &self.path, resources)?;
        let place = Place { hierarchy, directory: handle.as_fd() };
        v1::inherit_cpuset_where_empty(&place, &self.path)?;
        v1::apply_to(&place, resources)?;
        let mut moved = Vec::new();
        // Processes fork meanwhile: until a round finds no new one.
        loop {
            let new: Vec<_> = self.processes()?.into_iter().filter(|pid| !moved.contains(pid)).collect();
            if new.is_empty() {
                break;
            }
            for pid in new {
                match directory::write(handle.as_fd(), "cgroup.procs", &pid.to_string()) {
                    Ok(()) | Err(Errno::SRCH) => moved.push(pid),
                    Err(errno) => return Err(errno).with_context(|| format!("move process {pid}")),
                }
            }
        }
        self.handles[index] = Some(handle);
        Ok(())
    }

    fn make_all(&mut self, resources: &Resources) -> Result<()> {
        let host = self.host.clone();
        for (index, hierarchy) in host.hierarchies().iter().enumerate() {
            if needs(&host, hierarchy, resources) {
                self.handles[index] = Some(make_directory(hierarchy, &self.path, resources)?);
            }
        }
        for place in self.places().filter(|place| place.hierarchy.has("cpuset")) {
            v1::inherit_cpuset_where_empty(&place, &self.path)?;
        }
        Ok(())
    }

    fn apply(&self, resources: &Resources) -> Result<()> {
        for place in self.places() {
            match place.hierarchy.is_unified() {
                true => v2::apply(&place, resources, self.host.mode())?,
                false => v1::apply_to(&place, resources)?,
            }
        }
        v1::check_reachable(self, resources)
    }
}

/// Whether a container's group is made in `hierarchy`.
fn needs(host: &Host, hierarchy: &Hierarchy, resources: &Resources) -> bool {
    let cpuset = !resources.cpuset_cpus.is_empty() || !resources.cpuset_mems.is_empty();
    hierarchy.is_unified()
        || ALWAYS.iter().any(|controller| hierarchy.has(controller))
        || cpuset && hierarchy.has("cpuset")
        // The v2 hierarchy freezes as well, and needs no second group for it.
        || host.unified().is_none() && hierarchy.has("freezer")
}

pub(crate) fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

fn check_path(path: &str) -> Result<()> {
    let part = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && part.len() <= 255 && !part.contains(['\0', '\n'])
    };
    match path.strip_prefix('/') {
        Some(rest) if path.len() <= 4000 && rest.split('/').all(part) => Ok(()),
        _ => Err(Error::invalid(format!(
            "control group {path:?} is no plain absolute path: no empty parts, no \"..\", no line breaks"
        ))),
    }
}

/// Makes and opens the group, its parents where they are missing, in one hierarchy.
pub(crate) fn make_directory(hierarchy: &Hierarchy, path: &str, resources: &Resources) -> Result<OwnedFd> {
    let (root, name) = (hierarchy.root(), relative(path));
    for _ in 0..MAKE_ATTEMPTS {
        match rustix::fs::mkdirat(root, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {}
            Err(Errno::NOENT) => {
                make_parents(hierarchy, name)?;
                continue;
            }
            Err(Errno::EXIST) => match remove::remove_tree(root, name) {
                Ok(()) | Err(Errno::NOENT) => continue,
                Err(_) => {
                    return Err(Error::conflict(format!(
                        "it exists in {} and is in use",
                        hierarchy.mount_point().display()
                    )));
                }
            },
            Err(errno) => return Err(errno).with_context(|| format!("below {}", hierarchy.mount_point().display())),
        }
        if hierarchy.is_unified() {
            v2::enable(root, name, resources)?;
        }
        match directory::open(root, name) {
            Ok(handle) => return Ok(handle),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno).with_context(|| format!("below {}", hierarchy.mount_point().display())),
        }
    }
    Err(Error::unavailable(format!("below {}: its parents keep vanishing", hierarchy.mount_point().display())))
}

fn make_parents(hierarchy: &Hierarchy, name: &str) -> Result<()> {
    for (end, _) in name.match_indices('/') {
        let parent = &name[..end];
        match rustix::fs::mkdirat(hierarchy.root(), parent, Mode::from_raw_mode(0o755)) {
            Ok(()) => mark(hierarchy, parent),
            // Missing again: another has just removed it, and the caller tries again.
            Err(Errno::EXIST | Errno::NOENT) => {}
            Err(errno) => {
                return Err(errno)
                    .with_context(|| format!("parent {parent} below {}", hierarchy.mount_point().display()));
            }
        }
    }
    Ok(())
}

/// Remembers with the directory itself that it was made here. A parent without the mark only stays behind, empty.
fn mark(hierarchy: &Hierarchy, parent: &str) {
    if let Ok(handle) = directory::open(hierarchy.root(), parent) {
        let _ = rustix::fs::fsetxattr(&handle, OURS, b"1", XattrFlags::empty());
    }
}

/// Whether the directory was made here as a parent.
pub(crate) fn is_marked(hierarchy: &Hierarchy, parent: &str) -> bool {
    let Ok(handle) = directory::open(hierarchy.root(), parent) else { return false };
    rustix::fs::fgetxattr(&handle, OURS, &mut [0_u8; 1]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for good in ["/berth/abc", "/a", "/system.slice/docker-1.scope"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for wrong in ["", "/", "berth", "/a//b", "/a/", "/../a", "/a/./b", "/a\nb", "/a\0b"] {
            assert!(check_path(wrong).is_err(), "{wrong:?}");
        }
    }
}
