//! The runtime: a specification becomes an isolated process.
//!
//! [`Container::create`] makes the control group and the first process, which sets itself up and then waits; [`Container::start`] lets it
//! become the user's program; [`Container::exec`] brings in further ones. `init` is what the new process does, in order.
//!
//! Nothing here knows images, networks or logs, writes state, or outlives its caller: whoever calls is the parent of every process.
#![forbid(unsafe_code)]

mod channel;
mod child;
mod container;
mod enter;
mod entering;
mod init;
pub mod seccomp;
pub mod spec;
mod stdio;

#[cfg(feature = "fuzz-targets")]
pub use init::user_of;

pub use child::Child;
pub use container::{Container, Input, Request};
pub use entering::Entering;
pub use init::resource_of;
pub use stdio::Ends;
