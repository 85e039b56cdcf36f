//! Who has which address and which name in a network: links whose text is the owner's id, made in one step.

use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};

use base::id::Id;
use base::lock::{Lock, Sharing};
use base::{Context, Error, Result, file};
use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::pool;
use super::record::{Network, Pool};
use crate::root::Root;
use crate::{Engine, layout};

impl Network {
    pub(super) fn folder(&self, name: &str) -> Result<OwnedFd> {
        file::make_directory_at(self.directory.as_fd(), name, 0o700)
    }

    /// Whose `address` is, as far as the link tells.
    pub(crate) fn owner_of(&self, address: IpAddr) -> Result<Option<Id>> {
        match rustix::fs::readlinkat(self.folder(layout::ADDRESSES)?, address.to_string(), Vec::new()) {
            Ok(target) => Ok(target.to_str().ok().and_then(|text| text.parse().ok())),
            Err(Errno::NOENT | Errno::INVAL) => Ok(None),
            Err(errno) => Err(errno).with_context(|| format!("read who has {address}")),
        }
    }

    /// All addresses that somebody has.
    pub(crate) fn owned(&self) -> Result<Vec<(IpAddr, Id)>> {
        let folder = self.folder(layout::ADDRESSES)?;
        let mut owned = Vec::new();
        for entry in rustix::fs::Dir::read_from(&folder).context("list the addresses of a network")? {
            let entry = entry.context("list the addresses of a network")?;
            if let Some(address) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok())
                && let Some(owner) = self.owner_of(address)?
            {
                owned.push((address, owner));
            }
        }
        Ok(owned)
    }

    /// Gives `address` back, where it is `owner`'s.
    pub(super) fn release(&self, address: IpAddr, owner: &Id) -> Result<()> {
        if self.owner_of(address)?.as_ref() != Some(owner) {
            return Ok(());
        }
        unlink(&self.folder(layout::REVERSE)?, &address.to_string())?;
        unlink(&self.folder(layout::ADDRESSES)?, &address.to_string())
    }

    /// Lets `name` mean `addresses` of `owner`, beside others that have the name.
    pub(super) fn add_name(&self, name: &str, owner: &Id, addresses: &str) -> Result<()> {
        let names = self.folder(layout::NAMES)?;
        loop {
            let folder = file::make_directory_at(names.as_fd(), &name.to_ascii_lowercase(), 0o700)?;
            unlink(&folder, owner.as_str())?;
            match rustix::fs::symlinkat(addresses, &folder, owner.as_str()) {
                // Its last owner has just left, and the folder with it.
                Err(Errno::NOENT) => {}
                made => return made.with_context(|| format!("give the name {name}")),
            }
        }
    }

    /// Takes `name` from `owner`.
    pub(super) fn remove_name(&self, name: &str, owner: &Id) -> Result<()> {
        let names = self.folder(layout::NAMES)?;
        let name = name.to_ascii_lowercase();
        match file::open_directory_at(names.as_fd(), &name) {
            Ok(folder) => unlink(&folder, owner.as_str())?,
            Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error),
        }
        match rustix::fs::unlinkat(&names, &*name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            Err(errno) => Err(errno).with_context(|| format!("take back the name {name}")),
        }
    }

    /// Lets `address` be called `name` by who asks the other way round.
    pub(super) fn add_reverse(&self, address: IpAddr, name: &str) -> Result<()> {
        let folder = self.folder(layout::REVERSE)?;
        unlink(&folder, &address.to_string())?;
        rustix::fs::symlinkat(name, &folder, address.to_string()).context("name an address")
    }
}

fn unlink(folder: &OwnedFd, name: &str) -> Result<()> {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno).with_context(|| format!("remove {name}")),
    }
}

