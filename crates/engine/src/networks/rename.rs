//! Lets a container that runs be found by another name.

use base::Result;
use base::file::{self, Durability};

use super::Endpoint;
use crate::containers::record::Container;
use crate::{Engine, layout};

impl Engine {
    /// Makes the networks of `container`, whose lock is held, know it by `new` instead of `old`. Repeating it changes nothing.
    ///
    /// # Errors
    /// When a name cannot be given or taken back.
    pub(crate) fn rename_in_networks(&self, container: &Container, old: &str, new: &str) -> Result<()> {
        let (old, new) = (old.to_ascii_lowercase(), new.to_ascii_lowercase());
        let mut sandbox = container.sandbox()?;
        if old == new || !sandbox.endpoints.iter().any(|endpoint| endpoint.names.contains(&old)) {
            return Ok(());
        }
        // Who tears it down goes by these: it has both until the old one is gone.
        for endpoint in sandbox.endpoints.iter_mut().filter(|endpoint| endpoint.names.contains(&old)) {
            endpoint.names.retain(|name| *name != new);
            endpoint.names.insert(0, new.clone());
        }
        file::replace_json(container.directory(), layout::SANDBOX, &sandbox, Durability::Lazy)?;
        for endpoint in sandbox.endpoints.iter_mut().filter(|endpoint| endpoint.names.contains(&old)) {
            self.rename_endpoint(container, endpoint, (&old, &new))?;
            endpoint.names.retain(|name| *name != old);
        }
        file::replace_json(container.directory(), layout::SANDBOX, &sandbox, Durability::Lazy)
    }

    fn rename_endpoint(&self, container: &Container, endpoint: &Endpoint, (old, new): (&str, &str)) -> Result<()> {
        let Some(network) = self.root.network(&endpoint.network)? else { return Ok(()) };
        let mut own = Vec::new();
        for address in endpoint.addresses() {
            // One that has ended gets its names with its next start.
            if network.owner_of(address)?.as_ref() == Some(&container.id) {
                network.add_reverse(address, new)?;
                own.push(address.to_string());
            }
        }
        if !own.is_empty() {
            network.add_name(new, &container.id, &own.join(","))?;
        }
        network.remove_name(old, &container.id)
    }
}
