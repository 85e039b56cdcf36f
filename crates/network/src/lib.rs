//! What a container has of networks: bridges, endpoints, addresses, firewall, published ports and names.
//!
//! Everything is done by netlink from the calling process, on a network namespace that is given as a descriptor. Nothing here knows containers' records or
//! images; which container gets which address is decided by the engine.
#![forbid(unsafe_code)]

pub mod firewall;
pub mod forwarding;
pub mod lease;
pub mod link;
pub mod names;
pub mod namespace;
pub mod netlink;
mod poll;
pub mod port;
pub mod relay;
mod version;

pub use version::IpVersion;
