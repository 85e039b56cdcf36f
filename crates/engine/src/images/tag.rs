//! Gives an image a further name.

use base::Result;
use oci::reference::Reference;

use crate::{Caller, Engine};

impl Engine {
    /// Makes `reference` mean the image that `name` names, whatever it meant before.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a reference with a digest.
    pub fn tag_image(&self, caller: &Caller, name: &str, reference: &Reference) -> Result<()> {
        let _ = (caller, name, reference);
        todo!()
    }
}
