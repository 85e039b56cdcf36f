//! What a container shares with others: whose network it has now, and the descriptors of the namespaces that it joins.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use base::{Error, Result};
use supervisor::client::Client;
use supervisor::plan::JoinedNamespaces;
use supervisor::state::{self, Observed, Status};

use crate::containers::record::{Container, Locked, Sandbox};
use crate::containers::{IpcMode, NetworkMode, PidMode, Settings, shared_memory};
use crate::{Engine, layout};

/// What comes from other containers.
#[derive(Debug, Default)]
pub(super) struct Joined {
    pub(super) namespaces: JoinedNamespaces<OwnedFd>,
    /// Where the other's `/dev/shm` is.
    pub(super) shared_memory: Option<PathBuf>,
}

impl Engine {
    /// Whose network the container has in this run. Who joins a member of a sandbox joins the sandbox.
    ///
    /// # Errors
    /// When what the last start of the other container resolved cannot be read.
    pub(super) fn resolve_sandbox(&self, container: &Locked, boot: Option<String>) -> Result<Sandbox> {
        let mut sandbox = Sandbox { boot, ..Sandbox::resolve(&container.record.settings) };
        let Some(direct) = &sandbox.owner else {
            self.plan_endpoints(container, &mut sandbox)?;
            return Ok(sandbox);
        };
        let owner = match self.root.load(direct)? {
            Some(other) => other.sandbox()?.owner.unwrap_or(other.id),
            None => direct.clone(),
        };
        Ok(Sandbox { network: NetworkMode::Container(owner.to_string()), owner: Some(owner), ..sandbox })
    }

    /// Opens the namespaces of other containers that `settings` name.
    ///
    /// # Errors
    /// `Conflict`, in Docker's words, for one that does not run.
    pub(super) fn join(&self, settings: &Settings) -> Result<Joined> {
        let mut joined = Joined::default();
        if let NetworkMode::Container(other) = &settings.network {
            self.join_one(other, "network", &mut joined)?;
        }
        if let PidMode::Container(other) = &settings.pid {
            self.join_one(other, "pid", &mut joined)?;
        }
        if let IpcMode::Container(other) = &settings.ipc {
            let other = self.join_one(other, "ipc", &mut joined)?;
            joined.shared_memory = Some(shared_memory::path(&self.root.layout.container(&other.id)));
        }
        Ok(joined)
    }

    fn join_one(&self, other: &str, namespace: &str, joined: &mut Joined) -> Result<Container> {
        let word = if namespace == "network" { namespace.to_owned() } else { namespace.to_ascii_uppercase() };
        let other = self.root.find(other)?;
        let client = running(&other)?
            .ok_or_else(|| Error::conflict(format!("cannot join {word} of a non running container: {}", other.id)))?;
        let namespaces =
            client.namespaces().map_err(|error| error.context(format!("join {word} of {}", other.name())))?;
        let (_, descriptor) = namespaces.into_iter().find(|(name, _)| name == namespace).ok_or_else(|| {
            Error::unavailable(format!("the supervisor of container {} has no {word} to join", other.name()))
        })?;
        joined.namespaces.insert(namespace.to_owned(), descriptor);
        Ok(other)
    }
}

fn running(container: &Container) -> Result<Option<Client>> {
    match state::observe(container.directory())? {
        Observed::Supervised(Some(state)) if state.status == Status::Restarting => {
            Err(state::restarting(&container.id))
        }
        Observed::Supervised(_) => Client::connect(container.directory()),
        _ => Ok(None),
    }
}

impl Engine {
    /// `/dev/shm`, where it is not the container's alone.
    ///
    /// # Errors
    /// When it cannot be mounted, or the other's is gone.
    pub(super) fn shared_memory(&self, container: &Locked, joined: &Joined) -> Result<Option<PathBuf>> {
        let settings = &container.record.settings;
        match (&settings.ipc, &joined.shared_memory) {
            (IpcMode::Shareable, _) => {
                let size = settings.shm_size.unwrap_or(crate::plan::effective::DEFAULT_SHM_SIZE);
                shared_memory::make(&self.root.layout.container(&container.id), size).map(Some)
            }
            (_, Some(path)) if !path.exists() => Err(Error::conflict(format!(
                "the shared memory {} of the container to join is gone: restart that one first",
                layout::SHARED_MEMORY
            ))),
            (_, path) => Ok(path.clone()),
        }
    }
}
