//! What a container is: `config.json`, `sandbox.json`, `intent.json`, and how they are found by name, id or prefix.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use base::digest::Digest;
use base::file::{self, Durability};
use base::id::Id;
use base::lock::{Lock, Sharing};
use base::time::Timestamp;
use base::{Error, Kind, Result};
use network::port::PublishedPort;
use serde::{Deserialize, Serialize};

use super::inspect::MountPoint;
use super::modes::{IpcMode, NetworkMode, PidMode, RestartPolicy};
use super::settings::Settings;
use super::view::View;
use crate::networks::{BRIDGE, Endpoint};
use crate::root::Root;
use crate::{layout, names};

/// What a container is. Written at create; only a rename and an update change it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) format: u32,
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) image: ImageRecord,
    /// With the image's values and the engine's defaults merged in.
    pub(crate) settings: Settings,
    /// Mounts that were decided at create: sources resolved, volumes made.
    pub(crate) mounts: Vec<crate::mounts::Planned>,
    pub(crate) mount_points: Vec<MountPoint>,
    /// The program that helpers are started from.
    pub(crate) binary: PathBuf,
    /// Absolute below the hierarchy's top.
    pub(crate) cgroup: String,
}

/// The image that a container was made from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ImageRecord {
    /// As the user wrote it.
    pub(crate) name: String,
    /// Digest of its configuration.
    pub(crate) id: Digest,
    /// Digest of its manifest.
    pub(crate) manifest: Digest,
    pub(crate) platform: String,
    /// Layers before compression, lowest first.
    pub(crate) layers: Vec<Digest>,
}

impl Record {
    /// How its files reach the disk; nothing of one that goes with its first exit (`--rm`) is worth a sync.
    pub(crate) fn durability(&self) -> Durability {
        if self.settings.auto_remove { Durability::Lazy } else { Durability::Synced }
    }

    pub(crate) fn hostname(&self) -> &str {
        if self.settings.hostname.is_empty() { self.id.short() } else { &self.settings.hostname }
    }
}

/// What the user wants of a container, under its lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) desired: Desired,
    pub(crate) restart: RestartPolicy,
}

/// Whether a container should run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Desired {
    /// It was never started, or the user stopped it.
    #[default]
    Stopped,
    /// The user started it and has not stopped it since.
    Running,
    /// The same, and its present run is ended for a new one.
    Restarting,
}

/// What belongs to the pod rather than to the process, as the last start resolved it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sandbox {
    /// `default` is resolved; a joined container is named by its id.
    pub(crate) network: NetworkMode,
    /// The container whose sandbox this is a member of; `None`: its own.
    pub(crate) owner: Option<Id>,
    /// The boot of the machine in which a container was started whose files are never synced, and with which they end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) boot: Option<String>,
    /// What it has in networks.
    #[serde(default)]
    pub(crate) endpoints: Vec<Endpoint>,
    /// Ports of the host that its supervisor holds and that lead nowhere, as no network leads out any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) idle_ports: Vec<PublishedPort>,
}

/// A container that exists, found and read, not locked.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) id: Id,
    pub(crate) directory: OwnedFd,
    pub(crate) record: Record,
}

/// A container whose lock is held.
#[derive(Debug)]
pub(crate) struct Locked {
    pub(crate) container: Container,
    _lock: Lock,
}

impl std::ops::Deref for Locked {
    type Target = Container;

    fn deref(&self) -> &Container {
        &self.container
    }
}

impl Container {
    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// What events of it carry.
    pub(crate) fn attributes(&self) -> BTreeMap<String, String> {
        let mut attributes = self.record.settings.labels.clone();
        attributes.insert("image".to_owned(), self.record.image.name.clone());
        attributes.insert("name".to_owned(), self.record.name.clone());
        attributes
    }

    /// How messages name it.
    pub(crate) fn name(&self) -> &str {
        &self.record.name
    }

    /// What the last start resolved; before the first one, what a start would.
    pub(crate) fn sandbox(&self) -> Result<Sandbox> {
        let sandbox = file::read_json(self.directory(), layout::SANDBOX)?;
        Ok(sandbox.unwrap_or_else(|| Sandbox::resolve(&self.record.settings)))
    }

    /// The same as `view` shows it: without endpoints where nothing runs.
    pub(crate) fn sandbox_seen(&self, view: &View) -> Result<Sandbox> {
        let mut sandbox = self.sandbox()?;
        if view.pid == 0 {
            sandbox.endpoints.clear();
        }
        Ok(sandbox)
    }

    /// The containers whose namespaces it shares.
    pub(crate) fn joins(&self) -> Vec<Id> {
        let settings = &self.record.settings;
        let network = match &settings.network {
            NetworkMode::Container(other) => Some(other),
            _ => None,
        };
        let pid = match &settings.pid {
            PidMode::Container(other) => Some(other),
            _ => None,
        };
        let ipc = match &settings.ipc {
            IpcMode::Container(other) => Some(other),
            _ => None,
        };
        [network, pid, ipc].into_iter().flatten().filter_map(|other| other.parse().ok()).collect()
    }

    /// What the user wants of it; what create wrote, where nothing was changed since.
    pub(crate) fn intent(&self) -> Result<Intent> {
        let intent = file::read_json(self.directory(), layout::INTENT)?;
        Ok(intent.unwrap_or(Intent { desired: Desired::Stopped, restart: self.record.settings.restart }))
    }
}

