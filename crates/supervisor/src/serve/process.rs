//! The container's processes, as the supervisor handles them: the runtime's and the control group's side of a container in one value.

use super::streams::Ends;
use crate::plan::{Plan, Stdin};
use crate::protocol::Reply;
use base::{Context, Error, Result};
use cgroup::{Group, Resources};
use runtime::spec::{Namespace, Process};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The namespaces of a process, as `/proc/PID/ns` names them, and as messages do.
const NAMESPACES: [(&str, &str); 6] =
    [("pid", "pid"), ("net", "network"), ("ipc", "ipc"), ("uts", "uts"), ("mnt", "mount"), ("cgroup", "cgroup")];

/// A child of this process, named by a descriptor, so that its number cannot come to mean another one.
#[derive(Debug)]
pub(super) struct Child {
    pid: Pid,
    descriptor: OwnedFd,
}

/// A container that was created.
#[derive(Debug)]
pub(super) struct Container {
    init: Child,
    created: Option<(OwnedFd, OwnedFd)>,
    group: Group,
    shares_network: bool,
}

impl Child {
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Readable when it has exited.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Its exit code, or 128 and the signal that ended it; `None` while it runs.
    pub(super) fn reap(&self) -> Option<i32> {
        self.wait(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    fn wait(&self, options: WaitIdOptions) -> Option<i32> {
        loop {
            match rustix::process::waitid(WaitId::PidFd(self.descriptor.as_fd()), options) {
                Ok(Some(status)) => {
                    let signal = status.terminating_signal().map(|signal| 128 + signal);
                    return Some(status.exit_status().or(signal).unwrap_or(255));
                }
                Ok(None) => return None,
                Err(Errno::INTR) => {}
                // Somebody else has reaped it: nobody can, but it is not waited for without end.
                Err(_) => return Some(255),
            }
        }
    }

    fn signal(&self, signal: i32) -> Result<()> {
        match sys::pidfd::send_signal(self.descriptor.as_fd(), signal) {
            // It has exited, and is about to be reaped.
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(Errno::INVAL) => Err(Error::invalid(format!("invalid signal: {signal}"))),
            Err(errno) => Err(errno).context("send the signal"),
        }
    }
}

impl Container {
    pub(super) fn create(plan: &Plan, joined: &BTreeMap<String, OwnedFd>) -> Result<(Self, Ends)> {
        let _ = joined;
        let host = cgroup::Host::detect(std::path::Path::new(cgroup::MOUNT_ROOT))?;
        let group = Group::create(&host, &plan.spec.cgroup.path, &plan.spec.cgroup.resources)?;
        let doors = group.doors()?;
        let (pr, pw) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).context("p")?;
        let (er, ew) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).context("p")?;
        let (theirs, ends) = scratch_io(&plan.spec.process, plan.stdin)?;
        let ns = sys::clone::Namespaces { mount: true, pid: true, network: true, ipc: true, uts: true, cgroup: false };
        match sys::clone::fork(ns, group.directory()).context("fork")? {
            sys::clone::Side::Child => {
                drop(pw);
                let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
                doors.enter().ok();
                let runtime::spec::Root::Directory(root) = &plan.spec.root else { sys::process::exit_now(99) };
                scratch_child(root, &plan.spec.process, theirs, &pr, ew, true)
            }
            sys::clone::Side::Parent(pid, descriptor) => Ok((
                Self { init: Child { pid, descriptor }, created: Some((pw, er)), group, shares_network: false },
                ends,
            )),
        }
    }

    pub(super) fn start(&mut self) -> Result<()> {
        let (pw, er) = self.created.take().unwrap();
        rustix::io::write(&pw, b"x").context("release")?;
        scratch_result(&er)
    }

