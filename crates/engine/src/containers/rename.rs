//! Gives a container another name.

use base::Result;

use crate::{Caller, Engine};

impl Engine {
    /// Renames a container in any state.
    ///
    /// # Errors
    /// `Invalid` for a malformed name, `Conflict` for one in use.
    pub fn rename_container(&self, caller: &Caller, name: &str, new_name: &str) -> Result<()> {
        let _ = (caller, name, new_name);
        todo!()
    }
}
