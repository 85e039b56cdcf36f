//! Clients that come before the start of what they attach to or wait for.
//!
//! `run` attaches and waits first and starts then, so that no byte and no exit is missed. Until the start there is no supervisor to talk
//! to: the ends of their streams lie here, in the process that they talk to, and the start hands them over. A start by another process does
//! not find them: such waits look for its supervisor themselves.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::id::Id;
use base::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use supervisor::client::{Starting, Waiting};
use supervisor::protocol::{Attach, Condition};

/// More early clients of one container are a mistake.
const CLIENTS_LIMIT: usize = 64;

/// All early clients of this process.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    table: Mutex<HashMap<Id, Early>>,
}

/// The early clients of one container. Those that are dropped without a hand-over are told that there was no start.
#[derive(Debug, Default)]
pub(crate) struct Early {
    attached: Vec<(Attach, OwnedFd)>,
    waits: Vec<Waiter>,
}

/// The side of an early wait that a start fills.
#[derive(Debug)]
struct Waiter {
    slot: Arc<Slot>,
    condition: Condition,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.slot.settle(Handed::NotStarted);
    }
}

/// What has become of an early wait.
#[derive(Debug, Default)]
pub(crate) enum Handed {
    /// Nothing yet.
    #[default]
    Nothing,
    /// The start has begun the wait at the supervisor.
    Waiting(Waiting),
    /// There was a start, and it failed.
    NotStarted,
}

/// Where an early wait finds its connection once there is a supervisor.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    handed: Mutex<Handed>,
    settled: Condvar,
}

impl Slot {
    fn settle(&self, handed: Handed) {
        let mut own = lock(&self.handed);
        if matches!(*own, Handed::Nothing) {
            *own = handed;
            self.settled.notify_all();
        }
    }

    /// What has become of the wait; waits up to `patience` for anything to become of it.
    pub(crate) fn take(&self, patience: Duration) -> Handed {
        let guard = lock(&self.handed);
        let (mut guard, _) = self
            .settled
            .wait_timeout_while(guard, patience, |handed| matches!(handed, Handed::Nothing))
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *guard)
    }
}

impl Pending {
    /// Keeps the end of a stream until there is a supervisor.
    ///
    /// # Errors
    /// `Exhausted` for more clients than anybody has.
    pub(crate) fn attach(&self, id: &Id, attach: Attach, stream: OwnedFd) -> Result<()> {
        let mut table = lock(&self.table);
        let early = table.entry(id.clone()).or_default();
        early.attached.retain(|(_, stream)| !has_hung_up(stream));
        if early.attached.len() >= CLIENTS_LIMIT {
            return Err(Error::exhausted(format!(
                "{CLIENTS_LIMIT} clients are attached to container {} already",
                id.short()
            )));
        }
        early.attached.push((attach, stream));
        Ok(())
    }

    /// Begins a wait that a start hands to the supervisor.
    pub(crate) fn wait(&self, id: &Id, condition: Condition) -> Arc<Slot> {
        let slot = Arc::new(Slot::default());
        let mut table = lock(&self.table);
        let early = table.entry(id.clone()).or_default();
        // Whoever holds no other end any more does not wait any more.
        early.waits.retain(|waiter| Arc::strong_count(&waiter.slot) > 1);
        early.waits.push(Waiter { slot: slot.clone(), condition });
        slot
    }

    /// All early clients of `id`, which are no longer kept here. A start takes them before it begins, so that those of a failed one are told.
    pub(crate) fn take(&self, id: &Id) -> Early {
        lock(&self.table).remove(id).unwrap_or_default()
    }
}

impl Early {
    /// Connects the early clients to the supervisor of a container that exists and does not run yet.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub(crate) fn hand_over(mut self, starting: &Starting) -> Result<()> {
        for (attach, stream) in self.attached.drain(..) {
            starting.attach_stream(attach, stream.as_fd())?;
        }
        for waiter in self.waits.drain(..) {
            // One that nobody holds the other end of would cost the supervisor a connection.
            if Arc::strong_count(&waiter.slot) > 1 {
                waiter.slot.settle(Handed::Waiting(super::wait::wait_at(starting.connect()?, waiter.condition)?));
            }
        }
        Ok(())
    }
}

fn has_hung_up(stream: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(stream, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut polled, Some(&now)).is_ok() && polled[0].revents().contains(PollFlags::HUP)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use supervisor::protocol::Pace;

    const ALL: Attach = Attach { stdin: true, stdout: true, stderr: true, pace: Pace::Wait };

    #[test]
    fn a_failed_start_tells_whoever_waits() {
        let (pending, id) = (Pending::default(), Id::random().unwrap());
        let slot = pending.wait(&id, Condition::NextExit);
        assert!(matches!(slot.take(Duration::ZERO), Handed::Nothing));
        drop(pending.take(&id));
        assert!(matches!(slot.take(Duration::from_secs(5)), Handed::NotStarted));
    }

    #[test]
    fn clients_that_are_gone_make_room() {
        let (pending, id) = (Pending::default(), Id::random().unwrap());
        let mut kept = Vec::new();
        for _ in 0..CLIENTS_LIMIT {
            let (ours, theirs) = sys::unix::stream_pair().unwrap();
            pending.attach(&id, ALL, ours).unwrap();
            kept.push(theirs);
            drop(pending.wait(&id, Condition::NotRunning));
        }
        let (ours, theirs) = sys::unix::stream_pair().unwrap();
        assert_eq!(pending.attach(&id, ALL, ours.try_clone().unwrap()).unwrap_err().kind(), base::Kind::Exhausted);
        kept.pop();
        pending.attach(&id, ALL, ours).unwrap();
        drop(theirs);
        assert_eq!(pending.take(&id).waits.len(), 1);
    }
}
