//! The engine's program, out of reach of what runs in containers (CVE-2019-5736).
//!
//! `/proc/PID/exe` of a process on its way into a container is the engine's own file. So supervisors run from a detached, read-only overlay
//! of the program's folder without an upper directory: whoever opens that file for writing gets `EROFS`, and the file itself is never
//! reachable. Where an overlay cannot be made, one sealed memory file serves all supervisors that this process starts.

use base::{Context, Result};
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A program that can be executed and not be written.
#[derive(Debug)]
pub(crate) struct Program {
    file: OwnedFd,
}

impl AsFd for Program {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Opens the program at `binary` so that whoever runs it cannot reach the file; `scratch` is any other directory.
///
/// # Errors
/// When the program cannot be read.
pub(crate) fn out_of_reach(binary: &Path, scratch: &Path) -> Result<Program> {
    if let Ok(file) = from_overlay(binary, scratch) {
        return Ok(Program { file });
    }
    from_memory(binary).map(|file| Program { file }).with_context(|| format!("copy {} into memory", binary.display()))
}

fn from_overlay(binary: &Path, scratch: &Path) -> Result<OwnedFd> {
    let (Some(folder), Some(name)) = (binary.parent(), binary.file_name()) else {
        return Err(base::Error::invalid("a program without a folder"));
    };
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).context("open overlay")?;
    // Without an upper directory the kernel wants two lower ones; each may be named only once.
    for lower in [folder, scratch] {
        rustix::mount::fsconfig_set_string(context.as_fd(), "lowerdir+", lower).context("add a layer")?;
    }
    rustix::mount::fsconfig_create(context.as_fd()).context("make an overlay")?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
    let mount = rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).context("mount")?;
    rustix::fs::openat(&mount, Path::new(name), OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .context("open the program")
}

/// The last program that was copied, and the file that it was copied from.
static COPY: Mutex<Option<(PathBuf, OwnedFd)>> = Mutex::new(None);

fn from_memory(binary: &Path) -> Result<OwnedFd> {
    let mut copy = COPY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((path, file)) = &*copy
        && path == binary
    {
        return file.try_clone().context("keep it open");
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = rustix::fs::memfd_create("berth", flags).context("make a memory file")?;
    let mut target = File::from(memory);
    let mut source = File::open(binary).context("open it")?;
    std::io::copy(&mut source, &mut target).context("copy it")?;
    rustix::fs::fchmod(&target, Mode::from_raw_mode(0o500)).context("make it executable")?;
    rustix::fs::fcntl_add_seals(&target, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)
        .context("seal it")?;
    // A file that is open for writing cannot be executed.
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&target));
    let file = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).context("open it again")?;
    *copy = Some((binary.to_owned(), file.try_clone().context("keep it open")?));
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;
    use std::os::fd::AsRawFd;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    #[test]
    fn both_ways_can_be_executed_and_not_written() {
        let binary = Path::new("/bin/busybox");
        let ways = [(from_overlay(binary, Path::new("/run")), Errno::ROFS), (from_memory(binary), Errno::PERM)];
        for (file, refusal) in ways {
            let file = file.unwrap();
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            let mut command = Command::new(&path);
            // One program of many names needs to know its own.
            assert!(command.arg0("busybox").arg("true").status().unwrap().success());
            // Now nobody runs from it, and the kernel's reason to refuse (ETXTBSY) has gone. Truncating might succeed where writing does not.
            let open = |flags| rustix::fs::open(&path, flags | OFlags::CLOEXEC, Mode::empty());
            let written = open(OFlags::WRONLY).and_then(|file| rustix::io::write(file, b"evil"));
            let truncated = open(OFlags::RDWR).and_then(|file| rustix::fs::ftruncate(file, 0));
            assert_eq!((written, truncated), (Err(refusal), Err(refusal)));
        }
    }
}
