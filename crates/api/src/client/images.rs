//! Images.

use std::io::Read;

use base::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use super::Client;
use crate::filters::Filters;
use crate::message::{Method, Request, RequestBody};
use crate::types::{Auth, ImageDelete, ImageHistory, ImageInspect, ImagePrune, ImageSummary};

/// What to pull.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// Repository, without a tag.
    pub repository: String,
    /// Tag or digest; empty: every tag of the repository.
    pub tag: String,
    /// Instead of the engine's.
    pub platform: Option<String>,
    /// Of the user.
    pub auth: Option<Auth>,
}

/// What to push.
#[derive(Clone, Debug, Default)]
pub struct PushOptions {
    /// Repository, without a tag.
    pub repository: String,
    /// Tag; empty: every local tag of the repository.
    pub tag: String,
    /// Only this one of an image for several.
    pub platform: Option<String>,
    /// Of the user.
    pub auth: Option<Auth>,
}

/// How to import.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Repository to name it; empty: none.
    pub repository: String,
    /// Tag; empty: `latest`.
    pub tag: String,
    /// Said of it in its history.
    pub message: String,
    /// Dockerfile instructions.
    pub changes: Vec<String>,
    /// Instead of the engine's.
    pub platform: Option<String>,
}

/// How to remove.
#[derive(Clone, Copy, Debug, Default)]
pub struct RemoveImageOptions {
    /// Also one with several names or stopped containers.
    pub force: bool,
    /// Leaves parents without names.
    pub no_prune: bool,
}

fn add_auth(request: &mut Request, auth: Option<&Auth>) -> Result<()> {
    let auth = auth.cloned().unwrap_or_default();
    let bytes = serde_json::to_vec(&auth).map_err(|error| Error::internal(format!("encode credentials: {error}")))?;
    request.headers.add("X-Registry-Auth", URL_SAFE.encode(bytes));
    Ok(())
}

/// Operations on images; a name is a reference, an id or the beginning of one. Each fails with `NotFound` without such an image.
#[allow(clippy::missing_errors_doc, reason = "the errors are the engine's, and its operations name them")]
impl Client {
    /// Lists images, the newest first.
    pub fn list_images(&self, filters: &Filters) -> Result<Vec<ImageSummary>> {
        let mut request = Request::new(Method::Get, "/images/json");
        request.query.add_filters(filters);
        self.json(request)
    }

    /// Everything of an image.
    pub fn inspect_image(&self, name: &str) -> Result<ImageInspect> {
        self.json(Request::new(Method::Get, format!("/images/{name}/json")))
    }

    /// Everything of an image, as the engine writes it.
    pub fn inspect_image_json(&self, name: &str) -> Result<Vec<u8>> {
        self.raw(&format!("/images/{name}/json"))
    }

    /// How an image came to be.
    pub fn image_history(&self, name: &str) -> Result<Vec<ImageHistory>> {
        self.json(Request::new(Method::Get, format!("/images/{name}/history")))
    }

    /// Pulls an image; lines of [`crate::types::JsonMessage`].
    pub fn pull_image(&self, options: &PullOptions) -> Result<Box<dyn Read + Send>> {
        let mut request = Request::new(Method::Post, "/images/create");
        request.query.add("fromImage", &options.repository);
        if !options.tag.is_empty() {
            request.query.add("tag", &options.tag);
        }
        request.query.add_some("platform", options.platform.as_ref());
        add_auth(&mut request, options.auth.as_ref())?;
        self.stream(request)
    }

    /// Makes an image of one layer from a tar archive; lines of [`crate::types::JsonMessage`], the last of which has the id.
    pub fn import_image(&self, options: &ImportOptions, archive: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>> {
        let mut request = Request::new(Method::Post, "/images/create");
        request.query.add("fromSrc", "-");
        for (name, value) in [("repo", &options.repository), ("tag", &options.tag), ("message", &options.message)] {
            if !value.is_empty() {
                request.query.add(name, value);
            }
        }
        for change in &options.changes {
            request.query.add("changes", change);
        }
        request.query.add_some("platform", options.platform.as_ref());
        request.headers.add("Content-Type", "application/x-tar");
        request.body = RequestBody::Reader(archive);
        self.stream(request)
    }

    /// Pushes an image; lines of [`crate::types::JsonMessage`].
    pub fn push_image(&self, options: &PushOptions) -> Result<Box<dyn Read + Send>> {
        let mut request = Request::new(Method::Post, format!("/images/{}/push", options.repository));
        if !options.tag.is_empty() {
            request.query.add("tag", &options.tag);
        }
        request.query.add_some("platform", options.platform.as_ref());
        add_auth(&mut request, options.auth.as_ref())?;
        self.stream(request)
    }

    /// Gives an image a further name.
    pub fn tag_image(&self, name: &str, repository: &str, tag: &str) -> Result<()> {
        let mut request = Request::new(Method::Post, format!("/images/{name}/tag"));
        request.query.add("repo", repository);
        request.query.add("tag", tag);
        self.act(request)
    }

    /// Removes a name of an image, and with the last one the image.
    pub fn remove_image(&self, name: &str, options: RemoveImageOptions) -> Result<Vec<ImageDelete>> {
        let mut request = Request::new(Method::Delete, format!("/images/{name}"));
        request.query.add_flag("force", options.force);
        request.query.add_flag("noprune", options.no_prune);
        self.json(request)
    }

    /// Removes images that nothing uses.
    pub fn prune_images(&self, filters: &Filters) -> Result<ImagePrune> {
        let mut request = Request::new(Method::Post, "/images/prune");
        request.query.add_filters(filters);
        self.json(request)
    }
}
