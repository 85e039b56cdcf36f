//! Shows a network and who is on it.

use std::collections::BTreeMap;

use base::Result;
use base::id::Id;
use ipnet::IpNet;
use network::IpVersion;

use super::NetworkRecord;
use crate::caller::Operation;
use crate::{Caller, Engine};

/// A network, completely.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkDetails {
    /// What it is.
    pub record: NetworkRecord,
    /// Containers that run on it, by id.
    pub members: BTreeMap<Id, NetworkMember>,
}

/// A container on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkMember {
    /// Its name.
    pub name: String,
    /// Docker's name for the pair of container and network.
    pub endpoint: String,
    /// Its hardware address there.
    pub hardware_address: [u8; 6],
    /// Its address, with the length of the network's prefix.
    pub ipv4: Option<IpNet>,
    /// The same.
    pub ipv6: Option<IpNet>,
}

impl Engine {
    /// Shows a network.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn inspect_network(&self, caller: &Caller, name: &str) -> Result<NetworkDetails> {
        caller.permit(Operation::Read, "inspect a network")?;
        let record = self.find_network(name)?;
        let mut members = BTreeMap::new();
        let owners = match self.root.network(&record.id)? {
            Some(network) => network.owned()?.into_iter().map(|(_, owner)| owner).collect(),
            None => std::collections::BTreeSet::new(),
        };
        for id in owners {
            let Some(container) = self.root.load(&id)? else { continue };
            let sandbox = container.sandbox()?;
            let Some(endpoint) = sandbox.endpoints.iter().find(|endpoint| endpoint.network == record.id) else {
                continue;
            };
            members.insert(
                id,
                NetworkMember {
                    name: container.name().to_owned(),
                    endpoint: endpoint.id.clone(),
                    hardware_address: endpoint.attachment.hardware_address,
                    ipv4: endpoint.address(IpVersion::V4),
                    ipv6: endpoint.address(IpVersion::V6),
                },
            );
        }
        Ok(NetworkDetails { record, members })
    }
}