impl Sandbox {
    /// What a start would make of `settings` now.
    pub(crate) fn resolve(settings: &Settings) -> Self {
        let network = match &settings.network {
            NetworkMode::Default => NetworkMode::Named(BRIDGE.to_owned()),
            other => other.clone(),
        };
        let owner = match &network {
            NetworkMode::Container(owner) => owner.parse().ok(),
            _ => None,
        };
        Self { network, owner, ..Self::default() }
    }
}

impl Locked {
    pub(crate) fn new(container: Container, lock: Lock) -> Self {
        Self { container, _lock: lock }
    }

    /// Lets go of the lock.
    pub(crate) fn unlock(self) -> Container {
        self.container
    }

    pub(crate) fn into_parts(self) -> (Container, Lock) {
        (self.container, self._lock)
    }

    pub(crate) fn write_intent(&self, intent: &Intent) -> Result<()> {
        file::replace_json(self.directory(), layout::INTENT, intent, self.record.durability())
    }

    pub(crate) fn write_record(&self) -> Result<()> {
        file::replace_json(self.directory(), layout::CONFIG, &self.record, self.record.durability())
    }
}

/// Docker's words for a container that is not there.
pub(crate) fn no_such(name: &str) -> Error {
    Error::not_found(format!("No such container: {name}"))
}

/// The name that the container in `directory` says it has; `None` where it is not whole.
pub(crate) fn name_of(directory: BorrowedFd<'_>) -> Result<Option<String>> {
    /// The one member that is asked for.
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    match file::read_json::<Named>(directory, layout::CONFIG) {
        Ok(record) => Ok(record.map(|record| record.name)),
        Err(error) if error.kind() == Kind::Corrupt => Ok(None),
        Err(error) => Err(error),
    }
}

impl Root {
    /// The container that `text` means: its id, its name, or the beginning of its id, in this order.
    ///
    /// # Errors
    /// `NotFound` in Docker's words; `Invalid` for an ambiguous beginning.
    pub(crate) fn find(&self, text: &str) -> Result<Container> {
        let id = self.identify(text)?.ok_or_else(|| no_such(text))?;
        self.load(&id)?.ok_or_else(|| no_such(text))
    }

    /// The container of this id; `None` where it is not there or not whole.
    pub(crate) fn load(&self, id: &Id) -> Result<Option<Container>> {
        let Some(directory) = self.container_directory(id)? else { return Ok(None) };
        let record: Option<Record> = file::read_json(directory.as_fd(), layout::CONFIG)
            .map_err(|error| error.context(format!("container {}", id.short())))?;
        let Some(record) = record else { return Ok(None) };
        if record.format > layout::FORMAT {
            return Err(Error::unsupported(format!(
                "container {} was written by a newer berth: use that one",
                id.short()
            )));
        }
        Ok(Some(Container { id: id.clone(), directory, record }))
    }

    /// The container that `text` means, with its lock held and what a crash left of others cleared away.
    ///
    /// # Errors
    /// As [`Root::find`].
    pub(crate) fn find_locked(&self, text: &str) -> Result<Locked> {
        let id = self.identify(text)?.ok_or_else(|| no_such(text))?;
        self.load_locked(&id)?.ok_or_else(|| no_such(text))
    }

    /// The container of this id with its lock held.
    pub(crate) fn load_locked(&self, id: &Id) -> Result<Option<Locked>> {
        let Some(directory) = self.container_directory(id)? else { return Ok(None) };
        let lock = match Lock::acquire(directory.as_fd(), layout::LOCK, Sharing::Exclusive) {
            Ok(lock) => lock,
            // Removed since it was opened.
            Err(error) if error.errno() == Some(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error),
        };
        // Read only now: who held the lock before may have changed or removed it.
        Ok(self.load(id)?.map(|container| Locked::new(container, lock)))
    }

    pub(crate) fn identify(&self, text: &str) -> Result<Option<Id>> {
        if let Ok(id) = text.parse::<Id>() {
            return Ok(Some(id));
        }
        let name = text.strip_prefix('/').unwrap_or(text);
        if names::check(name).is_ok()
            && let Some(owner) = names::owner(self.names()?, name)?
            && let Some(directory) = self.container_directory(&owner)?
            && name_of(directory.as_fd())?.as_deref() == Some(name)
        {
            return Ok(Some(owner));
        }
        if !Id::is_prefix(text) {
            return Ok(None);
        }
        let mut matching = self.container_ids()?.into_iter().filter(|id| id.as_str().starts_with(text));
        match (matching.next(), matching.next()) {
            (Some(_), Some(_)) => Err(Error::invalid(format!("multiple IDs found with provided prefix: {text}"))),
            (only, _) => Ok(only),
        }
    }
}

impl crate::Engine {
    /// Notes in the journal that something happened to a container.
    pub(crate) fn container_event<'a>(
        &self,
        action: &str,
        container: &Container,
        more: impl IntoIterator<Item = (&'a str, String)>,
    ) {
        let mut attributes = container.attributes();
        attributes.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        self.record_event("container", action, container.id.as_str(), attributes);
    }
}
