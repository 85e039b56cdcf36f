//! Bearer tokens: asked of the server that a registry names, kept as long as they are good (distribution specification, *Token Authentication*;
//! for refresh tokens, *OAuth2 Token Authentication*).

use crate::answer;
use crate::client::Shared;
use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::exchange::{Answer, Exchange, Payload, Trouble, form, parse_json};
use crate::url::{Scheme, Url};
use base::{Error, Result};
use serde::Deserialize;
use std::time::{Duration, Instant};
use ureq::http::Method;

/// An answer of a token server may be this long.
const ANSWER_LIMIT_BYTES: u64 = 1 << 20;
/// A token that says nothing of its age is good this long.
const DEFAULT_AGE_SECONDS: u64 = 60;
/// A token is no longer used this long before it ends.
const MARGIN: Duration = Duration::from_secs(5);
const REDIRECT_LIMIT: usize = 3;

/// A token and when it ends.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    ends: Instant,
}

impl Token {
    pub(crate) fn is_good(&self) -> bool {
        Instant::now() + MARGIN < self.ends
    }
}

// A token does not reach a log.
impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token")
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// What a token is asked for.
pub(crate) struct TokenRequest<'a> {
    pub(crate) endpoint: &'a Endpoint,
    /// How the registry itself is spoken to.
    pub(crate) scheme: Scheme,
    pub(crate) realm: &'a str,
    pub(crate) service: Option<&'a str>,
    pub(crate) scopes: &'a [String],
    pub(crate) credentials: Option<&'a Credentials>,
}

impl TokenRequest<'_> {
    /// The token server's address. Credentials and tokens are worth nothing on a wire that anyone reads, so it is https wherever the registry is.
    fn realm(&self) -> Result<Url> {
        let authority = &self.endpoint.authority;
        let realm =
            Url::parse(self.realm).map_err(|error| error.context(format!("{authority} names a token server")))?;
        if realm.scheme() == Scheme::Http && self.scheme == Scheme::Https {
            return Err(Error::denied(format!(
                "{authority} names the token server {realm}, which is not encrypted: nothing is sent to it"
            )));
        }
        Ok(realm)
    }

    /// Asks for the token, once.
    pub(crate) fn fetch(&self, shared: &Shared) -> Result<Token, Trouble> {
        let realm = self.realm()?;
        let what = format!("get a token from {}", realm.authority());
        let answer = match self.credentials {
            Some(Credentials::Identity { token, .. }) => self.exchange_identity(shared, &realm, token)?,
            credentials => self.ask(shared, realm, credentials)?,
        };
        if let Some(failure) = answer.busy() {
            return Err(Trouble { failure, error: answer.refusal(&what), is_tls: false });
        }
        if !answer.is_success() {
            return Err(answer.refusal(&what).into());
        }
        let bytes = answer.read_bounded(ANSWER_LIMIT_BYTES)?;
        let document: Document = parse_json(&what, &bytes)?;
        let text = document.token.filter(|token| !token.is_empty()).or(document.access_token).unwrap_or_default();
        // It becomes a header: nothing may end it early.
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::corrupt(format!("{what}: the answer contains no token")).into());
        }
        let age =
            Duration::from_secs(document.expires_in.unwrap_or(DEFAULT_AGE_SECONDS).clamp(DEFAULT_AGE_SECONDS, 86_400));
        Ok(Token { text, ends: Instant::now() + age })
    }

    /// The plain way: a GET, with a name and a password where there are any.
    fn ask(&self, shared: &Shared, realm: Url, credentials: Option<&Credentials>) -> Result<Answer, Trouble> {
        let authorization = credentials.and_then(Credentials::basic);
        let mut url = realm.clone();
        if let Some(service) = self.service {
            url = url.with_query("service", service);
        }
        for scope in self.scopes {
            url = url.with_query("scope", scope);
        }
        if let Some(Credentials::Password { username, .. }) = credentials {
            url = url.with_query("account", username);
        }
        for _ in 0..=REDIRECT_LIMIT {
            let authorization = authorization.as_deref().filter(|_| url.same_origin(&realm));
            let headers = [("accept", "application/json".to_owned())];
            let exchange = Exchange { method: Method::GET, headers: &headers, authorization, payload: Payload::None };
            let trust = shared.trust_of(&url, self.endpoint);
            let answer = exchange.send(&shared.agents, &shared.options, &trust, &url)?;
            match (answer.status, answer.header("location")) {
                (301 | 302 | 303 | 307 | 308, Some(location)) => {
                    let next = url.resolve(location)?;
                    if next.scheme() == Scheme::Http && url.scheme() == Scheme::Https {
                        return Err(Error::denied(format!("{} redirects to plain http", url.authority())).into());
                    }
                    url = next;
                }
                _ => return Ok(answer),
            }
        }
        Err(Error::unavailable(format!("{} redirects for ever", realm.authority())).into())
    }

    /// The way of refresh tokens: a POST. A redirect would carry the refresh token along, so there is none.
    fn exchange_identity(&self, shared: &Shared, realm: &Url, identity: &str) -> Result<Answer, Trouble> {
        let scope = self.scopes.join(" ");
        let body = form(&[
            ("grant_type", "refresh_token"),
            ("service", self.service.unwrap_or_default()),
            ("client_id", "berth"),
            ("scope", &scope),
            ("refresh_token", identity),
        ]);
        let headers = [
            ("accept", "application/json".to_owned()),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ];
        let exchange =
            Exchange { method: Method::POST, headers: &headers, authorization: None, payload: Payload::Bytes(&body) };
        let answer = exchange.send(&shared.agents, &shared.options, &shared.trust_of(realm, self.endpoint), realm)?;
        if (300..400).contains(&answer.status) {
            let location = answer::plain(answer.header("location").unwrap_or_default());
            return Err(Error::denied(format!("{} redirects a refresh token to {location}", realm.authority())).into());
        }
        Ok(answer)
    }
}
