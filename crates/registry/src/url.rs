//! The few URLs that a registry client handles: absolute http and https addresses, and what a `Location` may say relative to one.

use base::{Error, Result};
use std::fmt::{self, Display};

/// Presigned addresses of object stores are long; nothing is longer than this.
const LENGTH_LIMIT: usize = 16 << 10;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// An absolute address without user information and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    scheme: Scheme,
    /// Host and port as they were written, in lower case.
    authority: String,
    /// Path and query; begins with a slash.
    target: String,
}

impl Url {
    /// An address of `authority` whose path and query are `target`.
    pub(crate) fn new(scheme: Scheme, authority: &str, target: &str) -> Result<Self> {
        let refuse = |why: &str| {
            let shown: String = format!("{}://{authority}{target}", scheme.name()).chars().take(200).collect();
            Err(Error::invalid(format!("invalid address {shown:?}: {why}")))
        };
        if authority.len() + target.len() > LENGTH_LIMIT {
            return refuse("it is too long");
        }
        if authority.contains('@') {
            return refuse("it contains a user");
        }
        let target = target.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse("it contains characters that must be encoded");
        }
        if split_authority(authority).is_none() {
            return refuse("the host or the port is malformed");
        }
        Ok(Self { scheme, authority: authority.to_ascii_lowercase(), target })
    }

    /// Parses an absolute address.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            _ => {
                let shown: String = text.chars().take(200).collect();
                return Err(Error::invalid(format!("invalid address {shown:?}: expected http://… or https://…")));
            }
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        Self::new(scheme, authority, target)
    }

    /// What `location` means to a client that has asked for this address (RFC 3986, section 5.2).
    pub(crate) fn resolve(&self, location: &str) -> Result<Self> {
        let has_scheme = location.find(':').is_some_and(|colon| !location[..colon].contains(['/', '?', '#']));
        if has_scheme {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme.name()));
        }
        let path = self.path();
        let target = match location.as_bytes().first() {
            Some(b'/') => location.to_owned(),
            Some(b'?') => format!("{path}{location}"),
            None | Some(b'#') => self.target.clone(),
            Some(_) => format!("{}/{location}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
        };
        Self::new(self.scheme, &self.authority, &target)
    }

    /// The same address with `name=value` appended to its query, encoded.
    pub(crate) fn with_query(mut self, name: &str, value: &str) -> Self {
        self.target.push(if self.target.contains('?') { '&' } else { '?' });
        self.target.push_str(name);
        self.target.push('=');
        self.target.push_str(&encode(value));
        self
    }

    /// The same path at another server.
    pub(crate) fn at(mut self, scheme: Scheme, authority: &str) -> Self {
        self.scheme = scheme;
        authority.clone_into(&mut self.authority);
        self
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host, and port where one was given.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The host, an IPv6 address without brackets.
    pub(crate) fn host(&self) -> &str {
        split_authority(&self.authority).map_or("", |(host, _)| host)
    }

    fn port(&self) -> u16 {
        split_authority(&self.authority).and_then(|(_, port)| port).unwrap_or_else(|| self.scheme.default_port())
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Whether both are served by one party: scheme, host and port are equal.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        (self.scheme, self.host(), self.port()) == (other.scheme, other.host(), other.port())
    }
}

impl Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}{}", self.scheme.name(), self.authority, self.target)
    }
}

/// Host and port of `authority`; `None` where it is malformed.
pub(crate) fn split_authority(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_plain) {
        return None;
    }
    match port {
        None => Some((host, None)),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some((host, Some(port.parse().ok()?))),
        Some(_) => None,
    }
}

/// Encodes a value of a query (RFC 3986, section 2.3: all but unreserved characters).
pub(crate) fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_locations() {
        let base = Url::parse("https://Reg.example:5000/v2/a/blobs/uploads/?x=1").unwrap();
        for (location, expected) in [
            ("/v2/u/1?_state=a%2Fb", "https://reg.example:5000/v2/u/1?_state=a%2Fb"),
            ("http://other/x", "http://other/x"),
            ("HTTPS://Other:1/x#f", "https://other:1/x"),
            ("//cdn.example/y", "https://cdn.example/y"),
            ("u1", "https://reg.example:5000/v2/a/blobs/uploads/u1"),
            ("?n=2", "https://reg.example:5000/v2/a/blobs/uploads/?n=2"),
            ("http://h?q=1", "http://h/?q=1"),
        ] {
            assert_eq!(base.resolve(location).unwrap().to_string(), expected);
        }
        for location in [
            "ftp://x/",
            "https://user:pw@x/",
            "https:///x",
            "https://x:99999/",
            "/a b",
            "file:///etc/passwd",
            "/\u{e9}",
            "https://[::1/x",
        ] {
            assert!(base.resolve(location).is_err(), "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let origin = Url::parse("https://a.example/x").unwrap();
        for (other, same) in [
            ("https://A.example:443/y", true),
            ("http://a.example/x", false),
            ("https://a.example:444/x", false),
            ("https://b.example/x", false),
            ("https://a.example.evil/x", false),
        ] {
            assert_eq!(origin.same_origin(&Url::parse(other).unwrap()), same, "{other}");
        }
    }

    #[test]
    fn queries_are_encoded() {
        let url = Url::parse("https://t/token")
            .unwrap()
            .with_query("scope", "repository:a/b:pull,push")
            .with_query("n", "é&");
        assert_eq!(url.to_string(), "https://t/token?scope=repository%3Aa%2Fb%3Apull%2Cpush&n=%C3%A9%26");
    }
}