impl Engine {
    /// Takes an address of each of the network's families for `container`, whose lock is held: those in `wanted`, or the next free ones. `note` hears of them before
    /// they are taken, so that whoever finds the container killed in between knows what to take back.
    ///
    /// # Errors
    /// `Denied` in Docker's words for one that another container has; `Invalid` for one outside of the network; `Exhausted` when none is free.
    pub(super) fn take_addresses(
        &self,
        network: &Network,
        container: &Id,
        wanted: &[IpAddr],
        note: impl FnOnce(&[IpAddr]) -> Result<()>,
    ) -> Result<()> {
        let _lock = Lock::acquire(network.directory.as_fd(), layout::LOCK, Sharing::Exclusive)?;
        for address in wanted {
            if !network.record.pools.iter().any(|pool| pool::is_host(pool.subnet, *address)) {
                return Err(Error::invalid(format!(
                    "invalid address {address}: it is not in a subnet of network {}",
                    network.record.name
                )));
            }
        }
        let last = file::read_bounded(network.directory.as_fd(), layout::LAST, 256)?.unwrap_or_default();
        let last: Vec<IpAddr> =
            String::from_utf8_lossy(&last).split_whitespace().filter_map(|text| text.parse().ok()).collect();
        let mut chosen = Vec::new();
        for pool in &network.record.pools {
            let of_pool =
                |addresses: &[IpAddr]| addresses.iter().copied().find(|address| pool.subnet.contains(address));
            chosen.push(match of_pool(wanted) {
                Some(address) => self.choose_wanted(network, pool, container, address)?,
                None => self.choose_next(network, pool, of_pool(&last))?,
            });
        }
        note(&chosen)?;
        base::crash_point!("network.address-noted");
        for address in &chosen {
            if !link(&self.root, network, container, *address)? {
                return Err(in_use(network, *address));
            }
        }
        let text: Vec<String> = chosen.iter().map(ToString::to_string).collect();
        file::replace(network.directory.as_fd(), layout::LAST, text.join("\n").as_bytes(), file::Durability::Lazy)?;
        base::crash_point!("network.address-taken");
        Ok(())
    }

    fn choose_wanted(&self, network: &Network, pool: &Pool, container: &Id, address: IpAddr) -> Result<IpAddr> {
        let is_reserved = pool.gateway == Some(address) || pool.reserved.values().any(|reserved| *reserved == address);
        let is_taken = match network.owner_of(address)? {
            Some(owner) => owner != *container && !is_stale(&self.root, network, address, &owner)?,
            None => false,
        };
        if is_reserved || is_taken { Err(in_use(network, address)) } else { Ok(address) }
    }

    fn choose_next(&self, network: &Network, pool: &Pool, last: Option<IpAddr>) -> Result<IpAddr> {
        let folder = network.folder(layout::ADDRESSES)?;
        let is_there = |address: IpAddr| {
            !matches!(rustix::fs::statat(&folder, address.to_string(), AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT))
        };
        match pool::next(pool, last, is_there) {
            Ok(address) => Ok(address),
            Err(error) => {
                // What the dead have left is as good as free.
                for (address, owner) in network.owned()? {
                    if pool.subnet.contains(&address) && is_stale(&self.root, network, address, &owner)? {
                        return Ok(address);
                    }
                }
                Err(error.context(format!("network {}", network.record.name)))
            }
        }
    }
}

fn in_use(network: &Network, address: IpAddr) -> Error {
    Error::denied(format!("Address already in use: {address} in network {}", network.record.name))
}

/// Takes `address`, also from an owner of whom nothing is left; `false` when somebody has it.
fn link(root: &Root, network: &Network, container: &Id, address: IpAddr) -> Result<bool> {
    let folder = network.folder(layout::ADDRESSES)?;
    for _ in 0..2 {
        match rustix::fs::symlinkat(container.as_str(), &folder, address.to_string()) {
            Ok(()) => return Ok(true),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno).context("take an address"),
        }
        match network.owner_of(address)? {
            Some(owner) if owner == *container => return Ok(true),
            Some(owner) if !is_stale(root, network, address, &owner)? => return Ok(false),
            _ => unlink(&folder, &address.to_string())?,
        }
    }
    Ok(false)
}

/// Whether nothing of `owner` uses `address` any more: it is gone, neither runs nor is being started, or runs with another address since.
pub(super) fn is_stale(root: &Root, network: &Network, address: IpAddr, owner: &Id) -> Result<bool> {
    let Some(container) = root.load(owner)? else { return Ok(root.container_directory(owner)?.is_none()) };
    if Lock::is_held(container.directory(), layout::LOCK)? {
        return Ok(false);
    }
    if !Lock::is_held(container.directory(), layout::ALIVE)? {
        return Ok(true);
    }
    let sandbox = container.sandbox()?;
    let endpoint = sandbox.endpoints.iter().find(|endpoint| endpoint.network == network.record.id);
    Ok(endpoint.is_none_or(|endpoint| endpoint.addresses().all(|own| own != address)))
}
