//! Makes a container: its directory, its name, its plan. Nothing runs yet.

use std::os::fd::AsFd;

use base::id::Id;
use base::lock::{Lock, Sharing};
use base::time::Timestamp;
use base::{Error, Kind, Result, crash_point, file};
use oci::platform::Platform;

use super::modes::{IpcMode, NetworkMode, PidMode, UtsMode};
use super::record::{Container, ImageRecord, Record};
use super::settings::Settings;
use super::unfinished::{self, Work};
use crate::caller::Operation;
use crate::images::ResolvedImage;
use crate::root::make_new_directory;
use crate::{Caller, Engine, layout, names, plan};

/// A container that is wanted.
#[derive(Clone, Debug, Default)]
pub struct CreateRequest {
    /// Without a leading slash; `None` makes one up.
    pub name: Option<String>,
    /// Refuses a local image of another platform.
    pub platform: Option<Platform>,
    /// Everything else.
    pub settings: Settings,
}

/// A container that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its id.
    pub id: Id,
    /// What was left out because it only improves.
    pub warnings: Vec<String>,
}

/// Names that are made up before there is no use in trying any more.
const NAME_ATTEMPTS: u32 = 16;

impl Engine {
    /// Makes a container from a local image; pulling is the caller's, on `NotFound` (Docker's words: `No such image: …`).
    ///
    /// # Errors
    /// `Invalid` for settings that contradict themselves, `NotFound` for a missing image or container that is joined,
    /// `Conflict` for a name in use, `Unsupported` for what this engine or kernel cannot do.
    pub fn create_container(&self, caller: &Caller, request: CreateRequest) -> Result<Created> {
        caller.permit(Operation::Change, "create a container")?;
        let name = request.name.as_deref().map(|name| name.strip_prefix('/').unwrap_or(name));
        if let Some(name) = name {
            names::check(name)?;
        }
        self.clear_unfinished()?;
        // Until the container's record says so, nothing else keeps its image.
        let _kept = self.keep_images()?;
        let image = self.resolve_image(&request.settings.image)?;
        check_platform(&image, request.platform.as_ref(), &request.settings.image)?;
        plan::check::networks(&request.settings)?;
        let mut settings = plan::effective::merge(&request.settings, &image.config.config)?;
        plan::effective::apply_defaults(&mut settings, self.configuration())?;
        self.resolve_joined(&mut settings)?;
        plan::check::check(&settings, self.configuration())?;
        self.resolve_networks(&mut settings)?;
        self.resolve_hostname(&mut settings)?;
        let (_, mut warnings) = plan::ulimits::plan(&settings.ulimits, plan::ulimits::own_hard_limit)?;
        if settings.network == NetworkMode::Host && (!settings.published_ports.is_empty() || settings.publish_all_ports)
        {
            warnings.push("Published ports are discarded when using host network mode".to_owned());
        }
        let id = Id::random()?;
        let made_up = name.is_none();
        let name = match name {
            Some(name) => name.to_owned(),
            None => names::generate(random_numbers()?, 0),
        };
        let wanted = Wanted { id: &id, name, made_up, settings, image };
        let more = self.make(wanted)?;
        Ok(Created { id, warnings: warnings.into_iter().chain(more).collect() })
    }

    /// Replaces the names of joined containers by their ids: a name may mean another one by the time of a start.
    fn resolve_joined(&self, settings: &mut Settings) -> Result<()> {
        let find = |name: &str| self.root.find(name);
        if let NetworkMode::Container(owner) = &mut settings.network {
            *owner = find(owner)?.id.to_string();
        }
        if let PidMode::Container(owner) = &mut settings.pid {
            *owner = find(owner)?.id.to_string();
        }
        if let IpcMode::Container(owner) = &mut settings.ipc {
            let container = find(owner)?;
            if container.record.settings.ipc != IpcMode::Shareable {
                return Err(Error::invalid(format!(
                    "cannot join IPC of a non-shareable container: {}; make it with --ipc shareable",
                    container.id
                )));
            }
            *owner = container.id.to_string();
        }
        Ok(())
    }

