//! Filters of system calls: a profile in Docker's format becomes a program for the kernel.
//!
//! [`Profile::parse`] reads a profile, [`compile()`] makes the program for one host and one set of capabilities, and
//! [`prepare`] does both through a cache of finished programs. Nothing here loads a program: that is
//! `sys::seccomp::load`, which the process calls on itself.
//!
//! A verdict is the same as libseccomp's for the same architectures, with two differences: system calls newer than all
//! that the profile names answer ENOSYS where its default would refuse them, so that programs fall back to older calls,
//! and calls of the x32 kind are refused with ENOSYS whatever the profile says.

mod architecture;
mod arguments;
mod cache;
mod compile;
mod conditions;
mod filter;
mod profile;
mod syscalls;
mod widths;

pub use architecture::Architecture;
pub use cache::{Prepared, prepare};
pub use compile::compile;
pub use conditions::Conditions;
pub use filter::Filter;
pub use profile::{Action, Argument, Comparison, Profile, Restriction, Rule};

/// Docker's default profile (see `default.md`).
pub const DEFAULT_PROFILE: &str = include_str!("default.json");

#[cfg(test)]
mod judgement;
