//! How an image came to be.

use base::Result;
use base::time::Timestamp;

use crate::{Caller, Engine};

/// One step, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The image's id for the newest step, else `<missing>`.
    pub id: String,
    /// When.
    pub created: Option<Timestamp>,
    /// By which instruction.
    pub created_by: String,
    /// Names of the image, for the newest step.
    pub tags: Vec<String>,
    /// Bytes that it added.
    pub size: u64,
    /// What its author said.
    pub comment: String,
}

impl Engine {
    /// The steps by which an image was made.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn image_history(&self, caller: &Caller, name: &str) -> Result<Vec<HistoryEntry>> {
        let _ = (caller, name);
        todo!()
    }
}