    pub(super) fn exec(&self, process: &Process, stdin: Stdin) -> Result<(Child, Ends)> {
        let (theirs, ends) = scratch_io(process, stdin)?;
        let (er, ew) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).context("p")?;
        let (pr, pw) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).context("p")?;
        rustix::io::write(&pw, b"x").context("release")?;
        let root = format!("/proc/{}/root", self.init.pid.as_raw_nonzero());
        match sys::clone::fork(sys::clone::Namespaces::default(), self.group.directory()).context("fork")? {
            sys::clone::Side::Child => {
                self.group.doors().unwrap().enter().ok();
                scratch_child(std::path::Path::new(&root), process, theirs, &pr, ew, false)
            }
            sys::clone::Side::Parent(pid, descriptor) => {
                drop(ew);
                scratch_result(&er)?;
                Ok((Child { pid, descriptor }, ends))
            }
        }
    }

    /// The container's first process.
    pub(super) fn pid(&self) -> Pid {
        self.init.pid
    }

    /// Readable when the container's first process has exited.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.init.descriptor()
    }

    pub(super) fn reap(&self) -> Option<i32> {
        self.init.reap()
    }

    pub(super) fn signal(&self, signal: i32) -> Result<()> {
        self.init.signal(signal)
    }

    pub(super) fn processes(&self) -> Result<Vec<Pid>> {
        Ok(self.group.processes()?.into_iter().filter_map(Pid::from_raw).collect())
    }

    pub(super) fn freeze(&self) -> Result<()> {
        self.group.freeze()
    }

    pub(super) fn thaw(&self) -> Result<()> {
        self.group.thaw()
    }

    pub(super) fn update(&mut self, resources: &Resources) -> Result<()> {
        self.group.update(resources)
    }

    /// How often the kernel has killed in this container for want of memory.
    pub(super) fn oom_kills(&self) -> u64 {
        self.group.oom_kills().unwrap_or(0)
    }

    /// Kills what is left of the container: with a pid namespace of its own, nothing.
    pub(super) fn kill_rest(&self) {
        let _ = self.group.kill();
    }

    /// Ends a container that is not to run, and reaps it.
    pub(super) fn end(&mut self) {
        // Its socket's end is what a blocked process exits on; the kill is for one that got further.
        self.created = None;
        let _ = self.init.signal(9);
        self.kill_rest();
        let _ = self.init.wait(WaitIdOptions::EXITED);
    }

    pub(super) fn remove(&self) -> Result<()> {
        self.group.remove()
    }

    /// The network namespace, unless it is the host's.
    pub(super) fn network(&self) -> Result<Option<OwnedFd>> {
        if self.shares_network { Ok(None) } else { self.namespace("net").map(Some) }
    }

    pub(super) fn namespaces(&self) -> Result<(Reply, Vec<OwnedFd>)> {
        let mut names = Vec::new();
        let mut descriptors = Vec::new();
        for (file, name) in NAMESPACES {
            descriptors.push(self.namespace(file)?);
            names.push(name.to_owned());
        }
        Ok((Reply::Namespaces { names }, descriptors))
    }

    fn namespace(&self, file: &str) -> Result<OwnedFd> {
        // The process is our child and not reaped, so the number is still its own.
        let path = format!("/proc/{}/ns/{file}", self.init.pid.as_raw_nonzero());
        rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).with_context(|| format!("open {path}"))
    }
}

fn scratch_io(process: &Process, stdin: Stdin) -> Result<([OwnedFd; 3], Ends)> {
    use rustix::pipe::{PipeFlags, pipe_with};
    if process.terminal {
        let m = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY | rustix::pty::OpenptFlags::CLOEXEC).context("pt")?;
        rustix::pty::unlockpt(&m).context("pt")?;
        let s = rustix::pty::ioctl_tiocgptpeer(&m, rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).context("peer")?;
        let (r, c) = process.console_size;
        rustix::termios::tcsetwinsize(&m, rustix::termios::Winsize { ws_row: r, ws_col: c, ws_xpixel: 0, ws_ypixel: 0 }).context("w")?;
        return Ok(([s.try_clone().unwrap(), s.try_clone().unwrap(), s], Ends { terminal: Some(m), ..Ends::default() }));
    }
    let (o, ow) = pipe_with(PipeFlags::CLOEXEC).context("p")?;
    let (e, ew) = pipe_with(PipeFlags::CLOEXEC).context("p")?;
    let (ir, iw) = if stdin == Stdin::Closed {
        (rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).context("n")?, None)
    } else {
        let (r, w) = pipe_with(PipeFlags::CLOEXEC).context("p")?;
        (r, Some(w))
    };
    Ok(([ir, ow, ew], Ends { terminal: None, stdin: iw, stdout: Some(o), stderr: Some(e) }))
}

fn scratch_result(er: &OwnedFd) -> Result<()> {
    let mut b = [0; 1];
    match rustix::io::read(er, &mut b) {
        Ok(0) => Ok(()),
        _ if b[0] == 2 => Err(Error::command_not_found("not found")),
        _ => Err(Error::command_not_runnable("not runnable")),
    }
}

fn scratch_child(root: &std::path::Path, process: &Process, io: [OwnedFd; 3], pr: &OwnedFd, ew: OwnedFd, first: bool) -> ! {
    let mut b = [0; 1];
    if rustix::io::read(pr, &mut b) != Ok(1) { sys::process::exit_now(98) }
    let _ = sys::process::reset_signals();
    rustix::process::chroot(root).unwrap();
    rustix::process::chdir("/").unwrap();
    if first { let _ = rustix::mount::mount("proc", "/proc", "proc", rustix::mount::MountFlags::empty(), None); }
    let _ = rustix::process::setsid();
    if process.terminal { rustix::process::ioctl_tiocsctty(&io[0]).unwrap(); }
    rustix::stdio::dup2_stdin(&io[0]).unwrap();
    rustix::stdio::dup2_stdout(&io[1]).unwrap();
    rustix::stdio::dup2_stderr(&io[2]).unwrap();
    let _ = sys::process::close_from_on_exec(3);
    let c = |s: &String| std::ffi::CString::new(s.as_str()).unwrap();
    let a: Vec<_> = process.arguments.iter().map(c).collect();
    let e: Vec<_> = process.environment.iter().map(c).collect();
    let errno = sys::process::execute(&a[0], &a, &e);
    let _ = rustix::io::write(&ew, &[if errno == Errno::NOENT { 2 } else { 1 }]);
    sys::process::exit_now(127)
}
