//! Shows a volume.

use base::Result;

use super::VolumeRecord;
use super::record::no_such;
use crate::caller::Operation;
use crate::{Caller, Engine};

impl Engine {
    /// Shows a volume.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn inspect_volume(&self, caller: &Caller, name: &str) -> Result<VolumeRecord> {
        caller.permit(Operation::Read, "inspect a volume")?;
        self.find_volume(name)?.ok_or_else(|| no_such(name))
    }
}
