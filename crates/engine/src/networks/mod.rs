//! Networks: what they are, who has which address there, and what of them exists in the kernel. One verb per file.
//!
//! A network is `networks/<id>/`: its record, and links that say who has which address and name. A name is a link in `network-names/`. What exists in the
//! kernel (bridges, rules, endpoints) is made when a container needs it, and made again when it is found missing. `bridge`, `host` and `none` are always there.

mod address;
mod attach;
mod connect;
mod create;
mod holder;
mod inspect;
mod list;
mod names;
mod pool;
mod record;
mod reload;
mod remove;
mod rename;
mod resolve;
mod show;
mod up;

pub use ::network::IpVersion;
pub(crate) use attach::Endpoint;
pub use create::{NetworkRequest, SubnetRequest};
pub use inspect::{NetworkDetails, NetworkMember};
pub(crate) use names::uses_resolver;
pub(crate) use record::BRIDGE;
pub use record::{Driver, NetworkRecord, Pool};
pub(crate) use show::{Known, ports};
pub use show::{NetworkEndpoint, Port, hardware_address};

pub use network::port::Protocol;
