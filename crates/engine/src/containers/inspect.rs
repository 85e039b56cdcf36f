//! Shows everything of one container.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base::Result;
use base::digest::Digest;
use base::id::Id;
use base::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::modes::{NetworkMode, UtsMode};
use super::record::{Container, Record, no_such};
use super::settings::Settings;
use super::status::Status;
use crate::caller::Operation;
use crate::networks::{self, Known, NetworkEndpoint, Port};
use crate::{Caller, Engine, layout, plan};

/// Everything of one container.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// Its id.
    pub id: Id,
    /// Without a slash.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// The program that runs: the first of the whole command line.
    pub path: String,
    /// The rest of it.
    pub arguments: Vec<String>,
    /// Where it is in its life.
    pub state: ProcessState,
    /// The image's id.
    pub image_id: Digest,
    /// The digest of the image's manifest.
    pub manifest: Digest,
    /// `linux/amd64` and the like.
    pub platform: String,
    /// What was asked for, with the image's values and the engine's defaults merged in.
    pub settings: Settings,
    /// How often the policy restarted it.
    pub restart_count: u32,
    /// `overlay`.
    pub storage_driver: &'static str,
    /// Lower, upper and work directories of its root.
    pub storage: BTreeMap<String, String>,
    /// Files that the engine made for it.
    pub resolv_conf_path: PathBuf,
    /// The same.
    pub hostname_path: PathBuf,
    /// The same.
    pub hosts_path: PathBuf,
    /// Where its log is; empty without one.
    pub log_path: PathBuf,
    /// What is mounted.
    pub mounts: Vec<MountPoint>,
    /// Name of the network → what the container has there.
    pub networks: BTreeMap<String, NetworkEndpoint>,
    /// Its ports, while it runs.
    pub ports: Vec<Port>,
    /// Where the network namespace can be opened while it runs.
    pub network_namespace: Option<PathBuf>,
    /// Paths hidden from the container.
    pub masked_paths: Vec<String>,
    /// Paths that are read-only in it.
    pub read_only_paths: Vec<String>,
    /// AppArmor profile.
    pub apparmor_profile: String,
    /// Execs that run.
    pub exec_ids: Vec<Id>,
}

/// Where a container is in its life.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessState {
    /// In one word.
    pub status: Status,
    /// On the host; 0 when it does not run.
    pub pid: u32,
    /// Of the last run.
    pub exit_code: i32,
    /// Why the last start failed, or what broke; empty otherwise.
    pub error: String,
    /// Whether the kernel killed in its group for want of memory.
    pub oom_killed: bool,
    /// When it was last started; zero: never.
    pub started: Timestamp,
    /// When it last exited; zero: never.
    pub finished: Timestamp,
}

/// One mount of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountPoint {
    /// `bind`, `volume` or `tmpfs`.
    pub kind: String,
    /// The volume's name; empty for others.
    pub name: String,
    /// Path on the host; empty for memory.
    pub source: String,
    /// Where in the container.
    pub destination: String,
    /// `local` for volumes.
    pub driver: String,
    /// The options as given (`z`, `ro`).
    pub mode: String,
    /// Whether it can be written.
    pub writable: bool,
    /// As in `rprivate`.
    pub propagation: String,
}

impl Engine {
    /// Shows a container.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn inspect_container(&self, caller: &Caller, name: &str) -> Result<Details> {
        caller.permit(Operation::Read, "inspect a container")?;
        let container = self.root.find(name)?;
        let view = container.view()?;
        let record = &container.record;
        let directory = self.root.layout.container(&container.id);
        let security = plan::security::plan(&record.settings, self.configuration())?;
        let mut command = plan::effective::command_line(&record.settings).into_iter();
        let sandbox = container.sandbox_seen(&view)?;
        let files = match &sandbox.network {
            NetworkMode::Container(owner) => match owner.parse() {
                Ok(owner) => self.root.layout.container(&owner),
                Err(_) => directory.clone(),
            },
            _ => directory.clone(),
        };
        Ok(Details {
            id: container.id.clone(),
            name: record.name.clone(),
            created: record.created,
            path: command.next().unwrap_or_default(),
            arguments: command.collect(),
            network_namespace: (view.pid != 0).then(|| PathBuf::from(format!("/proc/{}/ns/net", view.pid))),
            restart_count: view.restart_count,
            state: view.into(),
            image_id: record.image.id.clone(),
            manifest: record.image.manifest.clone(),
            platform: record.image.platform.clone(),
            networks: self.endpoints_of(&container, &sandbox, &mut Known::new())?,
            ports: networks::ports(&record.settings, &sandbox.endpoints),
            storage_driver: "overlay",
            storage: self.storage(&container),
            resolv_conf_path: files.join(layout::RESOLV_CONF),
            hostname_path: directory.join(layout::HOSTNAME),
            hosts_path: files.join(layout::HOSTS),
            log_path: log_path(&record.settings, &directory),
            mounts: record.mount_points.clone(),
            masked_paths: security.masked_paths,
            read_only_paths: security.read_only_paths,
            apparmor_profile: security.apparmor,
            exec_ids: container.running_execs()?,
            settings: with_hostname(record),
        })
    }

    /// Bytes of the writable layer and of all files of a container, in this order.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn container_size(&self, caller: &Caller, name: &str) -> Result<(u64, u64)> {
        caller.permit(Operation::Read, "inspect a container")?;
        self.sizes(&self.root.find(name)?.id)
    }

    pub(crate) fn sizes(&self, id: &Id) -> Result<(u64, u64)> {
        let Some(container) = self.root.load(id)? else { return Err(no_such(id.as_str())) };
        let writable = super::size::of_directory(container.directory(), layout::UPPER)?;
        let image = self.image_size(&container.record.image.layers)?;
        Ok((writable, writable.saturating_add(image)))
    }

    /// Where the layers of the root file system are, as Docker's overlay driver names them.
    fn storage(&self, container: &Container) -> BTreeMap<String, String> {
        let directory = self.root.layout.container(&container.id);
        let text = |path: PathBuf| path.display().to_string();
        let lower = self.shown_directories(&container.record.image.layers).unwrap_or_default();
        let lower: Vec<String> = lower.into_iter().map(text).collect();
        [
            ("LowerDir", lower.join(":")),
            ("UpperDir", text(directory.join(layout::UPPER))),
            ("WorkDir", text(directory.join(layout::WORK))),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }
}

// What was not asked for shows as what it became.
fn with_hostname(record: &Record) -> Settings {
    let mut settings = record.settings.clone();
    if settings.hostname.is_empty()
        && settings.uts == UtsMode::Private
        && !matches!(settings.network, NetworkMode::Container(_))
    {
        settings.hostname = record.hostname().to_owned();
    }
    settings
}

fn log_path(settings: &Settings, directory: &std::path::Path) -> PathBuf {
    match settings.log.driver.as_str() {
        "json-file" => directory.join(layout::LOG),
        _ => PathBuf::new(),
    }
}
