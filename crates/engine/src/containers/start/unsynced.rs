//! Containers that go with their exit: nothing that they write to their root file system is ever synced.
//!
//! With the end of an overlay the kernel syncs everything that anybody has written to the file system of its upper directory, and whoever ends it waits. For
//! what is removed right after, that is for nothing.

use std::path::Path;

use base::tree::{Links, Tree};
use base::{Context, Error, Result};
use rustix::io::Errno;

use crate::containers::record::Locked;
use crate::layout;

/// In the directory that overlayfs makes in its working directory.
const MARK: &str = "incompat";

/// Lets a container start that has run before. The kernel marks what it does not sync and does not mount it again; within one boot nothing can be missing.
///
/// # Errors
/// `Conflict` when it was started in another boot than this one.
pub(super) fn allow_again(container: &Locked, boot: &str) -> Result<()> {
    let directory = container.directory().try_clone_to_owned().context("keep the container's directory")?;
    let work = match Tree::new(directory).directory(&Path::new(layout::WORK).join("work"), Links::Refuse) {
        Ok(work) => work,
        // It has never run.
        Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.context("prepare the root file system")),
    };
    if container.sandbox()?.boot.as_deref() != Some(boot) {
        return Err(Error::conflict(format!(
            "container {} was made for one run, and that ended with the machine: make another one",
            container.name()
        )));
    }
    work.remove_all(MARK.as_ref())
}
