//! The start of a supervisor, up to the moment at which its container runs.

use super::connection::{Client, ServedNetwork, Streams};
use crate::plan::{JoinedNamespaces, Plan};
use crate::program;
use crate::protocol::{Attach, Reply, Request, RulesPlan};
use crate::restart::Policy;
use base::id::Id;
use base::{Context, Error, Result};
use network::port::PublishedPort;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// What a supervisor's process is started with, all of it known before its plan is.
#[derive(Debug)]
pub struct ProcessRequest<'a> {
    /// The container.
    pub id: &'a Id,
    /// As [`Plan::cgroup_parent`].
    pub cgroup_parent: &'a str,
    /// Whether there is to be a keeper, which reads no plan.
    pub restart: Policy,
    /// As [`Plan::binary`].
    pub binary: &'a Path,
    /// As [`Plan::root`].
    pub root: &'a Path,
    /// As [`Plan::runroot`].
    pub runroot: &'a Path,
    /// As [`Plan::configuration`].
    pub configuration: Option<&'a Path>,
}

/// What a container is created from.
#[derive(Debug)]
pub struct CreateRequest<'a> {
    /// What to do.
    pub plan: &'a Plan,
    /// The container's directory.
    pub directory: BorrowedFd<'a>,
    /// Namespaces that `plan.spec` joins.
    pub joined: &'a JoinedNamespaces<OwnedFd>,
}

/// What a supervisor takes back of the host's packet filter, and the netfilter socket that it goes on with.
#[derive(Debug)]
pub struct GivenRules {
    /// What.
    pub plan: RulesPlan,
    /// By [`network::firewall::Firewall::into_socket`].
    pub socket: Option<OwnedFd>,
}

/// A supervisor that waits for its plan. It has touched nothing of the container; dropping it ends it.
#[derive(Debug)]
pub struct Process {
    client: Client,
}

/// A supervisor whose container exists and does not run yet. Dropping it tears the container down.
#[derive(Debug)]
pub struct Starting {
    client: Client,
    pid: i32,
    network: Option<OwnedFd>,
}

/// A supervisor whose container runs.
#[derive(Debug)]
pub struct Running {
    client: Client,
    pid: i32,
}

// Children that have ended stay as zombies until their parent looks; a daemon is the parent of many.
static CHILDREN: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// Reaps supervisors of this process that have ended. [`Process::start`] does so too.
pub fn reap() {
    let mut children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
}

impl Process {
    /// Starts a supervisor. What takes it its time goes on while the caller plans.
    ///
    /// # Errors
    /// When the program cannot be executed.
    pub fn start(request: &ProcessRequest<'_>) -> Result<Self> {
        reap();
        let (here, there) = sys::unix::message_pair().context("make a socket")?;
        // The run root may not be there yet: nobody made it since the machine has started.
        let program = program::out_of_reach(request.binary, request.root)?;
        let mut command = Command::new(format!("/proc/self/fd/{}", program.as_fd().as_raw_fd()));
        command.arg0("berth").arg("supervise").arg(request.id.as_str()).arg(request.cgroup_parent);
        if request.restart != Policy::No {
            command.args([request.binary, request.root, request.runroot]).args(request.configuration);
        }
        command.current_dir("/").env_clear().stdin(Stdio::from(there)).stdout(Stdio::null()).stderr(Stdio::null());
        crate::pass_crash_point(&mut command);
        let child = command.spawn().context("start the supervisor")?;
        CHILDREN.lock().unwrap_or_else(PoisonError::into_inner).push(child);
        base::crash_point!("start.supervisor-forked");
        Ok(Self { client: Client::new(here) })
    }

    /// Returns when the container has been created, its process blocked.
    ///
    /// # Errors
    /// What went wrong with the container; everything of it is torn down then, and `state.json` says so. `Conflict` when another
    /// supervisor holds `alive`.
    pub fn create(self, request: &CreateRequest<'_>) -> Result<Starting> {
        let client = self.client;
        let mut descriptors = vec![request.directory];
        descriptors.extend(request.joined.values().map(AsFd::as_fd));
        let joined = request.joined.keys().cloned().collect();
        client.tell(&Request::Begin { plan: Box::new(request.plan.clone()), joined }, &descriptors)?;
        match client.answer()? {
            (Reply::Created { pid }, descriptors) => {
                Ok(Starting { client, pid, network: descriptors.into_iter().next() })
            }
            (other, _) => Err(Error::internal(format!("the supervisor answered something else: {other:?}"))),
        }
    }
}

impl Starting {
    /// The container's first process, on the host.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The network namespace of the container, unless it is the host's.
    #[must_use]
    pub fn network_namespace(&self) -> Option<BorrowedFd<'_>> {
        self.network.as_ref().map(AsFd::as_fd)
    }

    /// As [`Client::serve_network`].
    ///
    /// # Errors
    /// The same.
    pub fn serve_network(&self, served: ServedNetwork<'_>) -> Result<Vec<PublishedPort>> {
        self.client.serve_network(served)
    }

    /// Connects to the container's streams, from the very first byte.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn attach(&self, attach: Attach) -> Result<Streams> {
        self.client.attach(attach)
    }

    /// Connects the container's streams, from the very first byte, to `theirs`, whose other end a client has already.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn attach_stream(&self, attach: Attach, theirs: BorrowedFd<'_>) -> Result<()> {
        self.client.attach_stream(attach, theirs).map(|_| ())
    }

    /// A connection of its own, on which a wait can begin before the container runs.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn connect(&self) -> Result<Client> {
        self.client.duplicate()
    }

    /// Lets the container run and returns when its program has been executed. The supervisor takes `rules` back when it has exited for good.
    ///
    /// # Errors
    /// `CommandNotFound`, `CommandNotRunnable`, or whatever else kept it from running; everything is torn down then.
    pub fn release(self, rules: Option<GivenRules>) -> Result<Running> {
        let (rules, socket) = rules.map_or((None, None), |GivenRules { plan, socket }| (Some(plan), socket));
        let descriptors: Vec<_> = socket.iter().map(AsFd::as_fd).collect();
        self.client.tell(&Request::Release { rules }, &descriptors)?;
        // The supervisor has it, and is not waited for when it closes it.
        drop(socket);
        self.client.answer()?;
        Ok(Running { client: self.client, pid: self.pid })
    }
}

impl Running {
    /// The container's first process, on the host.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The connection over which the container was started.
    #[must_use]
    pub fn into_client(self) -> Client {
        self.client
    }
}
