//! The bridge of a network.

use std::net::IpAddr;

use base::{Context, Error, Result};
use ipnet::IpNet;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags};
use rustix::io::Errno;

use super::{look, message};
use crate::netlink::{Family, Socket};

/// A bridge that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Name of the interface.
    pub name: String,
    /// Whose it is: what its alias says.
    pub alias: String,
    /// Maximum transmission unit, in bytes.
    pub mtu: u32,
    /// Its hardware address: without one, it would change with the ports.
    pub hardware_address: [u8; 6],
    /// The host's own addresses there.
    pub addresses: Vec<IpNet>,
}

impl Bridge {
    /// Makes it, or mends what is there: when this returns, it is up and has its addresses. Repeating it changes nothing.
    ///
    /// # Errors
    /// `Conflict` when an interface of this name is not this bridge.
    pub fn bring_up(&self) -> Result<()> {
        let mut socket = Socket::open(Family::Route)?;
        if let Some(link) = look::find_by(&mut socket, &self.name)? {
            if link.alias != self.alias {
                return Err(Error::conflict(format!(
                    "the interface {} is not berth's: choose another name with -o com.docker.network.bridge.name",
                    self.name
                )));
            }
        } else {
            self.make(&mut socket)?;
        }
        let link = look::find_by(&mut socket, &self.name)?
            .ok_or_else(|| Error::unavailable(format!("the bridge {} has vanished", self.name)))?;
        self.set_sysctls()?;
        let mut requests = vec![message::change_link(link.index, vec![LinkAttribute::Mtu(self.mtu)], Some(true))];
        requests.extend(self.addresses.iter().map(|address| message::new_address(link.index, *address)));
        base::crash_point!("network.bridge-made");
        socket.batch(&requests)?.map_err(|refusal| refusal.into_error(&format!("set up the bridge {}", self.name)))
    }

    fn make(&self, socket: &mut Socket) -> Result<()> {
        let attributes = vec![
            LinkAttribute::IfName(self.name.clone()),
            LinkAttribute::IfAlias(self.alias.clone()),
            LinkAttribute::Address(self.hardware_address.to_vec()),
            message::info(InfoKind::Bridge, None),
        ];
        let made = socket.batch(&[message::new_link(attributes, LinkFlags::empty())])?;
        match made {
            Err(refusal) if refusal.errno == Errno::OPNOTSUPP => Err(Error::unsupported(
                "this kernel has no bridges: load the module bridge, or use --network host or none",
            )),
            // The alias is not taken at birth by every kernel.
            Ok(()) => {
                let alias = LinkAttribute::IfAlias(self.alias.clone());
                let name = LinkAttribute::IfName(self.name.clone());
                socket
                    .batch(&[message::change_link(0, vec![name, alias], None)])?
                    .map_err(|refusal| refusal.into_error(&format!("name the bridge {}", self.name)))
            }
            Err(refusal) => Err(refusal.into_error(&format!("make the bridge {}", self.name))),
        }
    }

    /// Published ports answer on 127.0.0.1, no neighbour makes the host's routes, and a network without IPv6 has none.
    fn set_sysctls(&self) -> Result<()> {
        set(4, &self.name, "route_localnet", "1")?;
        let has_v6 = self.addresses.iter().any(|address| matches!(address.addr(), IpAddr::V6(_)));
        let v6 = std::path::Path::new("/proc/sys/net/ipv6/conf").join(&self.name);
        if !v6.exists() {
            return if has_v6 {
                Err(Error::unsupported("this host has no IPv6: make the network without --ipv6"))
            } else {
                Ok(())
            };
        }
        set(6, &self.name, "accept_ra", "0")?;
        // No address of its own making is searched for duplicates, which would delay the first packets.
        set(6, &self.name, "accept_dad", "0")?;
        set(6, &self.name, "disable_ipv6", if has_v6 { "0" } else { "1" })
    }
}

fn set(version: u8, interface: &str, name: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/net/ipv{version}/conf/{interface}/{name}");
    std::fs::write(&path, value).with_context(|| format!("set {path} to {value}"))
}

/// Removes the interface `name`; one that is not there is no error.
///
/// # Errors
/// When the kernel keeps it.
pub fn remove(name: &str) -> Result<()> {
    let mut socket = Socket::open(Family::Route)?;
    match socket.batch(&[message::delete_link(name)])? {
        Err(refusal) if refusal.errno != Errno::NODEV => {
            Err(refusal.into_error(&format!("remove the interface {name}")))
        }
        _ => Ok(()),
    }
}
