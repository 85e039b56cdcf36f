//! What a container does right now, as its files tell it.

use base::Result;
use base::time::Timestamp;

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

impl Container {
    /// Takes no lock and changes nothing.
    pub(crate) fn view(&self) -> Result<View> {
        todo!("needs supervisor::state::State")
    }
}
