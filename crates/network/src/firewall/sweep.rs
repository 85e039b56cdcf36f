//! Removes what dead owners left.

use std::collections::BTreeMap;

use base::Result;

use super::Firewall;
use super::change::Entry;
use super::nftables;
use super::ruleset::Place;

impl Firewall {
    /// Removes every element whose owner `is_dead`, who is asked once for each owner.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn sweep(&self, is_dead: impl Fn(&str) -> bool) -> Result<()> {
        let mut known = BTreeMap::new();
        self.settle("sweep the packet filter", |socket, batch| {
            let mut dead = Vec::new();
            for place in [Place::Main, Place::Bridge] {
                for set in place.sets() {
                    for element in nftables::elements(socket, &place.table(&self.tag), &set)? {
                        let Some(owner) = &element.owner else { continue };
                        if *known.entry(owner.clone()).or_insert_with(|| is_dead(owner)) {
                            dead.push(Entry { place, set, element });
                        }
                    }
                }
            }
            self.remove_all(batch, &dead);
            Ok(())
        })
    }
}
