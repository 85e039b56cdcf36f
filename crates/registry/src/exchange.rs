//! One request and its answer, and what went wrong between them.

use crate::agent::{Agents, Pace, Trust};
use crate::answer;
use crate::client::Options;
use crate::patience::{Failure, retry_after};
use crate::upload::{BlobSource, Counted};
use crate::url::Url;
use base::{Context, Error, Kind, Result};
use std::io::Read;
use ureq::http;

/// A request to one address.
pub(crate) struct Exchange<'a> {
    pub(crate) method: http::Method,
    pub(crate) headers: &'a [(&'static str, String)],
    pub(crate) authorization: Option<&'a str>,
    pub(crate) payload: Payload<'a>,
}

/// The body of a request. It may be asked for more than once.
#[derive(Clone, Copy)]
pub(crate) enum Payload<'a> {
    None,
    Bytes(&'a [u8]),
    /// A stream of so many bytes, opened anew for each attempt.
    Sized(u64, BlobSource<'a>),
}

/// An answer whose head has come.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) url: Url,
    headers: http::HeaderMap,
    body: ureq::Body,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) failure: Failure,
    pub(crate) error: Error,
    /// Whether the server spoke, but not TLS that we accept.
    pub(crate) is_tls: bool,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self { failure: Failure::Unreachable, error, is_tls: false }
    }
}

impl Exchange<'_> {
    /// Sends the request to `url`. A redirect is an answer like any other.
    pub(crate) fn send(&self, agents: &Agents, options: &Options, trust: &Trust, url: &Url) -> Result<Answer, Trouble> {
        let pace = if self.method == http::Method::GET || self.method == http::Method::HEAD {
            Pace::Fetch
        } else {
            Pace::Store
        };
        let agent = agents.agent(options, trust, url, pace)?;
        let response = match self.payload {
            Payload::None => agent.run(self.request(url, ())?),
            Payload::Bytes(bytes) => agent.run(self.request(url, bytes)?),
            Payload::Sized(size, source) => {
                let mut reader = Counted { reader: (source.open)()?, count: 0, passed: source.passed };
                let mut request = self.request(url, ureq::SendBody::from_reader(&mut reader))?;
                request.headers_mut().insert(http::header::CONTENT_LENGTH, size.into());
                agent.run(request)
            }
        };
        let response = response.map_err(|error| trouble(url, error))?;
        let (head, body) = response.into_parts();
        Ok(Answer { status: head.status.as_u16(), url: url.clone(), headers: head.headers, body })
    }

    fn request<B>(&self, url: &Url, body: B) -> Result<http::Request<B>> {
        let mut builder = http::Request::builder().method(self.method.clone()).uri(url.to_string());
        for (name, value) in self.headers {
            builder = builder.header(*name, value);
        }
        if let Some(authorization) = self.authorization {
            builder = builder.header(http::header::AUTHORIZATION, authorization);
        }
        builder.body(body).map_err(|_| Error::invalid(format!("a request to {} cannot be written", url.authority())))
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of a header that comes more than once, at most sixteen.
    pub(crate) fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().take(16).filter_map(|value| value.to_str().ok())
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// The body as it comes.
    pub(crate) fn into_reader(self) -> impl Read + Send {
        self.body.into_with_config().limit(u64::MAX).reader()
    }

    /// The whole body, which must have at most `limit` bytes.
    pub(crate) fn read_bounded(self, limit: u64) -> Result<Vec<u8>, Trouble> {
        let authority = self.url.authority().to_owned();
        if self.content_length().is_some_and(|length| length > limit) {
            return Err(Error::corrupt(format!("{authority} sends more than {limit} bytes")).into());
        }
        let mut bytes = Vec::new();
        let read = self.into_reader().take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error| body_trouble(&authority, error))?;
        if bytes.len() as u64 > limit {
            return Err(Error::corrupt(format!("{authority} sends more than {limit} bytes")).into());
        }
        Ok(bytes)
    }

    /// The error that this answer is; `what` names the action and its object.
    pub(crate) fn refusal(self, what: &str) -> Error {
        let status = self.status;
        let mut bytes = Vec::new();
        // Half of an error's text is better than none.
        let _ = self.into_reader().take(answer::REFUSAL_LIMIT_BYTES).read_to_end(&mut bytes);
        answer::refusal(what, status, &bytes)
    }

    /// Whether the server asks to come back later.
    pub(crate) fn busy(&self) -> Option<Failure> {
        let retry_after = self.header("retry-after").and_then(|text| retry_after(text, base::time::Timestamp::now()));
        matches!(self.status, 408 | 425 | 429 | 500..=599).then_some(Failure::Busy { status: self.status, retry_after })
    }
}

