//! A container's end of a network.

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use base::{Error, Result};
use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoKind, InfoMacVlan, InfoVeth, LinkAttribute, LinkFlags, MacVlanMode,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{Link, look, message};
use crate::netlink::{Family, Refusal, Request, Socket};
use crate::{IpVersion, namespace};

/// Where the module `br_netfilter` is loaded, whether it is in force here.
const BRIDGED_IS_FILTERED: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/// How the container's interface is connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A pair, whose other end is a port of a bridge.
    Bridge {
        /// The bridge.
        bridge: String,
        /// The host's end.
        port: String,
        /// Whether other isolated ports of the bridge are out of reach (Linux 4.18).
        isolated: bool,
    },
    /// An interface of its own on top of one of the host's.
    Macvlan {
        /// The host's.
        parent: String,
        /// Whom it reaches.
        mode: MacvlanMode,
    },
}

/// Whom a macvlan interface reaches beside the parent's neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MacvlanMode {
    /// Others on the same parent.
    #[default]
    Bridge,
    /// Nobody.
    Private,
}

/// Default routes of a container; `None`: by another network, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateways {
    /// Of IPv4.
    pub v4: Option<IpAddr>,
    /// Of IPv6.
    pub v6: Option<IpAddr>,
}

impl Gateways {
    /// That of one version.
    #[must_use]
    pub fn of(&self, version: IpVersion) -> Option<IpAddr> {
        match version {
            IpVersion::V4 => self.v4,
            IpVersion::V6 => self.v6,
        }
    }

    /// Makes `gateway` that of one version; `None`: another network leads out.
    pub fn set(&mut self, version: IpVersion, gateway: Option<IpAddr>) {
        match version {
            IpVersion::V4 => self.v4 = gateway,
            IpVersion::V6 => self.v6 = gateway,
        }
    }
}

/// What a container gets of one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// How.
    pub kind: Kind,
    /// The interface's name in the container.
    pub interface: String,
    /// Its hardware address.
    pub hardware_address: [u8; 6],
    /// Its maximum transmission unit, in bytes; 0: that of the bridge or the parent.
    pub mtu: u32,
    /// Its addresses, with the length of the network's prefix.
    pub addresses: Vec<IpNet>,
    /// Default routes by it.
    pub gateways: Gateways,
}

/// Puts an interface into the namespace of a container; [`configure`] does the rest there. A bridge that is not `known` is looked for.
///
/// # Errors
/// `NotFound` when the bridge or the parent is not there; `Conflict` when the host has an interface of the port's name. Nothing is left then.
pub fn attach(attachment: &Attachment, known: Option<Link>, container: BorrowedFd<'_>) -> Result<()> {
    let mut socket = Socket::open(Family::Route)?;
    match &attachment.kind {
        Kind::Bridge { bridge, port, isolated } => {
            let found = known.map_or_else(|| look::find_by(&mut socket, bridge), |link| Ok(Some(link)))?;
            let controller = found
                .ok_or_else(|| Error::not_found(format!("the bridge {bridge} is gone: start again, which makes it")))?;
            let mtu = if attachment.mtu == 0 { controller.mtu } else { attachment.mtu };
            let attachment = Attachment { mtu, ..attachment.clone() };
            make_pair(&mut socket, &attachment, (port, controller.index, *isolated), container)?;
        }
        Kind::Macvlan { parent, mode } => {
            let link = look::find_by(&mut socket, parent)?
                .ok_or_else(|| Error::not_found(format!("the parent interface {parent} does not exist")))?;
            let mtu = if attachment.mtu == 0 { link.mtu } else { attachment.mtu };
            let attachment = Attachment { mtu, ..attachment.clone() };
            make_macvlan(&mut socket, &attachment, (link.index, *mode), container)?;
        }
    }
    base::crash_point!("network.link-made");
    Ok(())
}

/// Makes the pair with its ends in place.
fn make_pair(
    socket: &mut Socket,
    attachment: &Attachment,
    (port, controller, isolated): (&str, u32, bool),
    container: BorrowedFd<'_>,
) -> Result<()> {
    let peer = message::link_message(inner_attributes(attachment, container));
    let mut attributes = vec![
        LinkAttribute::IfName(port.to_owned()),
        LinkAttribute::Mtu(attachment.mtu),
        LinkAttribute::Controller(controller),
    ];
    attributes.push(message::info(InfoKind::Veth, Some(InfoData::Veth(InfoVeth::Peer(peer)))));
    let mut requests = vec![message::new_link(attributes, LinkFlags::Up)];
    requests.extend(port_settings(port, isolated.then_some(InfoBridgePort::Isolated(true))));
    match socket.batch(&requests)? {
        Ok(()) => Ok(()),
        Err(refusal) if refusal.index > 0 => {
            let _ = super::remove(port);
            Err(refused("set up", port, refusal))
        }
        Err(refusal) => Err(refused("make", port, refusal)),
    }
}

/// What differs from a new port of a bridge.
///
/// A container that reaches itself by its own published port sends frames back to where they come from. By routing that works in any case; where the host hands
/// bridged packets to its packet filter, they are translated on the bridge, which drops them without hairpin mode. Elsewhere it stays off: it sends a container its own
/// search for duplicate addresses.
fn port_settings(port: &str, isolation: Option<InfoBridgePort>) -> Option<Request> {
    let mut settings: Vec<_> = isolation.into_iter().collect();
    if std::fs::read(BRIDGED_IS_FILTERED).is_ok_and(|text| text.starts_with(b"1")) {
        settings.push(InfoBridgePort::HairpinMode(true));
    }
    if settings.is_empty() { None } else { Some(message::change_port(port, settings)) }
}

