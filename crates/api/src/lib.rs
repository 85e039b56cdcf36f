//! The Docker Engine API: wire types, routes, client and transports.
//!
//! The command line and every Docker client come in here. A [`Request`] goes through a [`Transport`]: [`InProcess`] hands it to the routes in this
//! very process, [`Socket`] writes it to a daemon. [`Client`] has a typed method for each operation. [`daemon`] is the other end of a socket.
//!
//! Handlers are synchronous functions on the engine; the asynchronous world begins and ends in [`daemon`]. Nothing here keeps state between requests.
#![forbid(unsafe_code)]

mod address;
pub mod client;
mod convert;
pub mod daemon;
mod filters;
mod message;
mod percent;
mod query;
mod router;
mod routes;
mod socket;
mod transport;
pub mod types;
mod version;

pub use client::Client;
pub use engine::LogLevel;
pub use filters::Filters;
pub use message::{Headers, Method, Request, RequestBody, Response, ResponseBody};
pub use query::Query;
pub use socket::Socket;
pub use transport::{InProcess, Transport};
pub use version::{MINIMUM_VERSION, NEWEST_VERSION, Version};
