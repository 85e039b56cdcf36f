//! How much room everything takes.

use base::Result;

use crate::{Caller, Engine};

/// Room of one kind of thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageOf {
    /// How many there are.
    pub count: u64,
    /// How many of them are in use.
    pub active: u64,
    /// Bytes.
    pub bytes: u64,
    /// Bytes that a prune would give back.
    pub reclaimable_bytes: u64,
}

/// How much room everything takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// Images.
    pub images: UsageOf,
    /// Containers.
    pub containers: UsageOf,
    /// Volumes.
    pub volumes: UsageOf,
}

impl Engine {
    /// Counts how much room everything takes, which walks all files.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn disk_usage(&self, caller: &Caller) -> Result<DiskUsage> {
        let _ = caller;
        todo!()
    }
}
