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
