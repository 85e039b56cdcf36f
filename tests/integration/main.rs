//! The integration tests: the real binary on the real kernel, a module for each capability.
//!
//! They need root, Debian's `busybox-static` and what else `dev/test` installs.
#![forbid(unsafe_code)]
// Tests say what they expect by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, missing_debug_implementations)]

mod harness;

mod bad_input;
mod crash;
mod daemon;
mod execs;
mod files;
mod flags;
mod help;
mod hostile_registry;
mod images;
mod isolation;
mod kernel;
mod lifecycle;
mod limits;
mod logins;
mod networks;
mod packets;
mod registry;
mod run;
mod security;
mod soak;
mod streams;
mod supervision;
mod system;
mod terminals;
mod volumes;
