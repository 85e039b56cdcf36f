//! From what was asked for to what the runtime is given: pure functions, but for looking at devices.

pub mod capabilities;
pub mod check;
pub mod devices;
pub mod effective;
pub mod files;
pub(crate) mod log;
pub(crate) mod process;
pub mod resources;
pub mod security;
pub mod signals;
pub(crate) mod spec;
pub mod sysctls;
pub mod ulimits;
