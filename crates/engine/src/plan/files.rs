//! The content of a container's own `/etc/hosts`, `/etc/resolv.conf` and `/etc/hostname`.

use std::net::IpAddr;

use base::{Error, Result};

use crate::containers::Settings;

/// What every `/etc/hosts` begins with.
const LOCAL_NAMES: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
                           ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// Checks `--add-host`, `--dns` and their like.
///
/// # Errors
/// `Invalid` for what is no address or no name; `Unsupported` for `host-gateway` without a configured address.
pub fn check(settings: &Settings, host_gateway: Option<&str>) -> Result<()> {
    for entry in &settings.extra_hosts {
        extra_host(entry, host_gateway)?;
    }
    for server in &settings.dns {
        server
            .parse::<IpAddr>()
            .map_err(|_| Error::invalid(format!("IP address is not correctly formatted: {server}")))?;
    }
    if let Some(domain) = settings.dns_search.iter().find(|domain| !is_domain(domain)) {
        return Err(Error::invalid(format!("{domain} is not a valid domain")));
    }
    if settings.dns_options.iter().any(|option| option.is_empty() || option.contains(char::is_whitespace)) {
        return Err(Error::invalid("a resolver option is one word without blanks"));
    }
    Ok(())
}

/// Whether something can be a search domain; `.` means none at all.
fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let name = domain.strip_suffix('.').unwrap_or(domain);
    domain == "." || domain.len() <= 255 && name.split('.').all(label)
}

/// `name:address`, or `name=address`, with brackets around the address or not.
fn extra_host<'a>(entry: &'a str, host_gateway: Option<&'a str>) -> Result<(&'a str, &'a str)> {
    let refuse = || Error::invalid(format!("bad format for add-host: {entry:?}: use NAME:ADDRESS"));
    let (name, address) = entry.split_once(['=', ':']).ok_or_else(refuse)?;
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(refuse());
    }
    let address = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
    if address == "host-gateway" {
        let gateway = host_gateway.ok_or_else(|| {
            Error::invalid("host-gateway is the host's address on a network, and this container has none: set host-gateway-ip in engine.json")
        })?;
        return Ok((name, gateway));
    }
    address.parse::<IpAddr>().map_err(|_| Error::invalid(format!("invalid IP address in add-host: {address:?}")))?;
    Ok((name, address))
}

/// `/etc/hosts` of a container: `base` is the host's own file for one that shares the host's network.
///
/// # Errors
/// As [`check`].
pub fn hosts(settings: &Settings, base: Option<&str>, host_gateway: Option<&str>) -> Result<String> {
    let mut text = base.unwrap_or(LOCAL_NAMES).to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for entry in &settings.extra_hosts {
        let (name, address) = extra_host(entry, host_gateway)?;
        text.push_str(&format!("{address}\t{name}\n"));
    }
    Ok(text)
}

/// The line of a container itself in its `/etc/hosts`.
#[must_use]
pub fn own_name(address: IpAddr, hostname: &str, domainname: &str) -> String {
    match domainname {
        "" => format!("{address}\t{hostname}\n"),
        domain => format!("{address}\t{hostname}.{domain} {hostname}\n"),
    }
}

/// `/etc/resolv.conf` of a container: what was asked for over the host's.
#[must_use]
pub fn resolv_conf(settings: &Settings, host: &str) -> String {
    if settings.dns.is_empty() && settings.dns_search.is_empty() && settings.dns_options.is_empty() {
        return host.to_owned();
    }
    let mut text = String::new();
    let servers = or_else(&settings.dns, || values(host, &["nameserver"]));
    for server in servers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    let search = or_else(&settings.dns_search, || values(host, &["search", "domain"]));
    if !search.is_empty() && search != ["."] {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    let options = or_else(&settings.dns_options, || values(host, &["options"]));
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    text
}

/// The name servers that were asked for, or the host's.
#[must_use]
pub fn servers(settings: &Settings, host: &str) -> Vec<IpAddr> {
    or_else(&settings.dns, || values(host, &["nameserver"])).iter().filter_map(|server| server.parse().ok()).collect()
}

/// `/etc/resolv.conf` of a container with a resolver of its own.
#[must_use]
pub fn resolv_conf_of_resolver(settings: &Settings, host: &str) -> String {
    let mut text = format!("nameserver {}\n", network::names::ADDRESS);
    let search = or_else(&settings.dns_search, || values(host, &["search", "domain"]));
    if !search.is_empty() && search != ["."] {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    let mut options = or_else(&settings.dns_options, || values(host, &["options"]));
    // A name without a dot is a container's first.
    if !options.iter().any(|option| option.starts_with("ndots:")) {
        options.push("ndots:0".to_owned());
    }
    text.push_str(&format!("options {}\n", options.join(" ")));
    text
}

fn or_else(own: &[String], host: impl FnOnce() -> Vec<String>) -> Vec<String> {
    if own.is_empty() { host() } else { own.to_vec() }
}

/// The words after any of `keywords`.
fn values(text: &str, keywords: &[&str]) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let of_keyword = lines.filter_map(|line| {
        let (keyword, rest) = line.split_once(char::is_whitespace)?;
        keywords.contains(&keyword).then_some(rest)
    });
    of_keyword.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_hosts(entries: &[&str]) -> Settings {
        Settings { extra_hosts: entries.iter().map(|entry| (*entry).to_owned()).collect(), ..Settings::default() }
    }

    #[test]
    fn hosts_get_what_was_added() {
        let text = hosts(&with_hosts(&["db:10.0.0.1", "six=[::2]", "other:::3"]), None, None).unwrap();
        assert!(text.ends_with("10.0.0.1\tdb\n::2\tsix\n::3\tother\n"), "{text}");
        let text = hosts(&with_hosts(&["up:host-gateway"]), Some("127.0.0.1 me"), Some("192.0.2.1")).unwrap();
        assert_eq!(text, "127.0.0.1 me\n192.0.2.1\tup\n");
        for wrong in ["db", "db:", "db:300.1.1.1", ":1.1.1.1", "a\nb:1.1.1.1", "up:host-gateway"] {
            assert!(check(&with_hosts(&[wrong]), None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn resolver_takes_what_was_asked_over_the_hosts() {
        let host = "# comment\nnameserver 192.0.2.53\nsearch example.org\noptions ndots:2\n";
        assert_eq!(resolv_conf(&Settings::default(), host), host);
        let settings = Settings { dns: vec!["9.9.9.9".to_owned()], ..Settings::default() };
        assert_eq!(resolv_conf(&settings, host), "nameserver 9.9.9.9\nsearch example.org\noptions ndots:2\n");
        let settings = Settings { dns_search: vec![".".to_owned()], ..Settings::default() };
        assert_eq!(resolv_conf(&settings, host), "nameserver 192.0.2.53\noptions ndots:2\n");
        for (domain, good) in [(".", true), ("example.com.", true), ("a b", false), ("a..b", false), ("", false)] {
            assert_eq!(is_domain(domain), good, "{domain}");
        }
        assert!(!is_domain(&"a".repeat(64)) && !is_domain(&"a.".repeat(128)));
        for wrong in ["nine", "9.9.9", ""] {
            assert!(check(&Settings { dns: vec![wrong.to_owned()], ..Settings::default() }, None).is_err());
        }
    }
}
