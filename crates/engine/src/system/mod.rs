//! The engine as a whole.

mod boot;
mod disk_usage;
mod info;
mod mend;
mod reap;
mod version;

pub use boot::{Booted, Shutdown};
pub use disk_usage::{DiskUsage, UsageOf};
pub use info::SystemInfo;
pub use version::Version;
