//! How an image came to be.

use base::Result;
use base::digest::Digest;
use base::time::Timestamp;
use oci::config::History;

use super::resolve::{familiar_names, read_config};
use crate::caller::Operation;
use crate::{Caller, Engine};

/// One step, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The image's id for the newest step; of the others nobody knows one.
    pub id: Option<Digest>,
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
        caller.permit(Operation::Read, &format!("history of {name}"))?;
        let store = self.image_store()?;
        let image = store.find(name)?;
        let config = read_config(&store, &image.id)?;
        let extracted = self.extracted_layers()?;
        let mut sizes = Vec::new();
        for content in &config.rootfs.diff_ids {
            sizes.push(extracted.find(content)?.map_or(0, |layer| layer.bytes));
        }
        let mut entries = steps(&config.history, &sizes);
        if let Some(newest) = entries.first_mut() {
            newest.id = Some(image.id.clone());
            newest.tags = familiar_names(&image).0;
        }
        Ok(entries)
    }
}

/// The steps, the newest first, each with the bytes of its layer. Layers of which the history does not tell are steps of their own.
fn steps(history: &[History], sizes: &[u64]) -> Vec<HistoryEntry> {
    let mut sizes = sizes.iter().copied();
    let mut entries: Vec<HistoryEntry> = history
        .iter()
        .map(|step| HistoryEntry {
            id: None,
            created: step.created,
            created_by: step.created_by.clone(),
            tags: Vec::new(),
            size: if step.empty_layer { 0 } else { sizes.next().unwrap_or(0) },
            comment: step.comment.clone(),
        })
        .collect();
    entries.extend(sizes.map(|size| HistoryEntry { size, ..HistoryEntry::default() }));
    entries.reverse();
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_belong_to_the_steps_that_made_them() {
        let step = |created_by: &str, empty_layer| History {
            created_by: created_by.to_owned(),
            empty_layer,
            ..History::default()
        };
        let entries = steps(&[step("ADD", false), step("ENV", true), step("RUN", false)], &[10, 20, 30]);
        let told: Vec<_> = entries.iter().map(|entry| (entry.created_by.as_str(), entry.size)).collect();
        assert_eq!(told, [("", 30), ("RUN", 20), ("ENV", 0), ("ADD", 10)]);
        assert_eq!(steps(&[step("ADD", false)], &[]).len(), 1);
    }
}
