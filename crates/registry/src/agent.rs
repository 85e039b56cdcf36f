//! HTTP agents, which keep connections: one for each way of trusting a server.

use crate::client::Options;
use crate::hosts::{Identity, SYSTEM_ROOTS};
use crate::url::{Scheme, Url};
use base::{Error, Result};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider};

/// The head of an answer may be this long.
const HEAD_LIMIT_BYTES: usize = 64 << 10;
/// Layers are read in pieces of this size.
const BUFFER_BYTES: usize = 256 << 10;

/// How the TLS of a server is judged, and who we are to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trust {
    pub(crate) verify: bool,
    pub(crate) authorities: Vec<Vec<u8>>,
    pub(crate) identity: Option<Identity>,
}

/// Makes agents and keeps them.
#[derive(Debug)]
pub(crate) struct Agents {
    provider: Arc<CryptoProvider>,
    kept: Mutex<Vec<(Key, ureq::Agent)>>,
    system: Mutex<Option<Arc<Vec<Certificate<'static>>>>>,
}

/// What makes two agents different.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    /// Nothing for plain http.
    trust: Option<Trust>,
    proxy: Option<String>,
    pace: Pace,
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Bytes that are there.
    Fetch,
    /// A server that verifies and stores what it was sent before it says a word.
    Store,
}

impl Agents {
    pub(crate) fn new() -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Self { provider, kept: Mutex::default(), system: Mutex::default() }
    }

    /// The agent for requests to `url`.
    pub(crate) fn agent(&self, options: &Options, trust: &Trust, url: &Url, pace: Pace) -> Result<ureq::Agent> {
        let proxy = options.hosts.proxies.for_url(url).map(str::to_owned);
        let trust = (url.scheme() == Scheme::Https).then(|| trust.clone());
        let key = Key { trust, proxy, pace };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, agent)) = kept.iter().find(|(other, _)| *other == key) {
            return Ok(agent.clone());
        }
        let agent =
            self.make(options, &key).map_err(|error| error.context(format!("connect to {}", url.authority())))?;
        kept.push((key, agent.clone()));
        Ok(agent)
    }

    fn make(&self, options: &Options, key: &Key) -> Result<ureq::Agent> {
        let proxy = match &key.proxy {
            Some(text) => Some(ureq::Proxy::new(text).map_err(|_| {
                // A proxy's address may hold a password.
                Error::invalid("the proxy's address is malformed: expected http://host:port")
            })?),
            None => None,
        };
        let tls = match &key.trust {
            Some(trust) => self.tls(options, trust)?,
            None => TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[])).build(),
        };
        let patience = &options.patience;
        let silence = match key.pace {
            Pace::Fetch => patience.idle,
            Pace::Store => patience.answer,
        };
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(options.user_agent.as_str())
            .accept("")
            .accept_encoding("")
            .tls_config(tls)
            .proxy(proxy)
            .max_response_header_size(HEAD_LIMIT_BYTES)
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .max_idle_connections_per_host(8)
            .timeout_resolve(Some(patience.connect))
            .timeout_connect(Some(patience.connect))
            .timeout_per_read(Some(silence))
            .timeout_per_write(Some(patience.idle))
            .timeout_recv_response(Some(patience.answer))
            .build();
        Ok(config.new_agent())
    }

    fn tls(&self, options: &Options, trust: &Trust) -> Result<TlsConfig> {
        let mut builder = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(self.provider.clone())
            .disable_verification(!trust.verify);
        let mut roots = Vec::new();
        if trust.verify {
            roots.extend(self.system_roots(options)?.iter().cloned());
            for pem in &trust.authorities {
                let added = certificates(pem).map_err(|error| error.context("a certificate authority"))?;
                if added.is_empty() {
                    return Err(Error::invalid(
                        "a file of certificate authorities contains no certificate in PEM form",
                    ));
                }
                roots.extend(added);
            }
        }
        builder = builder.root_certs(RootCerts::new_with_certs(&roots));
        if let Some(identity) = &trust.identity {
            builder = builder.client_cert(Some(self.identity(identity)?));
        }
        Ok(builder.build())
    }

    /// The distribution's authorities, read once; none where no bundle is installed.
    fn system_roots(&self, options: &Options) -> Result<Arc<Vec<Certificate<'static>>>> {
        let mut system = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roots) = system.as_ref() {
            return Ok(roots.clone());
        }
        let configured = options.hosts.system_roots.iter().map(std::path::PathBuf::as_path);
        let usual = SYSTEM_ROOTS.iter().map(Path::new).filter(|_| options.hosts.system_roots.is_empty());
        let mut roots = Vec::new();
        for path in configured.chain(usual) {
            if let Some(pem) = crate::hosts::read(path)? {
                roots = certificates(&pem).map_err(|error| error.context(path.display()))?;
                break;
            }
        }
        let roots = Arc::new(roots);
        *system = Some(roots.clone());
        Ok(roots)
    }

    /// Our own certificate, checked here: a wrong one must be an error and not a failure inside the TLS library.
    fn identity(&self, identity: &Identity) -> Result<ClientCert> {
        let refuse = |why: &str| Error::invalid(format!("the client certificate cannot be used: {why}"));
        let chain = certificates(&identity.certificate)?;
        if chain.is_empty() {
            return Err(refuse("its file contains no certificate in PEM form"));
        }
        let key = PrivateKey::from_pem(&identity.key).map_err(|_| refuse("its key is no private key in PEM form"))?;
        let parsed = rustls::pki_types::PrivateKeyDer::from_pem_slice(&identity.key)
            .map_err(|_| refuse("its key is no private key in PEM form"))?;
        let plain = chain.iter().map(|certificate| certificate.der().to_vec().into()).collect();
        rustls::sign::CertifiedKey::from_der(plain, parsed, &self.provider)
            .map_err(|error| refuse(&error.to_string()))?;
        Ok(ClientCert::new_with_certs(&chain, key))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>> {
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(Error::invalid(format!("malformed PEM: {error}"))),
        }
    }
    Ok(found)
}
