//! `--network`, `--add-host`, `--dns`.

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

/// Splits `name:address` or `name=address`, and takes the brackets from an IPv6 address. The engine judges both.
///
/// # Errors
/// `Invalid` for what is not written so.
pub(crate) fn extra_host(text: &str) -> Result<String> {
    let (name, address) = text
        .split_once(['=', ':'])
        .ok_or_else(|| Error::invalid(format!("bad format for add-host: {text:?}: use NAME:ADDRESS")))?;
    let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    Ok(format!("{name}:{bare}"))
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
    fn hosts() {
        for (text, expected) in [
            ("a:1.2.3.4", Some("a:1.2.3.4")),
            ("a=1.2.3.4", Some("a:1.2.3.4")),
            ("a:::1", Some("a:::1")),
            ("a:[::1]", Some("a:::1")),
            ("a:host-gateway", Some("a:host-gateway")),
            ("a", None),
        ] {
            assert_eq!(extra_host(text).ok().as_deref(), expected, "{text}");
        }
    }
}
