//! `-p`, `--publish`, `--expose`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use api::types::{Empty, PortBinding, Set};
use base::{Error, Result};

/// What a container has, and where on the host it is reached.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Ports {
    pub(crate) exposed: Set,
    pub(crate) bindings: BTreeMap<String, Option<Vec<PortBinding>>>,
}

/// The ports that `publish` and `expose` name, in any of Docker's forms. What is published is exposed as well.
///
/// # Errors
/// `Invalid` for what is no port, no address or no range that fits.
pub(crate) fn ports(publish: &[&str], expose: &[&str]) -> Result<Ports> {
    let mut ports = Ports::default();
    for text in publish {
        let plain = if text.contains('=') { from_fields(text)? } else { (*text).to_owned() };
        publish_one(&plain, &mut ports)?;
    }
    for text in expose {
        if text.contains(':') {
            return Err(Error::invalid(format!("invalid port format for --expose: {text}")));
        }
        let (numbers, protocol) = protocol_of(text)?;
        let range = range(numbers)
            .map_err(|reason| Error::invalid(format!("invalid range format for --expose: {text}, error: {reason}")))?;
        ports.exposed.extend(range.map(|number| (format!("{number}/{protocol}"), Empty {})));
    }
    Ok(ports)
}

/// `target=80,published=8080,protocol=tcp` as `8080:80/tcp`.
fn from_fields(text: &str) -> Result<String> {
    let (mut target, mut published, mut protocol) = ("", "", "tcp");
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("target", value)) => target = value,
            Some(("published", value)) => published = value,
            Some(("protocol", value)) => protocol = value,
            Some(("mode", "host" | "ingress")) => {}
            Some((key, value)) if !key.is_empty() => {
                return Err(Error::invalid(format!(
                    "invalid publish option '{key}={value}' in '{text}': use target, published, protocol and mode=host"
                )));
            }
            _ => {
                return Err(Error::invalid(format!(
                    "invalid publish opts format (should be name=value but got '{field}')"
                )));
            }
        }
    }
    Ok(format!("{published}:{target}/{protocol}"))
}

fn publish_one(text: &str, ports: &mut Ports) -> Result<()> {
    let (places, protocol) = protocol_of(text)?;
    let (host_ip, host, container) = split(places, text)?;
    if container.is_empty() {
        return Err(Error::invalid(format!("no port specified: {text}<empty>")));
    }
    let wanted = range(container).map_err(|_| Error::invalid(format!("invalid containerPort: {container}")))?;
    let offered = match host {
        "" => None,
        host => Some(range(host).map_err(|_| Error::invalid(format!("invalid hostPort: {host}")))?),
    };
    let count = |range: &RangeInclusive<u16>| range.end() - range.start();
    let fits = |offered: &RangeInclusive<u16>| count(offered) == count(&wanted) || count(&wanted) == 0;
    if offered.as_ref().is_some_and(|offered| !fits(offered)) {
        return Err(Error::invalid(format!(
            "invalid ranges specified for container and host Ports: {container} and {host}"
        )));
    }
    let is_one_of_several = count(&wanted) == 0;
    for (offset, number) in wanted.enumerate() {
        let host_port = match &offered {
            None => String::new(),
            // The first that is free.
            Some(_) if is_one_of_several => host.to_owned(),
            Some(offered) => offered.clone().nth(offset).map(|port| port.to_string()).unwrap_or_default(),
        };
        let key = format!("{number}/{protocol}");
        ports.exposed.insert(key.clone(), Empty {});
        let binding = PortBinding { host_ip: host_ip.clone(), host_port };
        ports.bindings.entry(key).or_default().get_or_insert_default().push(binding);
    }
    Ok(())
}

/// `[[ip:]host:]container` in its three parts.
fn split<'a>(places: &'a str, text: &str) -> Result<(String, &'a str, &'a str)> {
    let Some((front, container)) = places.rsplit_once(':') else { return Ok((String::new(), "", places)) };
    let Some((address, host)) = front.rsplit_once(':') else { return Ok((String::new(), front, container)) };
    let invalid = || Error::invalid(format!("invalid IP address: {address}"));
    let inner = match address.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').ok_or_else(invalid)?,
        None if address.contains(':') => {
            return Err(Error::invalid(format!(
                "invalid publish {text}: an IPv6 address stands in brackets, as in [::1]:8080:80"
            )));
        }
        None => address,
    };
    // `:8080:80` is Docker's way to say every address.
    if inner.is_empty() && address.is_empty() {
        return Ok((String::new(), host, container));
    }
    let address: IpAddr = inner.parse().map_err(|_| invalid())?;
    Ok((address.to_string(), host, container))
}

fn protocol_of(text: &str) -> Result<(&str, String)> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let lower = protocol.to_ascii_lowercase();
    match lower.as_str() {
        "tcp" | "udp" | "sctp" => Ok((numbers, lower)),
        _ => Err(Error::invalid(format!("invalid proto: {protocol}"))),
    }
}

