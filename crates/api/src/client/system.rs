//! The engine itself.

use std::io::Read;

use base::Result;

use super::Client;
use crate::filters::Filters;
use crate::message::{Method, Request};
use crate::types::{Info, Version};

/// Which events to read. Times as Docker takes them.
#[derive(Clone, Debug, Default)]
pub struct EventOptions {
    /// From then on; nothing: from now on.
    pub since: Option<String>,
    /// Up to then; nothing: goes on.
    pub until: Option<String>,
    /// Only what passes.
    pub filters: Filters,
}

/// Operations on the engine itself.
#[allow(clippy::missing_errors_doc, reason = "the errors are the engine's, and its operations name them")]
impl Client {
    /// Whether there is an engine.
    pub fn ping(&self) -> Result<()> {
        self.act(Request::new(Method::Get, "/_ping"))
    }

    /// Versions of engine and host.
    pub fn version(&self) -> Result<Version> {
        self.json(Request::new(Method::Get, "/version"))
    }

    /// Facts about the engine and its host.
    pub fn info(&self) -> Result<Info> {
        self.json(Request::new(Method::Get, "/info"))
    }

    /// What happens; lines of [`crate::types::Event`].
    pub fn events(&self, options: &EventOptions) -> Result<Box<dyn Read + Send>> {
        let mut request = Request::new(Method::Get, "/events");
        request.query.add_some("since", options.since.as_ref());
        request.query.add_some("until", options.until.as_ref());
        request.query.add_filters(&options.filters);
        self.stream(request)
    }
}
