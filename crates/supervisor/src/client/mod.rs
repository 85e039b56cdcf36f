//! How the engine starts supervisors and talks to them. Every call blocks until the supervisor has answered.

mod connection;
mod spawn;

pub(crate) use connection::control_address;
pub use connection::{Client, ServedNetwork, Streams, Told, Waiting};
pub use spawn::{CreateRequest, GivenRules, Process, ProcessRequest, Running, Starting, reap};
