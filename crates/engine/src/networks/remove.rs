//! Removes networks that nobody uses.

use base::lock::Sharing;
use base::time::Timestamp;
use base::{Error, Result};

use super::address::is_stale;
use super::create::attributes;
use super::record::Network;
use crate::caller::Operation;
use crate::containers::Filter;
use crate::{Caller, Engine};

/// What `prune` knows to filter by.
const KEYS: &[&str] = &["label", "label!", "until"];

impl Engine {
    /// Removes a network; when this returns, nothing of it is left on the host.
    ///
    /// # Errors
    /// `Denied` in Docker's words for one that is always there, or that running containers are on.
    pub fn remove_network(&self, caller: &Caller, name: &str) -> Result<()> {
        caller.permit(Operation::Change, &format!("remove network {name}"))?;
        let record = self.find_network(name)?;
        if record.is_predefined() {
            return Err(Error::denied(format!("{} is a pre-defined network and cannot be removed", record.name)));
        }
        // Who has just ended may still be on it for a moment; whose lock is waited for may wait for ours.
        if let Some(network) = self.root.network(&record.id)? {
            network.owned()?.iter().try_for_each(|(_, owner)| self.await_leaving(owner))?;
        }
        let _networks = self.root.lock_networks(Sharing::Exclusive)?;
        self.clear_unfinished_networks()?;
        let Some(network) = self.root.network(&record.id)? else { return Err(super::record::no_such(name)) };
        if self.has_members(&network)? {
            return Err(Error::denied(format!(
                "error while removing network: network {} has active endpoints (disconnect or stop its containers first)",
                record.name
            )));
        }
        self.destroy_network(&network)?;
        self.record_event("network", "destroy", record.id.as_str(), attributes(&record));
        Ok(())
    }

    /// Removes every network that no container, running or not, is on, and returns the names. Keys of the filter: `label`, `until`.
    ///
    /// # Errors
    /// `Invalid` for an unknown filter.
    pub fn prune_networks(&self, caller: &Caller, filter: &Filter) -> Result<Vec<String>> {
        caller.permit(Operation::Change, "remove unused networks")?;
        filter.check_keys(KEYS)?;
        let until = filter.until(Timestamp::now())?;
        self.remove_idle_default_bridge()?;
        let used = self.networks_in_use()?;
        let mut removed = Vec::new();
        for record in self.all_networks()? {
            let is_wanted = !record.is_predefined()
                && !used.contains(&record.name)
                && filter.labels_pass(&record.labels)
                && until.is_none_or(|until| record.created < until);
            if !is_wanted {
                continue;
            }
            match self.remove_network(caller, record.id.as_str()) {
                Ok(()) => removed.push(record.name),
                // Somebody uses it since, or was faster.
                Err(error) if matches!(error.kind(), base::Kind::Denied | base::Kind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }

    /// The default bridge is made again when somebody needs it; without containers, nothing of it has to be on the host.
    fn remove_idle_default_bridge(&self) -> Result<()> {
        let _networks = self.root.lock_networks(Sharing::Exclusive)?;
        match self.root.network(&self.root.predefined_network(super::BRIDGE)?)? {
            Some(network) if !self.has_members(&network)? => self.destroy_network(&network),
            _ => Ok(()),
        }
    }

    /// Whether a container that is alive has an address there.
    fn has_members(&self, network: &Network) -> Result<bool> {
        for (address, owner) in network.owned()? {
            if !is_stale(&self.root, network, address, &owner)? {
                return Ok(true);
            }
            network.release(address, &owner)?;
        }
        Ok(false)
    }
}
