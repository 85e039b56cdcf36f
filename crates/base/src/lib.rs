//! What every crate of the house shares: errors, ids, digests, sizes, times, atomic files, locks and handle-based trees.
//!
//! Nothing here knows what a container or an image is.
#![forbid(unsafe_code)]

pub mod crash;
pub mod digest;
pub mod duration;
mod error;
pub mod file;
pub mod id;
pub mod journal;
pub mod lock;
pub mod nearest;
pub mod size;
pub mod time;
pub mod tree;

pub use error::{Context, Error, Failure, Kind, Result};
