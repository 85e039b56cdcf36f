//! What a container does right now, as its files tell it.

use base::Result;
use base::time::Timestamp;
use supervisor::state::{self, Observed, State};

use super::inspect::ProcessState;
use super::record::Container;
use super::status::Status;

/// What a container does right now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) status: Status,
    pub(crate) pid: u32,
    pub(crate) exit_code: i32,
    pub(crate) error: String,
    pub(crate) oom_killed: bool,
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
    pub(crate) restart_count: u32,
}

impl From<View> for ProcessState {
    fn from(view: View) -> Self {
        Self {
            status: view.status,
            pid: view.pid,
            exit_code: view.exit_code,
            error: view.error,
            oom_killed: view.oom_killed,
            started: view.started,
            finished: view.finished,
        }
    }
}

/// The code of a process that was killed, which is what a mend records.
pub(super) const KILLED: i32 = 137;
const NEVER_STARTED: View = View {
    status: Status::Created,
    pid: 0,
    exit_code: 0,
    error: String::new(),
    oom_killed: false,
    started: Timestamp::ZERO,
    finished: Timestamp::ZERO,
    restart_count: 0,
};

impl Container {
    /// Takes no lock and changes nothing.
    pub(crate) fn view(&self) -> Result<View> {
        state::observe(self.directory()).map(View::from)
    }
}

impl From<Observed> for View {
    fn from(observed: Observed) -> Self {
        match observed {
            Observed::NeverStarted | Observed::Supervised(None) => NEVER_STARTED,
            Observed::Supervised(Some(state)) => Self::supervised(state),
            Observed::Exited(state) => Self::exited(state),
            Observed::Broken(state) => Self::broken(state),
        }
    }
}

impl View {
    fn supervised(state: State) -> Self {
        let status = match state.status {
            state::Status::Running | state::Status::Stopping => Status::Running,
            state::Status::Paused => Status::Paused,
            state::Status::Restarting => Status::Restarting,
            state::Status::Starting if state.restart_count > 0 => Status::Restarting,
            state::Status::Starting => Status::Created,
            state::Status::Exited => return Self::exited(state),
        };
        Self::of(status, state)
    }

    /// A failed start is no exit: what never ran stays created, with the reason.
    fn exited(state: State) -> Self {
        if state.started_at.is_zero() {
            return Self { finished: Timestamp::ZERO, ..Self::of(Status::Created, state) };
        }
        Self::of(Status::Exited, state)
    }

    fn broken(state: Option<State>) -> Self {
        let Some(state) = state else {
            let error = "state.json is damaged; start, stop or rm mends it".to_owned();
            return Self { status: Status::Dead, exit_code: KILLED, error, ..NEVER_STARTED };
        };
        let has_exited = state.status == state::Status::Exited;
        let mut view = Self { pid: 0, ..Self::of(Status::Dead, state) };
        if !has_exited {
            view.exit_code = KILLED;
        }
        if view.error.is_empty() {
            "its supervisor is gone; start, stop or rm mends it".clone_into(&mut view.error);
        }
        view
    }

    fn of(status: Status, state: State) -> Self {
        Self {
            status,
            pid: u32::try_from(state.pid).unwrap_or(0),
            exit_code: state.exit_code,
            error: state.error,
            oom_killed: state.oom_killed,
            started: state.started_at,
            finished: state.finished_at,
            restart_count: state.restart_count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: state::Status) -> State {
        let started_at = Timestamp::from_unix(100, 0);
        State { status, pid: 7, started_at, finished_at: started_at, ..State::starting() }
    }

    #[test]
    fn what_is_seen_of_each_state() {
        use state::Status as Told;
        let again = State { restart_count: 1, ..state(Told::Starting) };
        let failed = State { started_at: Timestamp::ZERO, exit_code: 127, pid: 0, ..state(Told::Exited) };
        let table = [
            (Observed::NeverStarted, Status::Created, 0),
            (Observed::Supervised(None), Status::Created, 0),
            (Observed::Supervised(Some(state(Told::Starting))), Status::Created, 0),
            (Observed::Supervised(Some(again)), Status::Restarting, 0),
            (Observed::Supervised(Some(state(Told::Running))), Status::Running, 0),
            (Observed::Supervised(Some(state(Told::Stopping))), Status::Running, 0),
            (Observed::Supervised(Some(state(Told::Paused))), Status::Paused, 0),
            (Observed::Supervised(Some(state(Told::Restarting))), Status::Restarting, 0),
            (Observed::Supervised(Some(state(Told::Exited))), Status::Exited, 0),
            (Observed::Exited(State { exit_code: 3, ..state(Told::Exited) }), Status::Exited, 3),
            (Observed::Exited(failed), Status::Created, 127),
            (Observed::Broken(Some(state(Told::Running))), Status::Dead, KILLED),
            (Observed::Broken(Some(State { exit_code: 3, ..state(Told::Exited) })), Status::Dead, 3),
            (Observed::Broken(None), Status::Dead, KILLED),
        ];
        for (observed, status, exit_code) in table {
            let text = format!("{observed:?}");
            let view = View::from(observed);
            assert_eq!((view.status, view.exit_code), (status, exit_code), "{text}");
            assert!(status != Status::Dead || view.pid == 0 && !view.error.is_empty(), "{text}");
        }
    }
}
