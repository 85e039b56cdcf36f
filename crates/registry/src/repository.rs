//! One repository with one caller's credentials: requests are authenticated, redirected, repeated and sent to mirrors here.

use crate::challenge::{self, Challenge};
use crate::client::Shared;
use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::exchange::{Answer, Exchange, Payload, Trouble};
use crate::hosts::Serves;
use crate::patience::{Failure, Wait};
use crate::token::{Token, TokenRequest};
use crate::url::{Scheme, Url};
use base::{Error, Kind, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use ureq::http::Method;

const REDIRECT_LIMIT: usize = 5;

/// A repository of a registry. Shared between threads.
#[derive(Debug)]
pub struct Repository<'a> {
    pub(crate) shared: Arc<Shared>,
    watcher: Watcher<'a>,
    /// As people write it, for messages.
    pub(crate) name: String,
    credentials: Option<Credentials>,
    servers: Vec<Server>,
}

/// Is told of waits, once a second; `false` cancels what is waited for.
pub type Waiting<'a> = dyn Fn(&Wait<'_>) -> bool + Sync + 'a;

#[derive(Clone, Copy)]
struct Watcher<'a>(Option<&'a Waiting<'a>>);

impl std::fmt::Debug for Watcher<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Watcher")
    }
}

/// An endpoint and what was learned of it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    /// How it answered.
    scheme: Mutex<Option<Scheme>>,
    challenge: Mutex<Option<Challenge>>,
    /// By scope. Held while a token is fetched: threads of one pull want the same one.
    tokens: Mutex<Vec<(Vec<String>, Token)>>,
    /// A mirror that failed is not asked again.
    failed: AtomicBool,
}

/// What a request may do, for the scope of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access<'a> {
    /// Nothing but to be known.
    Any,
    Pull,
    Push,
    /// Push, and pull from another repository of the same registry.
    Mount(&'a str),
}

/// What is asked of a server.
pub(crate) enum Target<'a> {
    /// The protocol's own root.
    Root,
    /// Below the repository.
    Path(&'a str),
    /// What the server named itself.
    Address(&'a Url),
}

/// One request, whichever server gets it.
pub(crate) struct Request<'a> {
    /// The action and its object, for messages.
    pub(crate) what: &'a str,
    pub(crate) method: Method,
    pub(crate) target: Target<'a>,
    pub(crate) headers: &'a [(&'static str, String)],
    pub(crate) payload: Payload<'a>,
    pub(crate) access: Access<'a>,
}

/// How a thing that is pulled is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    ByTag,
    ByDigest,
}

