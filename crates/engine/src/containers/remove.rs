//! Removes a container and everything of it.
//!
//! In this order, so that a crash leaves what the next changing command finishes: a note below `unfinished/`; `config.json` is set aside, and with it the container
//! is gone for everybody; volumes that nobody named; name, directory, note.

mod damaged;

use std::path::Path;
use std::time::{Duration, Instant};

use base::{Context, Error, Kind, Result, crash_point};
use supervisor::state::{State, Status};

use super::kill::AT_ONCE;
use super::mend::Settled;
use super::record::Locked;
use super::unfinished::{self, Work};
use crate::caller::Operation;
use crate::{Caller, Engine, layout};

/// A supervisor lets go of its lock, and ends right after that.
const LAST_SUPERVISOR_PATIENCE: Duration = Duration::from_millis(200);

/// How to remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoveRequest {
    /// Kills it first, where it runs.
    pub force: bool,
    /// Also its anonymous volumes.
    pub volumes: bool,
}

/// What becomes of volumes that nobody named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnonymousVolumes {
    /// They stay.
    Keep,
    /// They go, unless another container uses them.
    Remove,
}

impl Engine {
    /// Removes the container; when this returns, nothing of it is left on the host.
    ///
    /// # Errors
    /// `Conflict` when it runs and is not forced.
    pub fn remove_container(&self, caller: &Caller, name: &str, request: RemoveRequest) -> Result<()> {
        caller.permit(Operation::Change, &format!("remove {name}"))?;
        let container = match self.lock_container(name) {
            // A name whose owner cannot be read is nobody's.
            Err(error) if matches!(error.kind(), Kind::Corrupt | Kind::NotFound) => {
                return self.remove_damaged(name, request);
            }
            locked => locked?,
        };
        let settled = match self.settle(&container) {
            // It is down, and there is only no room to write that: its removal makes some.
            Err(error) if error.kind() == Kind::Exhausted => None,
            settled => Some(settled?),
        };
        if let Some(Settled::Supervised(state)) = settled {
            if !request.force {
                return Err(refusal(&container, &state));
            }
            self.container_event("kill", &container, [("signal", "9".to_owned())]);
            // With the lock held: nobody can delay this, and nobody may start it again.
            self.stop_locked(&container)?;
            crash_point!("rm.killed");
        }
        let volumes = if request.volumes { AnonymousVolumes::Remove } else { AnonymousVolumes::Keep };
        self.remove_settled(container, volumes)?;
        self.remove_place_of_supervisors()
    }

    /// On cgroup v2, supervisors have a group of their own, which goes with the last container. The next start makes it again.
    ///
    /// Best effort: what a process is in stays, such as the helper that removes a container after its only run, which is a supervisor's child.
    ///
    /// # Errors
    /// When the containers cannot be listed.
    pub(super) fn remove_place_of_supervisors(&self) -> Result<()> {
        let parent = self.root.cgroup_parent();
        let place = Path::new(cgroup::MOUNT_ROOT).join(parent.trim_start_matches('/'));
        if !place.exists() || !self.root.container_ids()?.is_empty() {
            return Ok(());
        }
        let host = cgroup::Host::detect(Path::new(cgroup::MOUNT_ROOT))?;
        let deadline = Instant::now() + LAST_SUPERVISOR_PATIENCE;
        loop {
            cgroup::remove_supervisors(&host, &parent);
            if !place.exists() || Instant::now() >= deadline {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn stop_locked(&self, container: &Locked) -> Result<()> {
        if let Some(client) = supervisor::client::Client::connect(container.directory())? {
            // Whatever it answers, what counts is how the container is afterwards.
            let _ = client.stop(AT_ONCE);
        }
        if self.settle(container)?.is_supervised() {
            return Err(Error::unavailable(format!("container {} could not be killed", container.name())));
        }
        Ok(())
    }

    /// Removes a container that is down.
    ///
    /// # Errors
    /// What stays, by name. It is tried again by whoever changes something next.
    pub(super) fn remove_settled(&self, container: Locked, volumes: AnonymousVolumes) -> Result<()> {
        self.tear_down(&container)?;
        self.remove_torn_down(container, volumes)
    }

    /// The same, when nothing of its run is left.
    pub(super) fn remove_torn_down(&self, container: Locked, volumes: AnonymousVolumes) -> Result<()> {
        let work = match volumes {
            AnonymousVolumes::Keep => Work::Removing,
            AnonymousVolumes::Remove => Work::RemovingWithVolumes,
        };
        unfinished::begin_again(&self.root, work, &container.id, container.name())?;
        crash_point!("rm.noted");
        rustix::fs::renameat(container.directory(), layout::CONFIG, container.directory(), layout::REMOVED)
            .with_context(|| format!("remove {}", container.name()))?;
        crash_point!("rm.config-gone");
        if volumes == AnonymousVolumes::Remove {
            self.remove_anonymous_volumes(&container.record.mounts)?;
        }
        crash_point!("rm.volumes-gone");
        let (container, lock) = container.into_parts();
        self.destroy_directory(&container.id, container.name(), lock)?;
        self.container_event("destroy", &container, []);
        Ok(())
    }
}

/// Docker's words.
fn refusal(container: &Locked, state: &State) -> Error {
    let (article, advice) = match state.status {
        Status::Paused => ("a paused", "Unpause and then stop the container before attempting removal or force remove"),
        Status::Restarting => ("a restarting", "Stop the container before attempting removal or force remove"),
        _ => ("a running", "Stop the container before attempting removal or force remove"),
    };
    Error::conflict(format!("You cannot remove {article} container {}. {advice}", container.id))
}
