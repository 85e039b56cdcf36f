//! Lets our tables forget a network, and removes them with the last one.

use base::Result;

use super::bring_up::entries;
use super::change::Entry;
use super::nftables::{self, Batch};
use super::ruleset::{BRIDGES, GUARDED, Place, ROUTED};
use super::set::{Set, Value};
use super::{Firewall, NetworkRules};
use crate::netlink::Socket;

impl Firewall {
    /// Removes what [`Firewall::bring_up`] made for the network, and our tables when it was the last one. What is not there is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn take_down(&self, network: &NetworkRules) -> Result<()> {
        let (mut ours, others) = entries(network);
        ours.extend(others);
        // The guard is not this network's alone.
        ours.retain(|entry| entry.set.name != GUARDED.name);
        let name = Value::interface(&network.bridge);
        self.settle(&format!("let the packet filter forget {}", network.bridge), |socket, batch| {
            let mut rest = ours.clone();
            if self.is_last(socket, (Place::Main, BRIDGES), &name)? {
                self.remove_table(socket, batch, Place::Main)?;
                self.remove_table(socket, batch, Place::Bridge)?;
                rest.retain(|entry: &Entry| entry.place == Place::Router);
            }
            if self.is_last(socket, (Place::Router, ROUTED), &name)? {
                self.remove_table(socket, batch, Place::Router)?;
                rest.retain(|entry| entry.place != Place::Router);
            }
            self.withdraw(socket, batch, &rest)
        })
    }

    fn is_last(&self, socket: &mut Socket, (place, set): (Place, Set), name: &Value) -> Result<bool> {
        let elements = nftables::elements(socket, &place.table(&self.tag), &set)?;
        Ok(elements.iter().all(|element| element.key == *name))
    }

    fn remove_table(&self, socket: &mut Socket, batch: &mut Batch, place: Place) -> Result<()> {
        let table = place.table(&self.tag);
        if nftables::exists(socket, &table)? {
            batch.remove_table(&table);
        }
        Ok(())
    }
}
