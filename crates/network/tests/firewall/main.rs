//! The packet filter, with real packets in namespaces of its own.
//!
//! They need root, and Debian's `iproute2`, `iptables` and `python3`.
#![forbid(unsafe_code)]
// Tests say what they expect by panicking.
#![allow(clippy::unwrap_used, missing_docs, missing_debug_implementations)]

mod beside_others;
mod claims;
mod isolation;
mod publish;
mod tables;
mod world;
