//! The OCI distribution protocol, as a synchronous client: authenticate, pull, push, mirror.
//!
//! A [`Client`] knows the registries ([`hosts::Hosts`]) and keeps connections; a [`Repository`] is one repository with one caller's
//! credentials and is shared between threads. Everything that a registry answers is bounded: headers, documents, errors, waits and repetitions.
//! Credentials go to the registry that they are for and to the token server that it names, and never follow a redirect to another host.
//!
//! It stores nothing, and it does not decide which image of an index is wanted. Blobs are delivered as they come: who reads one compares its digest.
#![forbid(unsafe_code)]

mod agent;
mod answer;
mod blob;
mod challenge;
mod client;
mod credentials;
mod endpoint;
mod exchange;
pub mod hosts;
mod manifest;
mod patience;
mod repository;
mod tags;
mod token;
mod upload;
mod url;

pub use blob::{Blob, recover};
pub use client::{Client, Options};
pub use credentials::Credentials;
pub use manifest::{Selector, ServedManifest};
pub use patience::{Patience, Wait};
pub use repository::{Repository, Waiting};
pub use upload::{BlobSource, Uploaded};

/// Private parsers, for the fuzz targets: each says whether it understood.
#[cfg(feature = "fuzz-targets")]
pub mod fuzzing {
    use crate::{challenge, hosts, url::Url};

    /// A `WWW-Authenticate` header.
    #[must_use]
    pub fn challenge(header: &str) -> bool {
        challenge::parse(header).is_ok_and(|challenges| !challenges.is_empty())
    }

    /// A `Location` header, and the address that it is relative to. An address that was understood stays on http and has a host.
    #[must_use]
    pub fn redirect(base: &str, location: &str) -> bool {
        let Ok(base) = Url::parse(base) else { return false };
        let Ok(resolved) = base.resolve(location) else { return false };
        assert!(matches!(resolved.scheme().name(), "http" | "https"));
        assert!(!resolved.host().is_empty());
        true
    }

    /// Files that name registries: containerd's `hosts.toml`, containers' `registries.conf`, Docker's `daemon.json`.
    #[must_use]
    pub fn hosts(text: &str) -> bool {
        let understood = [
            hosts::containerd::parse(text).is_ok(),
            hosts::containers::parse(text).is_ok(),
            hosts::docker::parse(text).is_ok(),
        ];
        understood.contains(&true)
    }
}
