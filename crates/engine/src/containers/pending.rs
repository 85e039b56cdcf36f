//! Clients that come before the start of what they attach to or wait for.
//!
//! `run` attaches and waits first and starts then, so that no byte and no exit is missed. Until the start there is no supervisor to talk
//! to: the ends of their streams lie here, in the process that they talk to, and the start hands them over.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::id::Id;

use super::attach::AttachRequest;

/// All early clients of this process.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    table: Mutex<HashMap<Id, Early>>,
}

/// The early clients of one container.
#[derive(Debug, Default)]
pub(crate) struct Early {
    pub(crate) attached: Vec<(AttachRequest, OwnedFd)>,
    pub(crate) waits: Vec<Arc<Slot>>,
}

/// A wait that a supervisor answers.
pub(crate) type Connection = OwnedFd;

/// Where an early wait finds its connection once there is a supervisor.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    connection: Mutex<Option<Connection>>,
    filled: Condvar,
}

impl Slot {
    pub(crate) fn fill(&self, connection: Connection) {
        *lock(&self.connection) = Some(connection);
        self.filled.notify_all();
    }

    /// The connection, which is taken out; waits for it up to `patience`.
    pub(crate) fn take(&self, patience: Duration) -> Option<Connection> {
        let guard = lock(&self.connection);
        let (mut guard, _) = self
            .filled
            .wait_timeout_while(guard, patience, |connection| connection.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        guard.take()
    }
}

impl Pending {
    pub(crate) fn attach(&self, id: &Id, request: AttachRequest, stream: OwnedFd) {
        lock(&self.table).entry(id.clone()).or_default().attached.push((request, stream));
    }

    pub(crate) fn wait(&self, id: &Id) -> Arc<Slot> {
        let slot = Arc::new(Slot::default());
        lock(&self.table).entry(id.clone()).or_default().waits.push(slot.clone());
        slot
    }

    /// All early clients of `id`, which are no longer kept here.
    pub(crate) fn take(&self, id: &Id) -> Early {
        lock(&self.table).remove(id).unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
