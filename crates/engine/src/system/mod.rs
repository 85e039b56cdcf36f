//! The engine as a whole.

mod boot;
mod info;
mod mend;
mod reap;
mod version;

pub use boot::{Booted, Shutdown};
pub use info::SystemInfo;
pub use version::Version;
