//! From what was asked for to what the runtime is given: decisions, nearly all of them pure. `devices` looks at the host's devices; `process` reads a
//! profile and keeps compiled filters in the run root.

pub mod capabilities;
pub mod check;
pub mod devices;
pub mod effective;
pub mod files;
pub(crate) mod log;
pub mod ports;
pub(crate) mod process;
pub mod resources;
pub mod security;
pub mod signals;
pub(crate) mod spec;
pub mod sysctls;
pub mod ulimits;
