//! The end of a group: in every hierarchy, within bounded time.

use crate::directory;
use crate::group::{Group, is_marked, relative};
use crate::host::Hierarchy;
use base::{Error, Result};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// How long a killed process may take to leave; one that sits in the kernel takes longer, and is reported.
const PATIENCE: Duration = Duration::from_secs(5);

impl Group {
    /// Removes the group in every hierarchy, with the groups below it, and then the parents that were made for it and
    /// are empty now. Processes that are about to end are waited for, at most 5 s; a group that is gone is no error.
    ///
    /// # Errors
    /// [`Kind::Conflict`](base::Kind::Conflict), naming the hierarchies where it stays and the processes that keep it.
    pub fn remove(&self) -> Result<()> {
        let name = relative(&self.path);
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_micros(100);
        // In all hierarchies, whatever was open here: another process may have extended the group.
        let mut left: Vec<(&Hierarchy, Errno)> =
            self.host.hierarchies().iter().map(|hierarchy| (hierarchy, Errno::BUSY)).collect();
        loop {
            left = left.into_iter().filter_map(|(hierarchy, _)| still_there(hierarchy, name)).collect();
            if left.is_empty() || Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        if left.is_empty() {
            self.host.hierarchies().iter().for_each(|hierarchy| remove_parents(hierarchy, name));
            return Ok(());
        }
        Err(self.report(&left))
    }

    fn report(&self, left: &[(&Hierarchy, Errno)]) -> Error {
        let places: Vec<String> =
            left.iter().map(|(hierarchy, errno)| format!("{} ({errno})", hierarchy.mount_point().display())).collect();
        let processes = self.processes().unwrap_or_default();
        Error::conflict(format!(
            "remove control group {}: still there in {}; its processes: {processes:?}",
            self.path,
            places.join(", ")
        ))
    }
}

fn still_there<'a>(hierarchy: &'a Hierarchy, name: &str) -> Option<(&'a Hierarchy, Errno)> {
    match remove_tree(hierarchy.root(), name) {
        Ok(()) | Err(Errno::NOENT) => None,
        Err(errno) => Some((hierarchy, errno)),
    }
}

/// Removes a group and the groups below it, the deepest first; processes in any of them make it fail.
pub(crate) fn remove_tree(directory: BorrowedFd<'_>, path: &str) -> Result<(), Errno> {
    match directory::remove(directory, path) {
        Err(Errno::BUSY | Errno::NOTEMPTY) => {}
        result => return result,
    }
    let remove_one = |parent: BorrowedFd<'_>, name: &CStr| match directory::remove(parent, name) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    };
    match directory::walk(directory::open(directory, path)?, |_| {}, remove_one) {
        // Where somebody else removes it too, what is left shows below.
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    directory::remove(directory, path)
}

/// Removes parents from below, as long as they are ours and empty.
pub(crate) fn remove_parents(hierarchy: &Hierarchy, name: &str) {
    let mut path = name;
    while let Some((parent, _)) = path.rsplit_once('/') {
        // One that others still use refuses, and all above it would.
        if !is_marked(hierarchy, parent) || directory::remove(hierarchy.root(), parent).is_err() {
            break;
        }
        path = parent;
    }
}
