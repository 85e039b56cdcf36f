//! Removes all containers that are down.

use base::Result;
use base::id::Id;

use super::filter::Filter;
use crate::{Caller, Engine};

/// What a prune removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The containers.
    pub removed: Vec<Id>,
    /// Bytes of their writable layers and logs.
    pub reclaimed_bytes: u64,
}

impl Engine {
    /// Removes every container that is created, exited or dead and passes the filter (`label`, `label!`, `until`).
    ///
    /// # Errors
    /// The first failure, after all were tried.
    pub fn prune_containers(&self, caller: &Caller, filter: &Filter) -> Result<Pruned> {
        let _ = (caller, filter);
        todo!()
    }
}
