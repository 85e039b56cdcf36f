//! The client: what all repositories share.

use crate::agent::{Agents, Trust};
use crate::credentials::Credentials;
use crate::hosts::Hosts;
use crate::patience::Patience;
use crate::repository::Repository;
use crate::url::Url;
use base::Result;
use oci::reference::Reference;
use std::sync::Arc;

/// How a client behaves.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What is known about registries.
    pub hosts: Hosts,
    /// How long it waits and how often it tries.
    pub patience: Patience,
    /// The `User-Agent`.
    pub user_agent: String,
}

/// Speaks to registries. Cheap to clone; connections are shared between clones and threads.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) agents: Agents,
}

impl Client {
    /// A client that has connected to nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { shared: Arc::new(Shared { options, agents: Agents::new() }) }
    }

    /// The repository of `reference`, for a caller with these credentials. Nothing is sent yet.
    ///
    /// The credentials are for the reference's registry: neither its mirrors nor an address that is asked in its place get them.
    ///
    /// # Errors
    /// `Denied` for a registry that is blocked, `Invalid` for one whose configuration names no server.
    pub fn repository(&self, reference: &Reference, credentials: Option<Credentials>) -> Result<Repository<'static>> {
        let endpoints = self.shared.options.hosts.endpoints(reference.registry(), reference.repository())?;
        Ok(Repository::new(self.shared.clone(), reference.familiar_name(), endpoints, credentials))
    }
}

impl Shared {
    /// How the TLS of `url` is judged, which `endpoint` has named: by what is known of its host, and by the endpoint's own authorities.
    pub(crate) fn trust_of(&self, url: &Url, endpoint: &crate::endpoint::Endpoint) -> Trust {
        if url.authority() == endpoint.authority {
            return endpoint.trust();
        }
        let mut other = self.options.hosts.direct(url.authority(), "");
        other.authorities.extend(endpoint.authorities.iter().cloned());
        let is_same_host = crate::url::split_authority(&endpoint.authority).is_some_and(|(host, _)| host == url.host());
        if is_same_host {
            other.identity = other.identity.or_else(|| endpoint.identity.clone());
            other.skip_verify |= endpoint.skip_verify;
            other.insecure |= endpoint.insecure;
        }
        other.trust()
    }
}
