//! From `-p`, `-P` and their like to the ports that are asked of the kernel.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use base::{Error, Result};
use network::lease::PortRequest;
use network::port::Protocol;

use crate::containers::{NetworkMode, PortBinding, Settings};

/// So many ports in a row, on the same numbers in the container, are one rule. Fewer are cheaper one by one.
const ROW: usize = 16;

/// Checks what is published and exposed.
///
/// # Errors
/// `Invalid` for what is no port or no address.
pub fn check(settings: &Settings) -> Result<()> {
    for port in &settings.exposed_ports {
        parse(port)?;
    }
    requests(settings, None).map(|_| ())
}

/// The ports that a start asks for; `default_address` is the host's address where a binding names none.
///
/// # Errors
/// As [`check`].
pub fn requests(settings: &Settings, default_address: Option<IpAddr>) -> Result<Vec<PortRequest>> {
    if matches!(settings.network, NetworkMode::Host | NetworkMode::None | NetworkMode::Container(_)) {
        return Ok(Vec::new());
    }
    let mut requests = Vec::new();
    for (port, bindings) in &settings.published_ports {
        let (container, protocol) = parse(port)?;
        for binding in bindings {
            requests.extend(expand(&container, protocol, binding, default_address)?);
        }
    }
    if settings.publish_all_ports {
        for port in &settings.exposed_ports {
            let (container, protocol) = parse(port)?;
            let is_published = |port: &u16| {
                requests
                    .iter()
                    .any(|request: &PortRequest| request.protocol == protocol && request.container_port == *port)
            };
            let missing: Vec<u16> = container.filter(|port| !is_published(port)).collect();
            requests.extend(missing.into_iter().map(|port| chosen_by_kernel(default_address, protocol, port)));
        }
    }
    Ok(join_rows(requests))
}

fn chosen_by_kernel(host_address: Option<IpAddr>, protocol: Protocol, container_port: u16) -> PortRequest {
    PortRequest { host_address, protocol, candidates: 0..=0, count: 1, container_port }
}

/// `80`, `80/tcp`, `8000-8010/udp`.
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse(text: &str) -> Result<(RangeInclusive<u16>, Protocol)> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        other => return Err(Error::invalid(format!("invalid proto: {other} in {text:?}: use tcp, udp or sctp"))),
    };
    let range = range(ports)?;
    if *range.start() == 0 {
        return Err(Error::invalid(format!("invalid port {text:?}: a container's port is from 1 to 65535")));
    }
    Ok((range, protocol))
}

fn range(text: &str) -> Result<RangeInclusive<u16>> {
    let refuse =
        || Error::invalid(format!("invalid port {text:?}: a port is a number up to 65535, or a range of them"));
    let number = |text: &str| {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| text.parse::<u16>().ok()).flatten().ok_or_else(refuse)
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    if first > last { Err(refuse()) } else { Ok(first..=last) }
}

fn expand(
    container: &RangeInclusive<u16>,
    protocol: Protocol,
    binding: &PortBinding,
    default_address: Option<IpAddr>,
) -> Result<Vec<PortRequest>> {
    let host_address = address(&binding.host_address)?.or(default_address);
    let count = container.end() - container.start();
    if matches!(binding.host_port.as_str(), "" | "0") {
        return Ok(container.clone().map(|port| chosen_by_kernel(host_address, protocol, port)).collect());
    }
    let host = range(&binding.host_port)?;
    let host_count = host.end() - host.start();
    if *host.start() == 0 {
        return Err(Error::invalid(format!("invalid host port {:?}: a range begins at 1", binding.host_port)));
    }
    if host_count == count {
        let pairs = host.zip(container.clone());
        let request = |(host, container_port): (u16, u16)| PortRequest {
            host_address,
            protocol,
            candidates: host..=host,
            count: 1,
            container_port,
        };
        return Ok(pairs.map(request).collect());
    }
    // The first free one of several.
    if count == 0 {
        return Ok(vec![PortRequest {
            host_address,
            protocol,
            candidates: host,
            count: 1,
            container_port: *container.start(),
        }]);
    }
    Err(Error::invalid(format!(
        "invalid ranges specified for container and host Ports: {}-{} and {}",
        container.start(),
        container.end(),
        binding.host_port
    )))
}

/// An address of the host; `None` for all of them, of both families.
fn address(text: &str) -> Result<Option<IpAddr>> {
    let plain = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    if plain.is_empty() {
        return Ok(None);
    }
    let address: IpAddr = plain.parse().map_err(|_| {
        Error::invalid(format!("invalid IP address: {text}: use an address, with brackets around one of IPv6"))
    })?;
    Ok(Some(address))
}

