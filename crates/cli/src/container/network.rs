//! `--network`, `--add-host`, `--dns`.

use std::net::IpAddr;

use base::{Error, Result};

/// The one network that `--network` names.
///
/// # Errors
/// `Unsupported` for several, and for settings of an endpoint.
pub(crate) fn network(values: &[&str]) -> Result<String> {
    let [value] = values[..] else {
        return match values {
            [] => Ok("default".to_owned()),
            _ => Err(Error::unsupported("not supported: --network given more than once")),
        };
    };
    if !value.contains("name=") {
        return Ok(value.to_owned());
    }
    let mut name = None;
    for field in value.split(',') {
        match field.split_once('=') {
            Some(("name", value)) => name = Some(value.to_owned()),
            _ => return Err(Error::unsupported(format!("not supported: --network with {field}"))),
        }
    }
    name.ok_or_else(|| Error::invalid(format!("invalid --network {value}: a name is missing")))
}

/// Checks `name:address` or `name=address`; the address may be `host-gateway` and, in IPv6, may be in brackets.
///
/// # Errors
/// `Invalid` for anything else.
pub(crate) fn extra_host(text: &str) -> Result<String> {
    let separator =
        text.find(['=', ':']).ok_or_else(|| Error::invalid(format!("bad format for add-host: {text:?}")))?;
    let (name, address) = (&text[..separator], &text[separator + 1..]);
    if name.is_empty() {
        return Err(Error::invalid(format!("bad format for add-host: {text:?}")));
    }
    let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    if bare != "host-gateway" && bare.parse::<IpAddr>().is_err() {
        return Err(Error::invalid(format!("invalid IP address in add-host: {address:?}")));
    }
    Ok(format!("{name}:{bare}"))
}

/// Checks the address of a name server.
///
/// # Errors
/// `Invalid` for what is no address.
pub(crate) fn name_server(text: &str) -> Result<String> {
    match text.trim().parse::<IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(Error::invalid(format!("IP address is not correctly formatted: {text}"))),
    }
}

/// Checks a search domain; `.` means none at all.
///
/// # Errors
/// `Invalid` for what cannot be a domain.
pub(crate) fn search_domain(text: &str) -> Result<String> {
    let domain = text.trim();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter))
    };
    if domain == "." || (domain.len() <= 255 && domain.trim_end_matches('.').split('.').all(label)) {
        return Ok(domain.to_owned());
    }
    Err(Error::invalid(format!("{text} is not a valid domain")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (values, expected) in [
            (&[][..], Some("default")),
            (&["none"], Some("none")),
            (&["container:web"], Some("container:web")),
            (&["name=host"], Some("host")),
            (&["name=host,alias=x"], None),
            (&["none", "host"], None),
        ] {
            assert_eq!(network(values).ok().as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn hosts_and_names() {
        for (text, expected) in [
            ("a:1.2.3.4", Some("a:1.2.3.4")),
            ("a=1.2.3.4", Some("a:1.2.3.4")),
            ("a:::1", Some("a:::1")),
            ("a:[::1]", Some("a:::1")),
            ("a:host-gateway", Some("a:host-gateway")),
            ("a", None),
            (":1.2.3.4", None),
            ("a:1.2.3", None),
        ] {
            assert_eq!(extra_host(text).ok().as_deref(), expected, "{text}");
        }
        assert!(name_server("8.8.8.8").is_ok() && name_server("::1").is_ok() && name_server("dns").is_err());
        assert!(search_domain(".").is_ok() && search_domain("example.com").is_ok() && search_domain("a b").is_err());
    }
}
