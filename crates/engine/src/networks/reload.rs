//! Puts back what somebody took away: rules after another program has flushed them, bridges that were deleted by hand.

use base::{Kind, Result};
use network::firewall::Firewall;
use network::link;

use super::attach::attach_rules;
use super::record::{Driver, Network};
use crate::caller::Operation;
use crate::{Caller, Engine, layout};

impl Engine {
    /// Makes everything of all networks that containers are on anew, as far as it is missing: bridges, rules, and the rules of containers that run.
    ///
    /// # Errors
    /// What the kernel refuses; the others are made all the same.
    pub fn reload_networks(&self, caller: &Caller) -> Result<()> {
        caller.permit(Operation::Change, "reload the networks")?;
        let _machine = super::create::lock_machine()?;
        self.put_back_rules(&self.firewall())
    }

    /// The same for who has found something missing, and holds the lock on the network namespace.
    pub(super) fn put_back_rules(&self, firewall: &Firewall) -> Result<()> {
        let mut first = Ok(());
        for network in self.root.made_networks()? {
            if network.record.driver == Driver::Bridge {
                let put_back = self.bring_up_network(firewall, &network);
                first = first.and(put_back.and_then(|()| self.put_back_endpoints(firewall, &network)));
            }
        }
        first
    }

    fn put_back_endpoints(&self, firewall: &Firewall, network: &Network) -> Result<()> {
        for (address, owner) in network.owned()? {
            let Some(container) = self.root.load(&owner)? else { continue };
            if !base::lock::Lock::is_held(container.directory(), layout::ALIVE)? {
                continue;
            }
            for endpoint in &container.sandbox()?.endpoints {
                let is_this = endpoint.network == network.record.id && endpoint.addresses().next() == Some(address);
                if !is_this {
                    continue;
                }
                match link::rejoin(&endpoint.attachment).and_then(|()| attach_rules(firewall, &owner, endpoint)) {
                    // It ended meanwhile.
                    Err(error) if error.kind() == Kind::NotFound => {}
                    attached => attached?,
                }
            }
        }
        Ok(())
    }

    /// Removes from the packet filter what containers that died without anybody noticing have left there.
    pub(super) fn sweep_rules(&self, firewall: &Firewall) -> Result<()> {
        firewall.sweep(|owner| match owner.parse() {
            Ok(id) => match self.root.container_directory(&id) {
                Ok(Some(directory)) => {
                    let held = |name| base::lock::Lock::is_held(std::os::fd::AsFd::as_fd(&directory), name);
                    // Without an answer it is left alone.
                    !held(layout::ALIVE).unwrap_or(true) && !held(layout::LOCK).unwrap_or(true)
                }
                Ok(None) => true,
                Err(_) => false,
            },
            Err(_) => false,
        })
    }
}
