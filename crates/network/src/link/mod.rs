//! Links, addresses and routes (rtnetlink(7)): what a bridge and an endpoint are made of.

mod bridge;
mod endpoint;
mod look;
mod message;

pub use bridge::{Bridge, remove};
pub use endpoint::{Attachment, Gateways, Kind, MacvlanMode, attach, configure, detach, link_local, rejoin, route_by};
pub(crate) use look::default_route_interfaces;
pub use look::{Link, addresses, find, links, routes, uplink};

/// The longest name of an interface (`IFNAMSIZ` with its zero byte is 16).
pub const NAME_LIMIT: usize = 15;
