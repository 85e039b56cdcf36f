//! The whole product as a library over a state directory: containers, images, volumes, system.
//!
//! Synchronous, with threads. It never prints, never reads the environment and knows no wire format. Every operation is a
//! method of [`Engine`] in the file of its verb and takes a [`Caller`]. What a reader calls takes no lock and mends nothing;
//! what a changer calls mends what a crash has left of the thing that it changes.
#![forbid(unsafe_code)]

mod caller;
pub mod configuration;
pub mod containers;
mod engine;
pub mod events;
pub mod images;
pub mod layout;
mod log_level;
pub mod mounts;
mod names;
pub mod networks;
pub mod plan;
mod polled;
mod progress;
mod root;
pub mod system;
pub mod volumes;

pub use caller::{Caller, Listener, Operation, Policy};
pub use configuration::Configuration;
pub use engine::{Engine, Options};
pub use log_level::LogLevel;
pub use polled::Polled;
pub use progress::{Progress, Silent, Stage, Update};
