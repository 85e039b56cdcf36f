//! Reaps what a long-lived host of the engine started.

use crate::Engine;

impl Engine {
    /// Reaps supervisors that this process started and that have ended. A host that lives long calls it with every `SIGCHLD`; a command that ends
    /// soon need not.
    pub fn reap(&self) {
        supervisor::client::reap();
    }
}