/// `80`, `8000-8010`.
fn range(text: &str) -> Result<RangeInclusive<u16>, String> {
    if text.is_empty() {
        return Err("empty string specified for ports".to_owned());
    }
    let number = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        is_plain
            .then(|| text.parse::<u16>().ok())
            .flatten()
            .ok_or_else(|| format!("invalid port {text:?}: a port is a number from 0 to 65535"))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    if last < first {
        return Err(format!("invalid range specified for port: {text}"));
    }
    Ok(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(texts: &[&str]) -> Result<Vec<String>> {
        let ports = ports(texts, &[])?;
        let keys: Vec<&String> = ports.bindings.keys().collect();
        assert_eq!(keys, ports.exposed.keys().collect::<Vec<_>>());
        let show = |(port, bindings): (String, Option<Vec<PortBinding>>)| {
            let bindings = bindings.into_iter().flatten();
            bindings.map(|binding| format!("{}|{}->{port}", binding.host_ip, binding.host_port)).collect::<Vec<_>>()
        };
        Ok(ports.bindings.into_iter().flat_map(show).collect())
    }

    #[test]
    fn every_form_of_publish() {
        for (text, expected) in [
            ("80", &["|->80/tcp"][..]),
            ("80/udp", &["|->80/udp"]),
            ("80/SCTP", &["|->80/sctp"]),
            ("8080:80", &["|8080->80/tcp"]),
            (":80", &["|->80/tcp"]),
            ("127.0.0.1:8080:80", &["127.0.0.1|8080->80/tcp"]),
            ("127.0.0.1::80", &["127.0.0.1|->80/tcp"]),
            ("[::1]:8080:80", &["::1|8080->80/tcp"]),
            ("[::]:8080:80/udp", &["::|8080->80/udp"]),
            (":8080:80", &["|8080->80/tcp"]),
            ("8000-8001:80-81", &["|8000->80/tcp", "|8001->81/tcp"]),
            ("8000-8010:80", &["|8000-8010->80/tcp"]),
            ("80-81", &["|->80/tcp", "|->81/tcp"]),
            ("127.0.0.1:8000-8001:80-81/udp", &["127.0.0.1|8000->80/udp", "127.0.0.1|8001->81/udp"]),
            ("target=80", &["|->80/tcp"]),
            ("target=80,published=8080", &["|8080->80/tcp"]),
            ("target=53,published=127.0.0.1:53,protocol=udp,mode=host", &["127.0.0.1|53->53/udp"]),
        ] {
            assert_eq!(published(&[text]).unwrap(), expected, "{text}");
        }
        assert_eq!(published(&["8080:80", "[::1]:9090:80"]).unwrap(), ["|8080->80/tcp", "::1|9090->80/tcp"]);
        let many = published(&["1000-10999:1000-10999"]).unwrap();
        assert_eq!((many.len(), many[1].as_str()), (10_000, "|10000->10000/tcp"));
    }

    #[test]
    fn what_is_no_port_is_said() {
        for (text, words) in [
            ("70000", "invalid containerPort: 70000"),
            ("8080:70000", "invalid containerPort: 70000"),
            ("70000:80", "invalid hostPort: 70000"),
            ("a:80", "invalid hostPort: a"),
            ("-1:80", "invalid hostPort: -1"),
            ("80:", "no port specified: 80:<empty>"),
            ("", "no port specified: <empty>"),
            ("90-80", "invalid containerPort: 90-80"),
            ("80/icmp", "invalid proto: icmp"),
            ("8000-8001:80-82", "invalid ranges specified for container and host Ports: 80-82 and 8000-8001"),
            ("300.0.0.1:80:80", "invalid IP address: 300.0.0.1"),
            ("localhost:80:80", "invalid IP address: localhost"),
            ("[::1:80:80", "invalid IP address: [::1"),
            ("[]:80:80", "invalid IP address: []"),
            ("::1:8080:80", "brackets, as in [::1]:8080:80"),
            ("2001:db8::1:8080:80", "brackets"),
            ("target=80,8080", "should be name=value but got '8080'"),
            ("target=80,publish=8080", "invalid publish option 'publish=8080'"),
            ("target=80,mode=global", "invalid publish option 'mode=global'"),
            ("published=80", "no port specified"),
        ] {
            let error = published(&[text]).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn exposed_ports() {
        let keys = |texts: &[&str]| ports(&[], texts).map(|ports| ports.exposed.into_keys().collect::<Vec<_>>());
        assert_eq!(keys(&["80", "53/udp", "90-91"]).unwrap(), ["53/udp", "80/tcp", "90/tcp", "91/tcp"]);
        for (text, words) in [
            ("80:80", "invalid port format for --expose: 80:80"),
            ("70000", "invalid range format for --expose: 70000, error: invalid port \"70000\""),
            ("", "invalid range format for --expose: , error: empty string"),
            ("91-90", "invalid range specified for port: 91-90"),
            ("80/icmp", "invalid proto: icmp"),
        ] {
            let error = keys(&[text]).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
