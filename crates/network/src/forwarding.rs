//! Whether the host forwards packets, and what must hold when berth makes it do so (`ip-sysctl` in the kernel's documentation).

use std::path::Path;

use base::{Context, Result};
use netlink_packet_route::route::RouteProtocol;

use crate::link;

const V4: &str = "/proc/sys/net/ipv4/ip_forward";
const V6: &str = "/proc/sys/net/ipv6/conf/all/forwarding";

/// Whether there is IPv6 in this namespace, and interfaces get it.
#[must_use]
pub fn has_ipv6() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv6/conf/all/disable_ipv6").is_ok_and(|text| text.trim() == "0")
}

/// Makes the host forward packets of IPv4; whether it did not before.
///
/// # Errors
/// When the kernel's setting cannot be written.
pub fn raise_v4() -> Result<bool> {
    raise(V4)
}

/// Makes the host forward packets of IPv6; whether it did not before. Interfaces that learned a default route from advertisements go on to listen to
/// them: the kernel would delete the route otherwise.
///
/// # Errors
/// When the kernel's setting cannot be written.
pub fn raise_v6() -> Result<bool> {
    if is_raised(V6)? {
        return Ok(false);
    }
    for interface in link::default_route_interfaces(RouteProtocol::Ra)? {
        let path = format!("/proc/sys/net/ipv6/conf/{interface}/accept_ra");
        if std::fs::read_to_string(&path).is_ok_and(|text| text.trim() == "1") {
            std::fs::write(&path, "2").with_context(|| format!("set {path} to 2"))?;
        }
    }
    raise(V6)
}

fn is_raised(path: &str) -> Result<bool> {
    Ok(std::fs::read_to_string(Path::new(path)).with_context(|| format!("read {path}"))?.trim() != "0")
}

fn raise(path: &str) -> Result<bool> {
    if is_raised(path)? {
        return Ok(false);
    }
    std::fs::write(path, "1").with_context(|| format!("set {path} to 1"))?;
    Ok(true)
}