/// Makes one request of many whose numbers follow each other and are not shifted.
fn join_rows(mut requests: Vec<PortRequest>) -> Vec<PortRequest> {
    requests.sort_by_key(|request| {
        (request.protocol, request.host_address, *request.candidates.start(), request.container_port)
    });
    requests.dedup();
    let mut joined: Vec<PortRequest> = Vec::new();
    let mut row: Vec<PortRequest> = Vec::new();
    for request in requests {
        let follows = row.last().is_some_and(|last| {
            is_straight(&request)
                && last.protocol == request.protocol
                && last.host_address == request.host_address
                && last.container_port.checked_add(1) == Some(request.container_port)
        });
        if !follows {
            end_row(&mut row, &mut joined);
        }
        if is_straight(&request) { row.push(request) } else { joined.push(request) }
    }
    end_row(&mut row, &mut joined);
    joined
}

fn is_straight(request: &PortRequest) -> bool {
    request.candidates == (request.container_port..=request.container_port)
}

fn end_row(row: &mut Vec<PortRequest>, joined: &mut Vec<PortRequest>) {
    if row.len() < ROW {
        joined.append(row);
        return;
    }
    let count = u16::try_from(row.len()).unwrap_or(u16::MAX);
    if let (Some(first), Some(last)) = (row.first().cloned(), row.last()) {
        joined.push(PortRequest { candidates: first.container_port..=last.container_port, count, ..first });
    }
    row.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(ports: &[(&str, &str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (port, address, host) in ports {
            let binding = PortBinding { host_address: (*address).to_owned(), host_port: (*host).to_owned() };
            settings.published_ports.entry((*port).to_owned()).or_default().push(binding);
        }
        settings
    }

    fn shown(ports: &[(&str, &str, &str)]) -> Vec<String> {
        let requests = requests(&settings(ports), None).unwrap();
        let show = |request: PortRequest| {
            let address = request.host_address.map_or("*".to_owned(), |address| address.to_string());
            let (low, high) = (request.candidates.start(), request.candidates.end());
            format!("{address}:{low}-{high}x{}->{}/{}", request.count, request.container_port, request.protocol)
        };
        requests.into_iter().map(show).collect()
    }

    #[test]
    fn bindings() {
        assert_eq!(shown(&[("80/tcp", "", "8080")]), ["*:8080-8080x1->80/tcp"]);
        assert_eq!(shown(&[("80", "0.0.0.0", "")]), ["0.0.0.0:0-0x1->80/tcp"]);
        assert_eq!(shown(&[("53/udp", "127.0.0.1", "53")]), ["127.0.0.1:53-53x1->53/udp"]);
        assert_eq!(shown(&[("53/udp", "[::1]", "53")]), ["::1:53-53x1->53/udp"]);
        assert_eq!(shown(&[("80/tcp", "", "8000-8005")]), ["*:8000-8005x1->80/tcp"]);
        assert_eq!(shown(&[("80-81/tcp", "", "90-91")]), ["*:90-90x1->80/tcp", "*:91-91x1->81/tcp"]);
        assert_eq!(shown(&[("1000-1999/tcp", "", "1000-1999")]), ["*:1000-1999x1000->1000/tcp"]);
    }

    #[test]
    fn rows_of_single_ports_are_joined() {
        let texts: Vec<(String, String)> = (7000..7100).map(|port| (format!("{port}/tcp"), port.to_string())).collect();
        let ports: Vec<(&str, &str, &str)> =
            texts.iter().map(|(port, host)| (port.as_str(), "", host.as_str())).collect();
        assert_eq!(shown(&ports), ["*:7000-7099x100->7000/tcp"]);
        assert_eq!(shown(&ports[..3]).len(), 3);
    }

    #[test]
    fn all_exposed_ports() {
        let mut settings = settings(&[("80/tcp", "", "8080")]);
        settings.exposed_ports = ["80/tcp", "443/tcp"].map(str::to_owned).into();
        settings.publish_all_ports = true;
        let ports: Vec<u16> = requests(&settings, None).unwrap().iter().map(|request| request.container_port).collect();
        assert_eq!(ports, [443, 80]);
        settings.network = NetworkMode::Host;
        assert!(requests(&settings, None).unwrap().is_empty());
    }

    #[test]
    fn what_is_refused() {
        let wrong = [
            ("70000/tcp", "", "80"),
            ("0/tcp", "", "80"),
            ("80/icmp", "", "80"),
            ("80/tcp", "", "70000"),
            ("80/tcp", "", "90-80"),
            ("80/tcp", "300.0.0.1", "80"),
            ("80/tcp", "[::1", "80"),
            ("80-82/tcp", "", "80-81"),
            ("-1/tcp", "", ""),
        ];
        for (port, address, host) in wrong {
            assert!(requests(&settings(&[(port, address, host)]), None).is_err(), "{port} {address} {host}");
        }
    }
}
