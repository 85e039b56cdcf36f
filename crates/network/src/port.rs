//! A published port.

use std::fmt::{self, Display};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// What has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// Its number in the IP header.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

impl Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// Ports of the host that lead to ports of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublishedPort {
    /// The host's address; `None`: every one, of both families.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_address: Option<IpAddr>,
    /// Of what.
    pub protocol: Protocol,
    /// The host's ports, not empty.
    pub host_ports: RangeInclusive<u16>,
    /// The container's port that the first one leads to; the others follow.
    pub container_port: u16,
}

impl PublishedPort {
    /// The container's ports; ends at 65535, where a range that is too long is torn.
    #[must_use]
    pub fn container_ports(&self) -> RangeInclusive<u16> {
        let more = self.host_ports.end().saturating_sub(*self.host_ports.start());
        self.container_port..=self.container_port.saturating_add(more)
    }
}

/// As `docker ps` shows it: `0.0.0.0:8080->80/tcp`.
impl Display for PublishedPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_address {
            None => formatter.write_str("0.0.0.0:")?,
            Some(IpAddr::V4(address)) => write!(formatter, "{address}:")?,
            Some(IpAddr::V6(address)) => write!(formatter, "[{address}]:")?,
        }
        ports(formatter, &self.host_ports)?;
        formatter.write_str("->")?;
        ports(formatter, &self.container_ports())?;
        write!(formatter, "/{}", self.protocol)
    }
}

fn ports(formatter: &mut fmt::Formatter<'_>, ports: &RangeInclusive<u16>) -> fmt::Result {
    match (ports.start(), ports.end()) {
        (first, last) if first == last => write!(formatter, "{first}"),
        (first, last) => write!(formatter, "{first}-{last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_as_docker_does() {
        let port = |address: Option<&str>, host_ports, container_port| PublishedPort {
            host_address: address.map(|address| address.parse().unwrap()),
            protocol: Protocol::Tcp,
            host_ports,
            container_port,
        };
        for (port, shown) in [
            (port(None, 8080..=8080, 80), "0.0.0.0:8080->80/tcp"),
            (port(Some("127.0.0.1"), 8080..=8081, 80), "127.0.0.1:8080-8081->80-81/tcp"),
            (port(Some("::1"), 1..=1, 1), "[::1]:1->1/tcp"),
        ] {
            assert_eq!(port.to_string(), shown);
            let text = serde_json::to_string(&port).unwrap();
            assert_eq!(serde_json::from_str::<PublishedPort>(&text).unwrap(), port);
        }
    }
}
