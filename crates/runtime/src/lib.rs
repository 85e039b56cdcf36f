//! The runtime: a specification becomes an isolated process.
#![forbid(unsafe_code)]
pub mod seccomp;
pub mod spec;
