//! Gives an image a further name.

use base::{Error, Result, crash_point};
use oci::reference::Reference;

use crate::caller::Operation;
use crate::{Caller, Engine};

impl Engine {
    /// Makes `reference` mean the image that `name` names, whatever it meant before.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a reference with a digest.
    pub fn tag_image(&self, caller: &Caller, name: &str, reference: &Reference) -> Result<()> {
        caller.permit(Operation::Change, &format!("tag {}", reference.familiar()))?;
        check_target(reference)?;
        let store = self.image_store()?;
        // Under the lock, so that what it means is still there when the name is set.
        let exclusive = store.exclusive()?;
        let target = store.resolve(name)?;
        crash_point!("tag.before-name");
        exclusive.set_name(reference, &target)?;
        drop(exclusive);
        let attributes = [("name".to_owned(), reference.familiar())].into();
        self.record_event("image", "tag", &target.config.to_string(), attributes);
        Ok(())
    }
}

/// Whether a reference can be set by a person: one with a digest says what it means, and nobody may make it mean something else.
pub(super) fn check_target(reference: &Reference) -> Result<()> {
    if reference.digest().is_some() {
        return Err(Error::invalid("refusing to create a tag with a digest reference"));
    }
    Ok(())
}
