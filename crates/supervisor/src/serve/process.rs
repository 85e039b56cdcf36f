//! The container's processes, as the supervisor handles them: the runtime's container, made as the plan says.

use crate::plan::{Plan, Stdin};
use crate::protocol::Reply;
use base::{Context, Result};
use cgroup::Resources;
use runtime::spec::{Namespace, Process};
use runtime::{Ends, Input, Request};
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};

pub(super) use runtime::{Child, Entering};

/// The namespaces of a process, as `/proc/PID/ns` names them, and as messages do.
const NAMESPACES: [(&str, &str); 6] =
    [("pid", "pid"), ("net", "network"), ("ipc", "ipc"), ("uts", "uts"), ("mnt", "mount"), ("cgroup", "cgroup")];

/// A container that was created.
#[derive(Debug)]
pub(super) struct Container {
    inner: runtime::Container,
    shares_network: bool,
}

impl Container {
    pub(super) fn create(plan: &Plan, joined: &BTreeMap<String, OwnedFd>, host: &cgroup::Host) -> Result<(Self, Ends)> {
        let request = Request { spec: &plan.spec, joined, host, input: input(plan.stdin) };
        let (inner, ends) = runtime::Container::create(&request)?;
        Ok((Self { inner, shares_network: plan.spec.namespaces.network == Namespace::Host }, ends))
    }

    pub(super) fn start(&mut self) -> Result<()> {
        self.inner.start()
    }

    pub(super) fn exec(&self, process: &Process, stdin: Stdin) -> Result<Entering> {
        self.inner.exec(process, input(stdin))
    }

    /// The container's first process.
    pub(super) fn pid(&self) -> Pid {
        self.inner.init().pid()
    }

    /// Readable when the container's first process has exited.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.inner.init().descriptor()
    }

    pub(super) fn reap(&self) -> Option<i32> {
        self.inner.init().reap()
    }

    pub(super) fn signal(&self, signal: i32) -> Result<()> {
        self.inner.init().signal(signal)
    }

    pub(super) fn processes(&self) -> Result<Vec<Pid>> {
        Ok(self.inner.group().processes()?.into_iter().filter_map(Pid::from_raw).collect())
    }

    pub(super) fn freeze(&self) -> Result<()> {
        self.inner.group().freeze()
    }

    pub(super) fn thaw(&self) -> Result<()> {
        self.inner.group().thaw()
    }

    pub(super) fn update(&mut self, resources: &Resources) -> Result<()> {
        self.inner.group_mut().update(resources)
    }

    /// How often the kernel has killed in this container for want of memory.
    pub(super) fn oom_kills(&self) -> u64 {
        self.inner.oom_kills()
    }

    /// Kills what is left of the container: with a pid namespace of its own, nothing.
    pub(super) fn kill_rest(&self) {
        self.inner.kill_rest();
    }

    /// Ends a container that is not to run, and reaps it.
    pub(super) fn end(&mut self) {
        self.inner.end();
    }

    pub(super) fn remove(&self) -> Result<()> {
        self.inner.remove()
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
        let path = format!("/proc/{}/ns/{file}", self.pid().as_raw_nonzero());
        rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).with_context(|| format!("open {path}"))
    }
}

fn input(stdin: Stdin) -> Input {
    match stdin {
        Stdin::Closed => Input::Nothing,
        Stdin::Once | Stdin::Open => Input::Pipe,
    }
}
