//! One server that may be asked for a repository.

use crate::agent::Trust;
use crate::hosts::{Identity, Serves};
use crate::url::{Scheme, Url};
use base::Result;

/// A server, and the name under which it has the repository.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endpoint {
    /// Host, and port where one is given.
    pub(crate) authority: String,
    /// The repository's name at this server.
    pub(crate) repository: String,
    /// What comes before `/v2`; begins with a slash or is empty.
    pub(crate) path: String,
    /// Whether `path` replaces `/v2` too.
    pub(crate) exact_path: bool,
    pub(crate) plain_http: bool,
    /// TLS is not verified, and plain http is tried where it fails.
    pub(crate) insecure: bool,
    /// On this machine.
    pub(crate) loopback: bool,
    pub(crate) skip_verify: bool,
    pub(crate) authorities: Vec<Vec<u8>>,
    pub(crate) identity: Option<Identity>,
    pub(crate) serves: Serves,
    /// Whether it stands in for the registry: nothing is pushed to it.
    pub(crate) is_mirror: bool,
    /// Whether it is the registry's own server: no other gets credentials.
    pub(crate) is_own: bool,
    /// The registry that is meant, for a mirror of several.
    pub(crate) namespace: Option<String>,
}

impl Endpoint {
    /// The ways to speak to it, in the order in which they are tried.
    ///
    /// As Docker does, plain http is a way to servers on this machine and to those that were named as insecure; an authority that
    /// was named for a server says that TLS is meant.
    pub(crate) fn schemes(&self) -> &'static [Scheme] {
        match (self.plain_http, self.insecure || self.is_unguarded_loopback()) {
            (true, _) => &[Scheme::Http],
            (false, true) => &[Scheme::Https, Scheme::Http],
            (false, false) => &[Scheme::Https],
        }
    }

    fn is_unguarded_loopback(&self) -> bool {
        self.loopback && self.authorities.is_empty()
    }

    /// How its TLS is judged.
    pub(crate) fn trust(&self) -> Trust {
        Trust {
            verify: !(self.skip_verify || self.insecure || self.is_unguarded_loopback()),
            authorities: self.authorities.clone(),
            identity: self.identity.clone(),
        }
    }

    /// The address of `rest` of the repository: `manifests/latest`.
    pub(crate) fn url(&self, scheme: Scheme, rest: &str) -> Result<Url> {
        let version = if self.exact_path { "" } else { "/v2" };
        let url = Url::new(scheme, &self.authority, &format!("{}{version}/{}/{rest}", self.path, self.repository))?;
        Ok(match &self.namespace {
            Some(namespace) => url.with_query("ns", namespace),
            None => url,
        })
    }

    /// The address that tells whether the server speaks the protocol and who may.
    pub(crate) fn base_url(&self, scheme: Scheme) -> Result<Url> {
        let version = if self.exact_path { "" } else { "/v2" };
        Url::new(scheme, &self.authority, &format!("{}{version}/", self.path))
    }

    #[cfg(test)]
    pub(crate) fn summary(&self) -> String {
        let version = if self.exact_path { "" } else { "/v2" };
        let mut text = format!("{}{}{version}/{}", self.authority, self.path, self.repository);
        for scheme in self.schemes() {
            text.push(' ');
            text.push_str(scheme.name());
        }
        for (holds, word) in [
            (self.insecure || self.skip_verify, " unverified"),
            (self.is_mirror, " mirror"),
            (!self.is_mirror && !self.is_own, " other"),
            (self.serves == Serves::Digests, " digests"),
        ] {
            text.push_str(if holds { word } else { "" });
        }
        text
    }
}
