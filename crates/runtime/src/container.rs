//! A container: its control group and its first process.

use crate::channel::{Channel, Word};
use crate::child::Child;
use crate::enter;
use crate::entering::Entering;
use crate::init;
use crate::spec::{Namespace, Namespaces, Process, Spec};
use crate::stdio::{self, Ends};
use base::{Context, Error, Result};
use cgroup::Group;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space, move_into_thread_name_spaces};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::clone::Side;

/// What a process reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Nothing.
    Nothing,
    /// What is written to [`Ends::stdin`].
    Pipe,
}

/// What a container is made of.
#[derive(Debug)]
pub struct Request<'a> {
    /// The container.
    pub spec: &'a Spec,
    /// The namespaces that `spec` joins, by their names there.
    pub joined: &'a BTreeMap<String, OwnedFd>,
    /// Where its control group is made.
    pub host: &'a cgroup::Host,
    /// What its first process reads.
    pub input: Input,
}

/// A container that was created.
#[derive(Debug)]
pub struct Container {
    init: Child,
    channel: Option<Channel>,
    group: Group,
    pid_namespace: Namespace,
}

impl Container {
    /// Makes the control group and the first process, which sets itself up and waits for [`Container::start`].
    ///
    /// What fails while it sets itself up is told by `start`. This process must have one thread.
    ///
    /// # Errors
    /// As [`Group::create`], and when there can be no process. Nothing stays then.
    pub fn create(request: &Request<'_>) -> Result<(Self, Ends)> {
        let cgroup = &request.spec.cgroup;
        let group = Group::create(request.host, &cgroup.path, &cgroup.resources)?;
        match Self::clone_first(request, &group) {
            Ok((init, channel, mut ends)) => {
                let pid_namespace = request.spec.namespaces.pid;
                let mut container = Self { init, channel: Some(channel), group, pid_namespace };
                if request.spec.process.terminal {
                    match container.terminal() {
                        Ok(terminal) => ends.terminal = Some(terminal),
                        Err(error) => {
                            container.end();
                            let _ = container.remove();
                            return Err(error);
                        }
                    }
                }
                Ok((container, ends))
            }
            Err(error) => {
                let _ = group.remove();
                Err(error)
            }
        }
    }

    fn clone_first(request: &Request<'_>, group: &Group) -> Result<(Child, Channel, Ends)> {
        let Request { spec, joined, input, .. } = *request;
        let (channel, theirs) = Channel::pair()?;
        let doors = group.doors()?;
        let (stdio, ends) = match spec.process.terminal {
            true => (None, Ends::default()),
            false => stdio::pipes(input).map(|(stdio, ends)| (Some(stdio), ends))?,
        };
        let pid = match spec.namespaces.pid {
            Namespace::Join => PidNamespace::Of(init::namespaces::joined(joined, "pid")?),
            _ => PidNamespace::Ours,
        };
        let side = fork_into(pid, new_namespaces(spec.namespaces), group.directory())?;
        match side {
            Side::Child => init::run(init::First { spec, joined, group, doors: &doors, channel: theirs, stdio }),
            Side::Parent(pid, descriptor) => Ok((Child::new(pid, descriptor), channel, ends)),
        }
    }

    fn terminal(&self) -> Result<OwnedFd> {
        let channel = self.channel.as_ref().ok_or_else(|| Error::internal("the container was started already"))?;
        match channel.hear()? {
            Some(Word::Terminal(terminal)) => Ok(terminal),
            Some(Word::Failed(error)) => Err(error),
            Some(Word::Ready) | None => Err(self.died()),
        }
    }

    /// Lets the first process become the program, and returns once it has.
    ///
    /// # Errors
    /// What failed while it set itself up; [`Kind::CommandNotFound`](base::Kind::CommandNotFound) and
    /// [`Kind::CommandNotRunnable`](base::Kind::CommandNotRunnable) for the program. The container is then to be ended.
    pub fn start(&mut self) -> Result<()> {
        let channel = self.channel.take().ok_or_else(|| Error::conflict("the container was started already"))?;
        channel.release()?;
        hear_to_the_end(&channel)?.ok_or_else(|| self.died())
    }

    fn died(&self) -> Error {
        let reason = match self.oom_kills() {
            0 => "the container's process was killed before its program ran",
            _ => "the memory limit is too small: it ran out before the container's program ran",
        };
        Error::internal(reason)
    }

