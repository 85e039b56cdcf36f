//! Volumes.

use base::Result;

use super::Client;
use crate::filters::Filters;
use crate::message::{Method, Request};
use crate::types::{Volume, VolumeCreate, VolumeList, VolumePrune};

/// Operations on volumes. Each fails with `NotFound` without such a volume.
#[allow(clippy::missing_errors_doc, reason = "the errors are the engine's, and its operations name them")]
impl Client {
    /// Lists volumes by name.
    pub fn list_volumes(&self, filters: &Filters) -> Result<VolumeList> {
        let mut request = Request::new(Method::Get, "/volumes");
        request.query.add_filters(filters);
        self.json(request)
    }

    /// Makes a volume; one that exists is returned.
    pub fn create_volume(&self, body: &VolumeCreate) -> Result<Volume> {
        self.json(Request::new(Method::Post, "/volumes/create").with_json(body)?)
    }

    /// Everything of a volume.
    pub fn inspect_volume(&self, name: &str) -> Result<Volume> {
        self.json(Request::new(Method::Get, format!("/volumes/{name}")))
    }

    /// Everything of a volume, as the engine writes it.
    pub fn inspect_volume_json(&self, name: &str) -> Result<Vec<u8>> {
        self.raw(&format!("/volumes/{name}"))
    }

    /// Removes a volume.
    pub fn remove_volume(&self, name: &str) -> Result<()> {
        self.act(Request::new(Method::Delete, format!("/volumes/{name}")))
    }

    /// Removes a volume, where it is there.
    pub fn remove_volume_if_present(&self, name: &str) -> Result<()> {
        let mut request = Request::new(Method::Delete, format!("/volumes/{name}"));
        request.query.add("force", "1");
        self.act(request)
    }

    /// Removes volumes that no container uses.
    pub fn prune_volumes(&self, filters: &Filters) -> Result<VolumePrune> {
        let mut request = Request::new(Method::Post, "/volumes/prune");
        request.query.add_filters(filters);
        self.json(request)
    }
}
