//! Waits for a container to exit.

use std::time::Duration;

use base::Result;

use crate::{Caller, Engine};

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitCondition {
    /// That it does not run; at once where it does not.
    #[default]
    NotRunning,
    /// The next exit, even if it does not run yet.
    NextExit,
    /// That it is gone.
    Removed,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// The process's own code, or 128 and the signal that ended it.
    pub code: i32,
    /// Why there is no code, where there is none.
    pub error: Option<String>,
}

/// A wait under way. It is in force from the moment it exists: no exit after that is missed.
#[derive(Debug)]
pub struct Wait {}

impl Wait {
    /// Blocks until the condition holds, or until `patience` is over: `None`. Who serves a client looks in between whether it is still there.
    ///
    /// # Errors
    /// As [`Wait::finish`].
    pub fn poll(&mut self, patience: Duration) -> Result<Option<Exit>> {
        let _ = patience;
        todo!()
    }

    /// Blocks until the condition holds.
    ///
    /// # Errors
    /// When the container vanished in a way that left no exit code.
    pub fn finish(self) -> Result<Exit> {
        todo!()
    }
}

impl Engine {
    /// Begins to wait. With `NextExit` and `Removed` a container that was not started yet may be waited for.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn wait_container(&self, caller: &Caller, name: &str, condition: WaitCondition) -> Result<Wait> {
        let _ = (caller, name, condition);
        todo!()
    }
}
