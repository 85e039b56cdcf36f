//! From the flags of `run` and `create` to the body of a create request.

pub(crate) mod flags;
pub(crate) mod foreground;
mod limits;
mod mounts;
pub(crate) mod network;
mod ports;
pub(crate) mod request;
mod security;
pub(crate) mod variables;