    /// Who shares a network or a host name has its owner's name; all others their own.
    fn resolve_hostname(&self, settings: &mut Settings) -> Result<()> {
        if !settings.hostname.is_empty() {
            return Ok(());
        }
        match &settings.network {
            NetworkMode::Container(owner) => {
                let owner = self.root.find(owner)?;
                owner.record.hostname().clone_into(&mut settings.hostname);
                settings.domainname.clone_from(&owner.record.settings.domainname);
            }
            NetworkMode::Host => settings.hostname = own_hostname(),
            _ if settings.uts == UtsMode::Host => settings.hostname = own_hostname(),
            _ => {}
        }
        Ok(())
    }

    fn make(&self, mut wanted: Wanted<'_>) -> Result<Vec<String>> {
        let (id, root) = (wanted.id, &self.root);
        let noting = unfinished::lock(root, Sharing::Shared)?;
        unfinished::begin(root, Work::Creating, id, &wanted.name)?;
        crash_point!("create.noted");
        let directory = make_new_directory(root.containers(), id.as_str(), 0o700)?;
        let lock = Lock::acquire(directory.as_fd(), layout::LOCK, Sharing::Exclusive)?;
        drop(noting);
        crash_point!("create.directory");
        let made = self.take_name(&mut wanted).and_then(|()| self.fill(&wanted, directory));
        match made {
            Ok((container, warnings)) => {
                crash_point!("create.whole");
                unfinished::end(root, id)?;
                drop(lock);
                self.container_event("create", &container, []);
                Ok(warnings)
            }
            Err(error) => match self.destroy_directory(id, &wanted.name, lock) {
                Ok(()) => Err(error),
                Err(left) => Err(error.context(format!("(and clearing it away failed: {left})"))),
            },
        }
    }

    fn fill(&self, wanted: &Wanted<'_>, directory: std::os::fd::OwnedFd) -> Result<(Container, Vec<String>)> {
        crash_point!("create.named");
        let handle = directory.as_fd();
        for folder in [layout::UPPER, layout::WORK] {
            make_new_directory(handle, folder, 0o755)?;
        }
        let settings = wanted.settings.clone();
        let mounts = self.plan_mounts(wanted.id, &settings, &wanted.image.layers)?;
        crash_point!("create.mounts");
        let parent = match settings.cgroup_parent.as_str() {
            "" => self.root.cgroup_parent(),
            parent => format!("/{}", parent.trim_matches('/')),
        };
        let record = Record {
            format: layout::FORMAT,
            id: wanted.id.clone(),
            name: wanted.name.clone(),
            created: Timestamp::now(),
            image: ImageRecord {
                name: wanted.settings.image.clone(),
                id: wanted.image.id.clone(),
                manifest: wanted.image.manifest.clone(),
                platform: wanted.image.platform(),
                layers: wanted.image.layers.clone(),
            },
            settings,
            mounts: mounts.planned,
            mount_points: mounts.points,
            binary: self.root.options.binary.clone(),
            cgroup: format!("{parent}/{}", wanted.id),
        };
        file::replace_json(handle, layout::CONFIG, &record, record.durability())?;
        Ok((Container { id: wanted.id.clone(), directory, record }, mounts.warnings))
    }

    /// Takes the wanted name, or makes up others until one is free.
    fn take_name(&self, wanted: &mut Wanted<'_>) -> Result<()> {
        let mut attempt = 0;
        loop {
            match names::take(&self.root, &wanted.name, wanted.id) {
                Err(error) if error.kind() == Kind::Conflict && wanted.made_up && attempt < NAME_ATTEMPTS => {
                    attempt += 1;
                    wanted.name = names::generate(random_numbers()?, attempt);
                    unfinished::begin_again(&self.root, Work::Creating, wanted.id, &wanted.name)?;
                }
                result => return result,
            }
        }
    }
}

/// What a container is made from.
struct Wanted<'a> {
    id: &'a Id,
    name: String,
    made_up: bool,
    settings: Settings,
    image: ResolvedImage,
}

fn check_platform(image: &ResolvedImage, wanted: Option<&Platform>, name: &str) -> Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let offered: Platform = image.platform().parse()?;
    if wanted.distance(&offered).is_some() {
        return Ok(());
    }
    Err(Error::not_found(format!(
        "image with reference {name} was found but does not provide the specified platform ({wanted})"
    )))
}

fn own_hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn random_numbers() -> Result<[u32; 3]> {
    // An id is nothing but random digits.
    let id = Id::random()?;
    let number = |at: usize| u32::from_str_radix(&id.as_str()[at..at + 8], 16).unwrap_or_default();
    Ok([number(0), number(8), number(16)])
}
