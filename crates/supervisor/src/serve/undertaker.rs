//! The engine that still waits for the container and does itself what the helper `container-exited` would: no process need be started for it.

use super::{Phase, Supervisor};
use crate::plan::AfterExit;
use crate::protocol::{Condition, Reply};
use std::time::{Duration, Instant};

/// How long it may take before the helper is started all the same: it may be suspended, or wait for whoever reads its output.
const PATIENCE: Duration = Duration::from_secs(1);

/// A client that has offered to clear away after the last exit.
#[derive(Debug)]
pub(super) struct Undertaker {
    /// Of its connection.
    number: u64,
    /// Until when it may take; `None`: it was not asked yet.
    until: Option<Instant>,
}

impl Supervisor {
    /// A client waits for the end and offers to clear away then. The first one that does stays the one that is asked.
    pub(super) fn offered(&mut self, number: u64) {
        if self.phase != Phase::Over && self.undertaker.is_none() {
            self.undertaker = Some(Undertaker { number, until: None });
        }
    }

    /// Has everything cleared away that the plan leaves to the engine: by the client that has offered it, else by the helper.
    pub(super) fn clear_away(&mut self) {
        match (self.plan.after_exit, &mut self.undertaker) {
            (AfterExit::Nothing, _) => {}
            (AfterExit::CallEngine, None) => self.helper = self.call_engine().ok(),
            (AfterExit::CallEngine, Some(undertaker)) => {
                undertaker.until = Some(Instant::now() + PATIENCE);
                let number = undertaker.number;
                let reply = Reply::Undertake { exit_code: self.state.exit_code, error: self.state.error.clone() };
                // One that is gone is disconnected by this, and followed by the helper.
                self.reply(number, &reply, &[]);
            }
        }
    }

    /// Whether somebody is still to clear away.
    pub(super) fn is_clearing_away(&self) -> bool {
        self.helper.is_some() || self.undertaking_until().is_some()
    }

    /// Until when the client that was asked to clear away may take.
    pub(super) fn undertaking_until(&self) -> Option<Instant> {
        self.undertaker.as_ref().and_then(|undertaker| undertaker.until)
    }

    /// The client of this connection is gone or waits again: it has cleared away, or somebody else has to.
    pub(super) fn follow(&mut self, number: u64) {
        if self.undertaker.as_ref().is_some_and(|undertaker| undertaker.number == number) {
            self.follow_undertaker();
        }
    }

    /// Nobody undertakes any more. What was undertaken and is not done is the helper's.
    pub(super) fn follow_undertaker(&mut self) {
        let was_asked = self.undertaking_until().is_some();
        self.undertaker = None;
        if !was_asked {
            return;
        }
        // Some file systems may count otherwise: then the helper finds nothing to do.
        let is_gone = rustix::fs::fstat(&self.directory).is_ok_and(|status| status.st_nlink == 0);
        if !is_gone {
            self.helper = self.call_engine().ok();
        }
        if self.helper.is_none() {
            self.answer_waits(&[Condition::Removed]);
        }
    }
}
