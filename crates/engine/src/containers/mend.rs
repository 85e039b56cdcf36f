//! Makes of a container that lost its supervisor one that has exited: nothing of it runs any more, and its state says so.
//!
//! Only commands that change a container do this, under its lock. Whether it then starts again is theirs to decide.

use std::path::Path;
use std::time::{Duration, Instant};

use base::id::Id;
use base::lock::{Lock, Sharing};
use base::time::Timestamp;
use base::{Error, Kind, Result, crash_point, file};
use cgroup::Group;
use supervisor::state::{self, Observed, State, Status};

use super::record::{Container, Locked};
use super::view::KILLED;
use crate::{Engine, layout};

/// How long a supervisor may take from one lasting state to the next.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// How a command that changes a container finds it.
#[derive(Debug, PartialEq)]
pub(super) enum Settled {
    /// Never started.
    Fresh,
    /// It runs, is frozen, or its restart policy waits.
    Supervised(State),
    /// It has exited, and nothing of it is left.
    Down(State),
    /// The same, since a moment: it had lost its supervisor.
    Mended(State),
}

impl Settled {
    /// The last state of one that is down, however it came down.
    pub(super) fn last(&self) -> Option<&State> {
        match self {
            Self::Down(state) | Self::Mended(state) => Some(state),
            Self::Fresh | Self::Supervised(_) => None,
        }
    }

    pub(super) fn is_supervised(&self) -> bool {
        matches!(self, Self::Supervised(_))
    }
}

impl Engine {
    /// The container that `name` means with its lock held, after what crashes left half made or half removed was cleared away.
    pub(crate) fn lock_container(&self, name: &str) -> Result<Locked> {
        self.clear_unfinished()?;
        self.root.find_locked(name)
    }

    /// Returns when a container that has ended, if only just now, has left its networks; one that runs is left alone.
    ///
    /// # Errors
    /// What could not be taken back.
    pub(crate) fn await_leaving(&self, id: &Id) -> Result<()> {
        let has_ended = |container: &Container| container.view().map(|view| view.pid == 0);
        if !self.root.load(id)?.as_ref().map_or(Ok(false), has_ended)? {
            return Ok(());
        }
        match self.root.load_locked(id)? {
            Some(container) if !self.settle(&container)?.is_supervised() => self.detach_all(&container),
            _ => Ok(()),
        }
    }

    /// Waits out what lasts for moments only, and mends the container where it is broken.
    ///
    /// # Errors
    /// `Unavailable` for a supervisor that does not get on; what keeps a broken container from being torn down.
    pub(super) fn settle(&self, container: &Locked) -> Result<Settled> {
        let end = Instant::now() + PATIENCE;
        loop {
            match state::observe(container.directory())? {
                Observed::NeverStarted => return Ok(Settled::Fresh),
                Observed::Exited(state) => return Ok(Settled::Down(state)),
                Observed::Broken(state) => {
                    if let Some(mended) = self.mend(container, state)? {
                        return Ok(Settled::Mended(mended));
                    }
                }
                Observed::Supervised(Some(state)) if !matches!(state.status, Status::Starting | Status::Exited) => {
                    return Ok(Settled::Supervised(state));
                }
                // Whoever starts a container holds its lock, as we do: this start is abandoned, or its policy's.
                Observed::Supervised(_) => {}
            }
            if Instant::now() >= end {
                return Err(Error::unavailable(format!(
                    "the supervisor of container {} does not get on",
                    container.name()
                )));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Tears down what a supervisor left; `None` where one is alive after all.
    fn mend(&self, container: &Locked, last: Option<State>) -> Result<Option<State>> {
        let Some(_alive) = Lock::try_acquire(container.directory(), layout::ALIVE, Sharing::Exclusive)? else {
            return Ok(None);
        };
        crash_point!("mend.alive");
        let oom_killed = tear_down_group(container)?;
        crash_point!("mend.group-gone");
        self.tear_down(container)?;
        crash_point!("mend.torn-down");
        let last = last.unwrap_or_else(State::starting);
        let known = last.status == Status::Exited;
        let state = State {
            status: Status::Exited,
            pid: 0,
            supervisor_pid: 0,
            torn_down: true,
            exit_code: if known { last.exit_code } else { KILLED },
            finished_at: if known { last.finished_at } else { Timestamp::now() },
            oom_killed: last.oom_killed || oom_killed,
            error: String::new(),
            ..last
        };
        state.write(container.directory(), container.record.durability())?;
        crash_point!("mend.recorded");
        self.container_event("die", container, [("exitCode", state.exit_code.to_string())]);
        Ok(Some(state))
    }

    /// Takes away what a run leaves outside of its supervisor's and the runtime's reach; nothing there is no error.
    pub(super) fn tear_down(&self, container: &Container) -> Result<()> {
        file::remove(container.directory(), layout::CONTROL_SOCKET)?;
        self.detach_all(container)?;
        super::shared_memory::remove(&self.root.layout.container(&container.id))
    }
}

/// Kills all that is left in the container's control group and removes it; whether memory had run out there.
fn tear_down_group(container: &Container) -> Result<bool> {
    let host = cgroup::Host::detect(Path::new(cgroup::MOUNT_ROOT))?;
    match Group::open(&host, &container.record.cgroup) {
        Ok(group) => {
            let oom_killed = group.oom_kills().is_ok_and(|count| count > 0);
            group.kill()?;
            group.remove()?;
            Ok(oom_killed)
        }
        Err(error) if error.kind() == Kind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
