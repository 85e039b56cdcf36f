//! Lists networks.

use base::Result;

use super::NetworkRecord;
use crate::caller::Operation;
use crate::containers::{Filter, NetworkMode, filter};
use crate::{Caller, Engine};

/// The keys of a list.
const KEYS: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];

impl Engine {
    /// Lists networks by name. Keys of the filter: `dangling`, `driver`, `id`, `label`, `name`, `scope`, `type`.
    ///
    /// # Errors
    /// `Invalid` for an unknown filter.
    pub fn list_networks(&self, caller: &Caller, filter: &Filter) -> Result<Vec<NetworkRecord>> {
        caller.permit(Operation::Read, "list networks")?;
        filter.check_keys(KEYS)?;
        let dangling = filter.truth("dangling")?;
        let (names, ids) = (filter::patterns(filter.get("name"))?, filter.get("id"));
        let mut networks = self.all_networks()?;
        networks.retain(|network| {
            let given = |key: &str, value: &str| {
                let wanted = filter.get(key);
                wanted.is_empty() || wanted.iter().any(|one| one == value)
            };
            (names.is_empty() || names.iter().any(|pattern| pattern.is_match(&network.name)))
                && (ids.is_empty() || ids.iter().any(|id| network.id.as_str().starts_with(id.as_str())))
                && given("driver", network.driver.name())
                && given("scope", "local")
                && given("type", if network.is_predefined() { "builtin" } else { "custom" })
                && filter.labels_pass(&network.labels)
        });
        if let Some(dangling) = dangling {
            let used = self.networks_in_use()?;
            networks.retain(|network| (!network.is_predefined() && !used.contains(&network.name)) == dangling);
        }
        Ok(networks)
    }

    /// Names of the networks that containers, also those that do not run, are on.
    pub(super) fn networks_in_use(&self) -> Result<std::collections::BTreeSet<String>> {
        let mut used = std::collections::BTreeSet::new();
        for id in self.root.container_ids()? {
            let Some(container) = self.root.load(&id)? else { continue };
            let settings = &container.record.settings;
            used.extend(Self::wanted_networks(settings).into_iter().map(|(name, _)| name));
            if matches!(settings.network, NetworkMode::Host | NetworkMode::None) {
                used.insert(settings.network.to_string());
            }
        }
        Ok(used)
    }
}
