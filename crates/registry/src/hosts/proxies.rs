//! Which requests go through a proxy, by the rules that Docker's clients know from Go (golang.org/x/net/http/httpproxy).

use super::{Network, is_loopback};
use crate::url::{Scheme, Url, split_authority};

/// Proxies for requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For plain http: `http://[user:password@]host:port`.
    pub http: Option<String>,
    /// For https.
    pub https: Option<String>,
    /// What is asked directly, separated by commas: `*`, `host`, `.domain`, `host:port`, an address, `10.0.0.0/8`.
    pub none: String,
}

impl Proxies {
    /// The proxy through which `url` is asked; this machine is always asked directly.
    pub(crate) fn for_url(&self, url: &Url) -> Option<&str> {
        let proxy = match url.scheme() {
            Scheme::Http => self.http.as_deref(),
            Scheme::Https => self.https.as_deref(),
        };
        let proxy = proxy.filter(|proxy| !proxy.is_empty())?;
        let host = url.host();
        let direct = self.none.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let is_direct = is_loopback(host) || direct.into_iter().any(|entry| excepts(&entry.to_ascii_lowercase(), url));
        (!is_direct).then_some(proxy)
    }
}

fn excepts(entry: &str, url: &Url) -> bool {
    if entry == "*" {
        return true;
    }
    let host = url.host();
    if let Some(network) = Network::parse(entry) {
        return host.parse().is_ok_and(|address| network.contains(address));
    }
    if let Some(suffix) = entry.strip_prefix("*.").or_else(|| entry.strip_prefix('.')) {
        return host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
    }
    match split_authority(entry) {
        Some((_, Some(_))) => url.authority() == entry,
        _ => host == entry || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_gos() {
        let proxies = Proxies {
            http: Some("http://p:1".to_owned()),
            https: Some("http://p:2".to_owned()),
            none: "lan, .corp.example,reg.example:5000, 10.0.0.0/8 ,192.0.2.7".to_owned(),
        };
        for (url, proxy) in [
            ("http://hub.example/", Some("http://p:1")),
            ("https://hub.example/", Some("http://p:2")),
            ("https://lan/", None),
            ("https://a.lan/", None),
            ("https://alan/", Some("http://p:2")),
            ("https://corp.example/", Some("http://p:2")),
            ("https://x.corp.example/", None),
            ("https://reg.example:5000/", None),
            ("https://reg.example/", Some("http://p:2")),
            ("https://10.1.1.1/", None),
            ("https://192.0.2.7:9/", None),
            ("https://192.0.2.8/", Some("http://p:2")),
            ("http://127.0.0.1:5000/", None),
            ("http://localhost/", None),
        ] {
            assert_eq!(proxies.for_url(&Url::parse(url).unwrap()), proxy, "{url}");
        }
        let everything = Proxies { none: "*".to_owned(), ..proxies };
        assert_eq!(everything.for_url(&Url::parse("https://x/").unwrap()), None);
    }
}
