//! Networks.

use base::Result;

use super::Client;
use crate::filters::Filters;
use crate::message::{Method, Request};
use crate::types::{Network, NetworkConnect, NetworkCreate, NetworkCreated, NetworkDisconnect, NetworkPrune};

/// Operations on networks. Each fails with `NotFound` without such a network.
#[allow(clippy::missing_errors_doc, reason = "the errors are the engine's, and its operations name them")]
impl Client {
    /// Lists networks by name.
    pub fn list_networks(&self, filters: &Filters) -> Result<Vec<Network>> {
        let mut request = Request::new(Method::Get, "/networks");
        request.query.add_filters(filters);
        self.json(request)
    }

    /// Makes a network.
    pub fn create_network(&self, body: &NetworkCreate) -> Result<NetworkCreated> {
        self.json(Request::new(Method::Post, "/networks/create").with_json(body)?)
    }

    /// Everything of a network, as the engine writes it.
    pub fn inspect_network_json(&self, name: &str) -> Result<Vec<u8>> {
        self.raw(&format!("/networks/{name}"))
    }

    /// Removes a network.
    pub fn remove_network(&self, name: &str) -> Result<()> {
        self.act(Request::new(Method::Delete, format!("/networks/{name}")))
    }

    /// Puts a container on a network.
    pub fn connect_network(&self, name: &str, body: &NetworkConnect) -> Result<()> {
        self.act(Request::new(Method::Post, format!("/networks/{name}/connect")).with_json(body)?)
    }

    /// Takes a container off a network.
    pub fn disconnect_network(&self, name: &str, body: &NetworkDisconnect) -> Result<()> {
        self.act(Request::new(Method::Post, format!("/networks/{name}/disconnect")).with_json(body)?)
    }

    /// Removes networks that no container is on.
    pub fn prune_networks(&self, filters: &Filters) -> Result<NetworkPrune> {
        let mut request = Request::new(Method::Post, "/networks/prune");
        request.query.add_filters(filters);
        self.json(request)
    }
}