    /// Sends a further process into the container. It may be stopped there, or hang: this does not wait for it.
    ///
    /// # Errors
    /// When there can be no process.
    pub fn exec(&self, process: &Process, input: Input) -> Result<Entering> {
        let (channel, theirs) = Channel::pair()?;
        channel.stop_waiting()?;
        let doors = self.group.doors()?;
        let (stdio, ends) = match process.terminal {
            true => (None, Ends::default()),
            false => stdio::pipes(input).map(|(stdio, ends)| (Some(stdio), ends))?,
        };
        let init = self.init.descriptor();
        let pid = match self.pid_namespace {
            Namespace::Host => PidNamespace::Ours,
            Namespace::New | Namespace::Join => PidNamespace::OfProcess(init),
        };
        match fork_into(pid, sys::clone::Namespaces::default(), self.group.directory())? {
            Side::Child => enter::run(enter::Order { process, init, doors: &doors, channel: theirs, stdio }),
            Side::Parent(pid, descriptor) => Ok(Entering::new(Child::new(pid, descriptor), channel, ends)),
        }
    }

    /// The container's first process.
    #[must_use]
    pub fn init(&self) -> &Child {
        &self.init
    }

    /// Its control group.
    #[must_use]
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Its control group, to be changed.
    pub fn group_mut(&mut self) -> &mut Group {
        &mut self.group
    }

    /// How often the kernel has killed in this container for want of memory.
    #[must_use]
    pub fn oom_kills(&self) -> u64 {
        self.group.oom_kills().unwrap_or(0)
    }

    /// Kills what is left of the container: with a pid namespace of its own, nothing.
    pub fn kill_rest(&self) {
        let _ = self.group.kill();
    }

    /// Ends a container that is not to run, and reaps it.
    pub fn end(&mut self) {
        // Its channel's end is what a blocked process exits on; the kill is for one that got further.
        self.channel = None;
        let _ = self.init.signal(9);
        self.kill_rest();
        self.init.wait();
    }

    /// Removes the control group.
    ///
    /// # Errors
    /// When a process is left in it.
    pub fn remove(&self) -> Result<()> {
        self.group.remove()
    }
}

/// Hears a process until its end: `Some` where its program runs, `None` where it died.
fn hear_to_the_end(channel: &Channel) -> Result<Option<()>> {
    let mut ready = None;
    loop {
        match channel.hear()? {
            Some(Word::Ready) => ready = Some(()),
            Some(Word::Failed(error)) => return Err(error),
            Some(Word::Terminal(_)) => return Err(Error::internal("a second terminal")),
            None => return Ok(ready),
        }
    }
}

/// In which pid namespace a new process is.
#[derive(Debug, Clone, Copy)]
enum PidNamespace<'a> {
    Ours,
    Of(BorrowedFd<'a>),
    OfProcess(BorrowedFd<'a>),
}

/// Forks into a pid namespace: this process's children are made there for the moment. So the new one is our own child, which a second fork
/// inside would not be.
fn fork_into(
    pid: PidNamespace<'_>,
    namespaces: sys::clone::Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Side> {
    let fork = || sys::clone::fork(namespaces, cgroup).context("make a process");
    let entered = match pid {
        PidNamespace::Ours => return fork(),
        PidNamespace::Of(namespace) => {
            let ours = own_pid_namespace()?;
            move_into_link_name_space(namespace, Some(LinkNameSpaceType::ProcessID)).map(|()| ours)
        }
        PidNamespace::OfProcess(process) => {
            let ours = own_pid_namespace()?;
            move_into_thread_name_spaces(process, ThreadNameSpaceType::PROCESS_ID).map(|()| ours)
        }
    };
    let ours = match entered {
        Err(Errno::SRCH) => return Err(Error::conflict("the container's first process has exited")),
        entered => entered.context("enter the pid namespace")?,
    };
    let side = fork();
    if !matches!(side, Ok(Side::Child)) {
        move_into_link_name_space(ours.as_fd(), Some(LinkNameSpaceType::ProcessID))
            .context("leave the pid namespace")?;
    }
    side
}

fn own_pid_namespace() -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::open("/proc/self/ns/pid", flags, Mode::empty()).context("open our own pid namespace")
}

/// The namespaces that the kernel makes with the process; that of control groups is made once it is in its group.
fn new_namespaces(wanted: Namespaces) -> sys::clone::Namespaces {
    let new = |namespace| namespace == Namespace::New;
    sys::clone::Namespaces {
        mount: true,
        pid: new(wanted.pid),
        network: new(wanted.network),
        ipc: new(wanted.ipc),
        uts: new(wanted.uts),
        cgroup: false,
    }
}
