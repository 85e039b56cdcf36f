//! The terminal of a process: made in the container's own instance of the terminals' file system, and reached by handles only
//! (CVE-2025-52565).

use super::devices::is_device;
use super::mounts::{attach, clone_of};
use super::target::{Shape, reach};
use crate::channel::Channel;
use crate::spec::Process;
use crate::stdio::Theirs;
use base::tree::{Links, Tree};
use base::{Context, Error, Result};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use sys::mount::Depth;

/// `f_type` of the terminals' file system (statfs(2)).
const DEVPTS_MAGIC: u64 = 0x1cd1;
const MASTER: OFlags = OFlags::RDWR.union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// The first process's: it becomes `/dev/console` too. Without an instance of the container's own, it is one of the host's.
pub(super) fn of_first(process: &Process, root: &Tree, devpts: Option<&OwnedFd>, channel: &Channel) -> Result<Theirs> {
    let master = match devpts {
        Some(devpts) => rustix::fs::openat(devpts, "ptmx", MASTER, Mode::empty()),
        None => rustix::fs::openat(CWD, "/dev/ptmx", MASTER, Mode::empty()),
    };
    let terminal = open(process, &master.context("open a terminal")?, channel)?;
    let console = reach(root, "/dev/console", Shape::File)?;
    let bound = clone_of(terminal.as_fd(), Depth::Single).and_then(|mount| attach(mount.as_fd(), console.as_fd()));
    bound.map_err(|error| error.context("bind the terminal to /dev/console"))?;
    three(terminal)
}

/// A further process's, after it has entered the container.
pub(crate) fn in_container(process: &Process, root: &Tree, channel: &Channel) -> Result<Theirs> {
    let master = root
        .open_at(Path::new("/dev/pts/ptmx"), MASTER, Mode::empty(), Links::Refuse)
        .context("open a terminal: open /dev/pts/ptmx")?;
    let status = rustix::fs::fstatfs(&master).context("stat the terminal")?;
    if status.f_type as u64 != DEVPTS_MAGIC || !is_device(master.as_fd(), FileType::CharacterDevice, (5, 2))? {
        return Err(Error::conflict("the container's /dev/pts/ptmx is no terminal"));
    }
    three(open(process, &master, channel)?)
}

fn open(process: &Process, master: &OwnedFd, channel: &Channel) -> Result<OwnedFd> {
    rustix::pty::unlockpt(master).context("unlock the terminal")?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = rustix::pty::ioctl_tiocgptpeer(master, flags).context("open the terminal")?;
    let (ws_row, ws_col) = process.console_size;
    if (ws_row, ws_col) != (0, 0) {
        let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(master, size).context("set the terminal's size")?;
    }
    channel.send_terminal(master.as_fd())?;
    Ok(terminal)
}

fn three(terminal: OwnedFd) -> Result<Theirs> {
    let copy = || terminal.try_clone().context("copy the terminal's descriptor");
    Ok([copy()?, copy()?, terminal])
}