/// What a failed reading of a body is.
pub(crate) fn body_trouble(authority: &str, error: std::io::Error) -> Trouble {
    let error = Error::unavailable(format!("{authority} broke off: {}", words(&error)));
    Trouble { failure: Failure::Broken, error, is_tls: false }
}

fn words(error: &std::io::Error) -> String {
    if let Some(ureq::Error::Timeout(_)) = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        return "it was silent for too long".to_owned();
    }
    answer::plain(error.to_string().split(" (os error").next().unwrap_or_default()).to_lowercase()
}

fn trouble(url: &Url, error: ureq::Error) -> Trouble {
    use std::io::ErrorKind;
    let authority = url.authority();
    let unreachable = |why: &str| Trouble {
        failure: Failure::Unreachable,
        error: Error::unavailable(format!("{authority} cannot be reached: {why}")),
        is_tls: false,
    };
    match error {
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => tls_trouble(authority, tls),
            // The source of a body has failed, not the connection.
            None if error.get_ref().is_some_and(|inner| inner.is::<Error>()) => crate::blob::recover(error).into(),
            None => match error.kind() {
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::NotConnected
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof
                | ErrorKind::TimedOut => body_trouble(authority, error),
                _ => unreachable(&words(&error)),
            },
        },
        ureq::Error::Rustls(tls) => tls_trouble(authority, &tls),
        ureq::Error::HostNotFound => unreachable("no such host"),
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => unreachable("it does not answer"),
        ureq::Error::Timeout(_) => Trouble {
            failure: Failure::Broken,
            error: Error::unavailable(format!("{authority} was silent for too long")),
            is_tls: false,
        },
        ureq::Error::LargeResponseHeader(..) => {
            Error::corrupt(format!("{authority} sends an endless head of an answer")).into()
        }
        ureq::Error::ConnectProxyFailed(why) => unreachable(&format!("the proxy refuses: {}", answer::plain(&why))),
        other => Trouble {
            failure: Failure::Unreachable,
            error: Error::unavailable(format!(
                "{authority} does not speak HTTP as expected: {}",
                answer::plain(&other.to_string())
            )),
            is_tls: false,
        },
    }
}

fn tls_trouble(authority: &str, error: &rustls::Error) -> Trouble {
    let why = match error {
        rustls::Error::InvalidCertificate(reason) => format!(
            "its certificate is not trusted ({}): add the authority that signed it as registries.{authority:?}.ca to engine.json or as \
             /etc/docker/certs.d/{authority}/ca.crt",
            answer::plain(&format!("{reason:?}"))
        ),
        rustls::Error::InvalidMessage(_) => {
            format!(
                "it does not speak TLS: if plain http is meant, add {authority:?} to insecure-registries in engine.json"
            )
        }
        other => format!("TLS failed: {}", answer::plain(&other.to_string())),
    };
    let error = Error::new(Kind::Unavailable, format!("{authority} cannot be reached: {why}"));
    Trouble { failure: Failure::Unreachable, error, is_tls: true }
}

/// The bytes of a form (application/x-www-form-urlencoded).
pub(crate) fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", crate::url::encode(value))).collect();
    pairs.join("&").into_bytes()
}

/// Parses a JSON answer of a server.
pub(crate) fn parse_json<T: serde::de::DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).with_context(|| format!("{what}: malformed answer"))
}