impl<'a> Repository<'a> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        name: String,
        endpoints: Vec<Endpoint>,
        credentials: Option<Credentials>,
    ) -> Self {
        let server = |endpoint| Server {
            endpoint,
            scheme: Mutex::default(),
            challenge: Mutex::default(),
            tokens: Mutex::default(),
            failed: AtomicBool::new(false),
        };
        Self { shared, watcher: Watcher(None), name, credentials, servers: endpoints.into_iter().map(server).collect() }
    }

    /// The same repository, whose waits are told.
    #[must_use]
    pub fn watched<'w>(self, waiting: &'w Waiting<'w>) -> Repository<'w>
    where
        'a: 'w,
    {
        Repository { watcher: Watcher(Some(waiting)), ..self }
    }

    /// Whether the registry speaks the protocol and knows the caller.
    ///
    /// # Errors
    /// `Unauthenticated` for credentials that it refuses, `Unavailable` when it cannot be reached.
    pub fn check(&self) -> Result<()> {
        let what = format!("ask {}", self.registry().endpoint.authority);
        let request = Request {
            what: &what,
            method: Method::GET,
            target: Target::Root,
            headers: &[],
            payload: Payload::None,
            access: Access::Any,
        };
        let answer = self.send(self.registry(), &request)?;
        if answer.is_success() { Ok(()) } else { Err(answer.refusal(&what)) }
    }

    /// The registry itself, which comes after its mirrors.
    pub(crate) fn registry(&self) -> &Server {
        // `Hosts::endpoints` always ends with it.
        &self.servers[self.servers.len() - 1]
    }

    /// Asks one server after the other until one has what is wanted; what the registry itself says is final.
    pub(crate) fn pull<T>(&self, named: Named, ask: impl Fn(&Server) -> Result<T>) -> Result<T> {
        for server in &self.servers[..self.servers.len() - 1] {
            let serves = match server.endpoint.serves {
                Serves::Everything => true,
                Serves::Digests => named == Named::ByDigest,
                Serves::Tags => named == Named::ByTag,
                Serves::Nothing => false,
            };
            if !serves || server.failed.load(Ordering::Relaxed) {
                continue;
            }
            match ask(server) {
                Ok(found) => return Ok(found),
                // A mirror may lack anything. One that fails otherwise would only fail again.
                Err(error) if error.kind() == Kind::NotFound => {}
                Err(_) => server.failed.store(true, Ordering::Relaxed),
            }
        }
        ask(self.registry())
    }

    /// Sends a request until it has an answer that is worth having, as often as patience allows.
    pub(crate) fn send(&self, server: &Server, request: &Request<'_>) -> Result<Answer> {
        let mut made = 0;
        loop {
            made += 1;
            let (failure, error) = match self.attempt(server, request) {
                Ok(answer) => match answer.busy() {
                    None => return Ok(answer),
                    Some(failure) => (failure, answer.refusal(request.what)),
                },
                Err(trouble) => (trouble.failure, trouble.error.context(request.what)),
            };
            // A mirror is not worth waiting for.
            let patience = &self.shared.options.patience;
            let wait = if server.endpoint.is_mirror { None } else { patience.wait(made, failure) };
            match (wait, failure) {
                (Some(wait), _) => self.pause(wait, request.what, &error)?,
                (None, Failure::Busy { retry_after: Some(after), .. }) if made < patience.attempts => {
                    return Err(error.context(format!("try again in {} seconds", after.as_secs())));
                }
                (None, _) => return Err(error),
            }
        }
    }

    /// One attempt, with as many exchanges as authentication takes.
    pub(crate) fn attempt(&self, server: &Server, request: &Request<'_>) -> Result<Answer, Trouble> {
        let (mut authorization, mut is_fresh) = self.authorization(server, request.access, None)?;
        // First without or with an old token, then with a new one; a challenge may change once on the way.
        for _ in 0..3 {
            let answer = self.follow(server, request, authorization.as_deref())?;
            if answer.status != 401 || !server.is_home(&answer.url) || is_fresh {
                return Ok(answer);
            }
            if !server.learn(&answer, self.credentials_for(server))? {
                return Ok(answer);
            }
            let renewed = self.authorization(server, request.access, authorization.as_deref())?;
            if renewed.0.is_none() {
                return Ok(answer);
            }
            (authorization, is_fresh) = renewed;
        }
        Err(Error::unauthenticated(format!("{} never accepts its own tokens", server.endpoint.authority)).into())
    }

    /// Sends the request and follows where it is sent on. What belongs to the registry stays with it.
    fn follow(&self, server: &Server, request: &Request<'_>, authorization: Option<&str>) -> Result<Answer, Trouble> {
        let answer = self.exchange(server, request, authorization)?;
        let home = answer.url.clone();
        let mut answer = answer;
        let may_follow = request.method == Method::GET || request.method == Method::HEAD;
        for _ in 0..REDIRECT_LIMIT {
            let location = match (answer.status, answer.header("location")) {
                (301 | 302 | 303 | 307 | 308, Some(location)) if may_follow => location,
                _ => return Ok(answer),
            };
            let next = answer.url.resolve(location)?;
            if next.scheme() == Scheme::Http && answer.url.scheme() == Scheme::Https {
                let from = answer.url.authority();
                return Err(Error::denied(format!("{from} redirects to plain http at {}", next.authority())).into());
            }
            let authorization = authorization.filter(|_| next.same_origin(&home));
            answer = self.exchange_at(server, request, authorization, &next)?;
        }
        Err(Error::unavailable(format!("{} redirects for ever", home.authority())).into())
    }

    fn exchange(&self, server: &Server, request: &Request<'_>, authorization: Option<&str>) -> Result<Answer, Trouble> {
        let known = *lock(&server.scheme);
        if known.is_some() || matches!(request.target, Target::Address(_)) {
            return self.exchange_at(server, request, authorization, &server.url(request)?);
        }
        let mut first_trouble: Option<Trouble> = None;
        for scheme in server.endpoint.schemes() {
            let url = server.url_in(request, *scheme)?;
            match self.exchange_at(server, request, authorization, &url) {
                Ok(answer) => {
                    *lock(&server.scheme) = Some(*scheme);
                    return Ok(answer);
                }
                // What the server said in TLS is more telling than that plain http fails as well.
                Err(trouble) if trouble.failure == Failure::Unreachable || trouble.is_tls => {
                    first_trouble = match first_trouble {
                        Some(first) if first.is_tls => Some(first),
                        _ => Some(trouble),
                    };
                }
                Err(trouble) if server.endpoint.schemes().len() > 1 && *scheme == Scheme::Https => {
                    first_trouble = Some(trouble);
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Err(first_trouble.unwrap_or_else(|| Error::internal("a registry without an address").into()))
    }

    fn exchange_at(
        &self,
        server: &Server,
        request: &Request<'_>,
        authorization: Option<&str>,
        url: &Url,
    ) -> Result<Answer, Trouble> {
        let exchange = Exchange {
            method: request.method.clone(),
            headers: request.headers,
            authorization: authorization.filter(|_| server.is_home(url)),
            payload: request.payload,
        };
        let shared = &self.shared;
        exchange.send(&shared.agents, &shared.options, &shared.trust_of(url, &server.endpoint), url)
    }

    /// Waits before the next attempt at `what`.
    ///
    /// # Errors
    /// `Unavailable` when whoever is told of waits gives up.
    pub(crate) fn pause(&self, duration: Duration, what: &str, reason: &Error) -> Result<()> {
        let until = Instant::now() + duration;
        let reason = reason.to_string();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            if !self.watcher.0.is_none_or(|tell| tell(&Wait { what, seconds, reason: &reason })) {
                return Err(Error::unavailable(format!("cancelled after: {reason}")));
            }
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_secs(1)));
        }
    }

    fn credentials_for(&self, server: &Server) -> Option<&Credentials> {
        self.credentials.as_ref().filter(|_| server.endpoint.is_own)
    }

    /// The header that a server wants, and whether it was made just now; none where nothing was asked for yet.
    ///
    /// A token that `refused` was made of is not used again; one that another thread has got meanwhile is.
    fn authorization(
        &self,
        server: &Server,
        access: Access<'_>,
        refused: Option<&str>,
    ) -> Result<(Option<String>, bool), Trouble> {
        let credentials = self.credentials_for(server);
        if let Some(Credentials::Bearer(token)) = credentials {
            return Ok((Some(format!("Bearer {token}")), true));
        }
        let challenge = lock(&server.challenge).clone();
        match challenge {
            None => Ok((None, false)),
            Some(Challenge::Basic) => Ok((credentials.and_then(Credentials::basic), true)),
            Some(Challenge::Bearer { realm, service }) => {
                let scopes = access.scopes(&server.endpoint.repository);
                let mut tokens = lock(&server.tokens);
                let kept = tokens.iter().find(|(of, token)| *of == scopes && token.is_good());
                let kept = kept.map(|(_, token)| format!("Bearer {}", token.text));
                if let Some(kept) = kept.filter(|kept| Some(kept.as_str()) != refused) {
                    return Ok((Some(kept), false));
                }
                let request = TokenRequest {
                    endpoint: &server.endpoint,
                    scheme: lock(&server.scheme).unwrap_or(Scheme::Https),
                    realm: &realm,
                    service: service.as_deref(),
                    scopes: &scopes,
                    credentials,
                };
                let token = request.fetch(&self.shared)?;
                let text = format!("Bearer {}", token.text);
                tokens.retain(|(of, _)| *of != scopes);
                tokens.push((scopes, token));
                Ok((Some(text), true))
            }
        }
    }
}

