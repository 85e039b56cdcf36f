//! Brings up what should run after a boot, and takes it down at a shutdown.

use base::Result;
use base::id::Id;

use crate::{Caller, Engine};

/// What a boot did.
#[derive(Debug, Default)]
pub struct Booted {
    /// Started.
    pub started: Vec<Id>,
    /// Mended, because the machine went down under them.
    pub mended: Vec<Id>,
    /// Could not be started, and why.
    pub failed: Vec<(Id, base::Error)>,
}

/// What a shutdown did.
#[derive(Debug, Default)]
pub struct Shutdown {
    /// Stopped.
    pub stopped: Vec<Id>,
    /// Could not be stopped, and why.
    pub failed: Vec<(Id, base::Error)>,
}

impl Engine {
    /// Mends what is broken and starts what its restart policy wants to run.
    ///
    /// # Errors
    /// When the state cannot be read; what fails for one container is in the result.
    pub fn boot(&self, caller: &Caller) -> Result<Booted> {
        let _ = caller;
        todo!()
    }

    /// Stops every container with its own stop signal and leaves what the user wants of it alone.
    ///
    /// # Errors
    /// When the state cannot be read; what fails for one container is in the result.
    pub fn shut_down(&self, caller: &Caller) -> Result<Shutdown> {
        let _ = caller;
        todo!()
    }
}
