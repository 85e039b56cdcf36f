//! The process that stays with one container, and the client that talks to it.
//!
//! The engine starts a [`client::Process`] and gives it a [`plan::Plan`]; that process, which the program enters through [`main`], makes the
//! container and remains its parent until it has exited for good. Everything that another process may ask of it goes through
//! [`client::Client`]; everything that outlives it is in [`state::State`] and in [`exec::Record`].
//!
//! The supervisor decides nothing that is the user's or the engine's to decide: names, images, networks and the removal of containers are
//! unknown here. It knows its plan and its container's directory.
#![forbid(unsafe_code)]

pub mod certainty;
pub mod client;
pub mod exec;
pub mod plan;
mod program;
pub mod protocol;
pub mod restart;
mod serve;
pub mod state;

pub use serve::main;

/// Files of a container's directory that belong to its supervisor.
pub mod files {
    /// What the supervisor says of its container.
    pub const STATE: &str = "state.json";
    /// Held by the supervisor for as long as it lives.
    pub const ALIVE: &str = "alive";
    /// Where it listens.
    pub const CONTROL_SOCKET: &str = "control.sock";
    /// Records of execs.
    pub const EXECS: &str = "execs";
    /// The container's log.
    pub const LOG: &str = "log";
}

/// Lets a child process meet the crash point that a test asked for.
#[cfg(feature = "crash-points")]
fn pass_crash_point(command: &mut std::process::Command) {
    if let Some(point) = std::env::var_os("BERTH_CRASH_AT") {
        command.env("BERTH_CRASH_AT", point);
    }
}

#[cfg(not(feature = "crash-points"))]
fn pass_crash_point(_command: &mut std::process::Command) {}