impl Server {
    /// Remembers what an answer with status 401 asks for; `false` where nothing can be done about it.
    fn learn(&self, answer: &Answer, credentials: Option<&Credentials>) -> Result<bool> {
        let mut offered = Vec::new();
        for header in answer.header_values("www-authenticate") {
            offered.extend(challenge::parse(header)?);
        }
        let bearer = offered.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        let basic = offered.iter().find(|challenge| **challenge == Challenge::Basic && credentials.is_some());
        let Some(chosen) = bearer.or(basic) else { return Ok(false) };
        *lock(&self.challenge) = Some(chosen.clone());
        Ok(true)
    }

    fn url(&self, request: &Request<'_>) -> Result<Url> {
        let scheme = *lock(&self.scheme);
        self.url_in(request, scheme.unwrap_or(self.endpoint.schemes()[0]))
    }

    fn url_in(&self, request: &Request<'_>, scheme: Scheme) -> Result<Url> {
        match request.target {
            Target::Root => self.endpoint.base_url(scheme),
            Target::Path(path) => self.endpoint.url(scheme, path),
            Target::Address(url) => Ok(url.clone()),
        }
    }

    /// Whether `url` is this server, as it is spoken to.
    pub(crate) fn is_home(&self, url: &Url) -> bool {
        let scheme = lock(&self.scheme).unwrap_or(url.scheme());
        self.endpoint.base_url(scheme).is_ok_and(|home| home.same_origin(url))
    }

    /// How it answered; https until it has.
    pub(crate) fn scheme(&self) -> Scheme {
        lock(&self.scheme).unwrap_or(Scheme::Https)
    }
}

impl Access<'_> {
    fn scopes(self, repository: &str) -> Vec<String> {
        match self {
            Self::Any => Vec::new(),
            Self::Pull => vec![format!("repository:{repository}:pull")],
            Self::Push => vec![format!("repository:{repository}:pull,push")],
            Self::Mount(from) => {
                vec![format!("repository:{repository}:pull,push"), format!("repository:{from}:pull")]
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