fn make_macvlan(
    socket: &mut Socket,
    attachment: &Attachment,
    (parent, mode): (u32, MacvlanMode),
    container: BorrowedFd<'_>,
) -> Result<()> {
    let mode = match mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Private => MacVlanMode::Private,
    };
    let mut attributes = inner_attributes(attachment, container);
    attributes.push(LinkAttribute::Link(parent));
    attributes.push(message::info(InfoKind::MacVlan, Some(InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)]))));
    socket
        .batch(&[message::new_link(attributes, LinkFlags::empty())])?
        .map_err(|refusal| refused("make", &attachment.interface, refusal))
}

fn inner_attributes(attachment: &Attachment, container: BorrowedFd<'_>) -> Vec<LinkAttribute> {
    vec![
        LinkAttribute::IfName(attachment.interface.clone()),
        LinkAttribute::Address(attachment.hardware_address.to_vec()),
        LinkAttribute::Mtu(attachment.mtu),
        LinkAttribute::NetNsFd(container.as_raw_fd()),
    ]
}

fn refused(action: &str, interface: &str, refusal: Refusal) -> Error {
    let errno = refusal.errno;
    let error = refusal.into_error(&format!("{action} the interface {interface}"));
    match errno {
        Errno::EXIST => error.with_kind(base::Kind::Conflict),
        Errno::OPNOTSUPP => error.with_kind(base::Kind::Unsupported),
        _ => error,
    }
}

/// In the container's namespace, which is this thread's: addresses, up, routes, in one batch.
///
/// # Errors
/// When the kernel refuses.
pub fn configure(attachment: &Attachment) -> Result<()> {
    let mut socket = Socket::open(Family::Route)?;
    let interface = &attachment.interface;
    let link = look::find_by(&mut socket, interface)?
        .ok_or_else(|| Error::internal(format!("the interface {interface} did not arrive in the container")))?;
    let mut requests: Vec<_> =
        attachment.addresses.iter().map(|address| message::new_address(link.index, *address)).collect();
    requests.push(message::change_link(link.index, Vec::new(), Some(true)));
    let gateways = [attachment.gateways.v4, attachment.gateways.v6];
    requests.extend(gateways.into_iter().flatten().map(|gateway| message::default_route(link.index, gateway)));
    socket.batch(&requests)?.map_err(|refusal| refusal.into_error(&format!("set up {interface} in the container")))
}

/// Puts the host's end back on its bridge, which was made anew.
///
/// # Errors
/// When the kernel refuses; an end that is not there is no error.
pub fn rejoin(attachment: &Attachment) -> Result<()> {
    let Kind::Bridge { bridge, port, isolated } = &attachment.kind else { return Ok(()) };
    let mut socket = Socket::open(Family::Route)?;
    let (Some(controller), Some(link)) = (look::find_by(&mut socket, bridge)?, look::find_by(&mut socket, port)?)
    else {
        return Ok(());
    };
    if link.controller == controller.index {
        return Ok(());
    }
    let mut requests =
        vec![message::change_link(link.index, vec![LinkAttribute::Controller(controller.index)], Some(true))];
    requests.extend(port_settings(port, isolated.then_some(InfoBridgePort::Isolated(true))));
    socket.batch(&requests)?.map_err(|refusal| refused("put back", port, refusal))
}

/// Takes the container off the network at once: the host's end goes down before the address is given to somebody else.
///
/// The pair itself goes with the container's namespace, or, where the container goes on to live, with `container`.
///
/// # Errors
/// When the kernel refuses; what is not there is no error.
pub fn detach(attachment: &Attachment, container: Option<BorrowedFd<'_>>) -> Result<()> {
    if let Kind::Bridge { port, .. } = &attachment.kind {
        let mut socket = Socket::open(Family::Route)?;
        let down = message::change_link(0, vec![LinkAttribute::IfName(port.clone())], Some(false));
        match socket.batch(&[down])? {
            Err(refusal) if refusal.errno != Errno::NODEV => return Err(refused("take down", port, refusal)),
            _ => {}
        }
    }
    match container {
        Some(container) => namespace::within(container, || super::remove(&attachment.interface)),
        None => Ok(()),
    }
}

/// Makes the default routes of a container those of `attachment`, or takes them away where it has none.
///
/// # Errors
/// When the kernel refuses.
pub fn route_by(attachment: &Attachment, container: BorrowedFd<'_>) -> Result<()> {
    namespace::within(container, || {
        let mut socket = Socket::open(Family::Route)?;
        let Some(link) = look::find_by(&mut socket, &attachment.interface)? else { return Ok(()) };
        let families = [(attachment.gateways.v4, AddressFamily::Inet), (attachment.gateways.v6, AddressFamily::Inet6)];
        let requests: Vec<_> = families
            .into_iter()
            .map(|(gateway, family)| match gateway {
                Some(gateway) => message::default_route(link.index, gateway),
                None => message::no_default_route(link.index, family),
            })
            .collect();
        for refusal in socket.each(&requests)? {
            if !matches!(refusal.errno, Errno::SRCH | Errno::AFNOSUPPORT) {
                return Err(refusal.into_error("change the container's default route"));
            }
        }
        Ok(())
    })
}

/// The link-local address that the kernel derives from a hardware address (RFC 4291, appendix A).
#[must_use]
pub fn link_local(hardware_address: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = hardware_address;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}
