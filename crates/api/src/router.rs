//! Which handler answers a request: one table, in order, the first that fits.
//!
//! An own router, because Docker's addresses have an optional version in front and names with slashes in the middle.

use base::{Error, Kind, Result};
use engine::{Caller, Engine};

use crate::client::KIND_HEADER;
use crate::message::{Headers, Method, Request, Response, ResponseBody};
use crate::query::Query;
use crate::routes::{containers, elsewhere, execs, images, networks, streams, system, volumes};
use crate::types::ErrorMessage;
use crate::version::{MINIMUM_VERSION, NEWEST_VERSION, Version};

/// A request on its way to its handler.
#[derive(Debug)]
pub(crate) struct Call {
    /// Of the API, as the address says.
    pub(crate) version: Version,
    /// What stands in the pattern's braces.
    pub(crate) name: String,
    /// All the rest.
    pub(crate) request: Request,
}

impl Call {
    pub(crate) fn query(&self) -> &Query {
        &self.request.query
    }

    pub(crate) fn headers(&self) -> &Headers {
        &self.request.headers
    }
}

/// Answers a call, or fails with an error that becomes the answer.
pub(crate) type Handler = fn(&Engine, &Caller, Call) -> Result<Response>;

/// One line of the table. In a pattern `{…}` stands for one part of an address, `{…:.*}` for one or more.
struct Route {
    method: Method,
    pattern: &'static str,
    handler: Handler,
}

const fn route(method: Method, pattern: &'static str, handler: Handler) -> Route {
    Route { method, pattern, handler }
}

use Method::{Delete, Get, Head, Post, Put};

/// Every operation that is answered.
const ROUTES: &[Route] = &[
    route(Get, "/_ping", system::ping),
    route(Head, "/_ping", system::ping),
    route(Get, "/version", system::version),
    route(Get, "/info", system::info),
    route(Get, "/events", system::events),
    route(Get, "/containers/json", containers::list),
    route(Post, "/containers/create", containers::create),
    route(Post, "/containers/prune", containers::prune),
    route(Get, "/containers/{name}/json", containers::inspect),
    route(Get, "/containers/{name}/logs", streams::logs),
    route(Post, "/containers/{name}/start", containers::start),
    route(Post, "/containers/{name}/stop", containers::stop),
    route(Post, "/containers/{name}/restart", containers::restart),
    route(Post, "/containers/{name}/kill", containers::kill),
    route(Post, "/containers/{name}/wait", streams::wait),
    route(Post, "/containers/{name}/rename", containers::rename),
    route(Post, "/containers/{name}/pause", containers::pause),
    route(Post, "/containers/{name}/unpause", containers::unpause),
    route(Post, "/containers/{name}/attach", streams::attach),
    route(Post, "/containers/{name}/resize", containers::resize),
    route(Post, "/containers/{name}/update", containers::update),
    route(Post, "/containers/{name}/exec", execs::create),
    route(Delete, "/containers/{name}", containers::remove),
    route(Post, "/exec/{id}/start", execs::start),
    route(Post, "/exec/{id}/resize", execs::resize),
    route(Get, "/exec/{id}/json", execs::inspect),
    route(Get, "/images/json", images::list),
    route(Post, "/images/create", images::create),
    route(Post, "/images/prune", images::prune),
    route(Get, "/images/{name:.*}/json", images::inspect),
    route(Get, "/images/{name:.*}/history", images::history),
    route(Post, "/images/{name:.*}/push", images::push),
    route(Post, "/images/{name:.*}/tag", images::tag),
    route(Delete, "/images/{name:.*}", images::remove),
    route(Get, "/networks", networks::list),
    route(Post, "/networks/create", networks::create),
    route(Post, "/networks/prune", networks::prune),
    route(Post, "/networks/{name}/connect", networks::connect),
    route(Post, "/networks/{name}/disconnect", networks::disconnect),
    route(Get, "/networks/{name}", networks::inspect),
    route(Delete, "/networks/{name}", networks::remove),
    route(Get, "/volumes", volumes::list),
    route(Post, "/volumes/create", volumes::create),
    route(Post, "/volumes/prune", volumes::prune),
    route(Get, "/volumes/{name}", volumes::inspect),
    route(Delete, "/volumes/{name}", volumes::remove),
    route(Get, "/containers/{name}/top", elsewhere::not_yet),
    route(Get, "/containers/{name}/stats", elsewhere::not_yet),
    route(Get, "/containers/{name}/changes", elsewhere::not_yet),
    route(Get, "/containers/{name}/export", elsewhere::not_yet),
    route(Head, "/containers/{name}/archive", elsewhere::not_yet),
    route(Get, "/containers/{name}/archive", elsewhere::not_yet),
    route(Put, "/containers/{name}/archive", elsewhere::not_yet),
    route(Get, "/containers/{name}/attach/ws", elsewhere::not_yet),
    route(Get, "/images/search", elsewhere::not_yet),
    route(Get, "/images/get", elsewhere::not_yet),
    route(Post, "/images/load", elsewhere::not_yet),
    route(Get, "/images/{name:.*}/get", elsewhere::not_yet),
    route(Get, "/plugins", elsewhere::no_plugins),
    route(Get, "/plugins/{name:.*}/json", elsewhere::no_such_plugin),
    route(Get, "/{family:.*}", elsewhere::refuse),
    route(Post, "/{family:.*}", elsewhere::refuse),
    route(Put, "/{family:.*}", elsewhere::refuse),
    route(Delete, "/{family:.*}", elsewhere::refuse),
];

/// Answers a request. Every failure is an answer too.
pub(crate) fn answer(engine: &Engine, caller: &Caller, request: Request) -> Response {
    let outcome = find(request).and_then(|(handler, call)| handler(engine, caller, call));
    let mut response = outcome.unwrap_or_else(|error| failure(&error));
    let headers = &mut response.headers;
    headers.add("Api-Version", NEWEST_VERSION.to_string());
    headers.add("Docker-Experimental", "false");
    headers.add("Ostype", "linux");
    headers.add("Server", concat!("berth/", env!("CARGO_PKG_VERSION"), " (linux)"));
    response
}

/// The answer that an error is.
pub(crate) fn failure(error: &Error) -> Response {
    if error.kind() == Kind::Unchanged {
        return Response::empty(error.http_status());
    }
    let message = ErrorMessage { message: error.to_string() };
    let mut response =
        Response::json(error.http_status(), &message).unwrap_or_else(|_| Response::empty(error.http_status()));
    response.headers.add(KIND_HEADER, error.kind().name());
    response
}

fn find(mut request: Request) -> Result<(Handler, Call)> {
    let (version, path) = split_version(&request.path)?;
    for route in ROUTES {
        if route.method == request.method
            && let Some(name) = capture(route.pattern, path)
        {
            let name = name.to_owned();
            request.path = path.to_owned();
            return Ok((route.handler, Call { version, name, request }));
        }
    }
    Err(Error::not_found("page not found"))
}

/// The version in front of an address, and the rest; an address without one means the newest.
fn split_version(path: &str) -> Result<(Version, &str)> {
    let Some(versioned) = path.strip_prefix("/v") else { return Ok((NEWEST_VERSION, path)) };
    let Some(slash) = versioned.find('/') else { return Ok((NEWEST_VERSION, path)) };
    let (version, rest) = versioned.split_at(slash);
    // `/volumes/…` begins with the same letter.
    if !version.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok((NEWEST_VERSION, path));
    }
    Ok((Version::parse(version)?, rest))
}

/// What stands in the pattern's braces, where the path fits; nothing to capture is an empty text.
fn capture<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let Some((before, rest)) = pattern.split_once('{') else { return (pattern == path).then_some("") };
    let (parameter, after) = rest.split_once('}')?;
    let captured = path.strip_prefix(before)?.strip_suffix(after)?;
    let fits = !captured.is_empty() && (parameter.ends_with(":.*") || !captured.contains('/'));
    fits.then_some(captured)
}

/// The answer to HEAD is that to GET without its body.
pub(crate) fn without_body(mut response: Response) -> Response {
    response.body = ResponseBody::Empty;
    response
}

/// The versions that are served, for `version` and `info`.
pub(crate) fn versions() -> (String, String) {
    (NEWEST_VERSION.to_string(), MINIMUM_VERSION.to_string())
}

/// Whether the answer to this request takes over the connection, as Docker's old clients expect it without asking (API before 1.20 had no `Upgrade`).
pub(crate) fn hijacks(method: Method, path: &str) -> bool {
    let Ok((_, path)) = split_version(path) else { return false };
    method == Post
        && ["/containers/{name}/attach", "/exec/{id}/start"].iter().any(|pattern| capture(pattern, path).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: Method, path: &str) -> Option<(&'static str, String)> {
        let (_, path) = split_version(path).ok()?;
        ROUTES
            .iter()
            .filter(|route| route.method == method && !route.pattern.starts_with("/{"))
            .find_map(|route| capture(route.pattern, path).map(|name| (route.pattern, name.to_owned())))
    }

    #[test]
    fn addresses_find_their_handlers() {
        let table = [
            (Get, "/_ping", Some(("/_ping", ""))),
            (Head, "/v1.41/_ping", Some(("/_ping", ""))),
            (Get, "/containers/json", Some(("/containers/json", ""))),
            (Get, "/v1.51/containers/web/json", Some(("/containers/{name}/json", "web"))),
            (Get, "/images/json", Some(("/images/json", ""))),
            (Get, "/v1.24/images/localhost:5000/a/b:1/json", Some(("/images/{name:.*}/json", "localhost:5000/a/b:1"))),
            (Delete, "/images/a/b@sha256:00", Some(("/images/{name:.*}", "a/b@sha256:00"))),
            (Delete, "/containers/a/b", None),
            (Get, "/volumes", Some(("/volumes", ""))),
            (Get, "/volumes/data", Some(("/volumes/{name}", "data"))),
            (Get, "/v1.41/volumes/data", Some(("/volumes/{name}", "data"))),
            (Get, "/networks", Some(("/networks", ""))),
            (Get, "/v1.41/networks/front", Some(("/networks/{name}", "front"))),
            (Post, "/networks/create", Some(("/networks/create", ""))),
            (Post, "/networks/front/connect", Some(("/networks/{name}/connect", "front"))),
            (Delete, "/networks/front/connect", None),
            (Get, "/containers//json", None),
            (Get, "/v1.41", None),
            (Post, "/v1.41/exec/ab12/start", Some(("/exec/{id}/start", "ab12"))),
        ];
        for (method, path, expected) in table {
            let expected = expected.map(|(pattern, name)| (pattern, name.to_owned()));
            assert_eq!(found(method, path), expected, "{path}");
        }
    }

    #[test]
    fn versions_that_are_not_served_are_refused() {
        assert!(split_version("/v1.99/_ping").is_err());
        assert!(split_version("/v1.5/_ping").is_err());
        assert!(split_version("/v2/_ping").is_err());
    }

    #[test]
    fn hijacks_are_recognised() {
        assert!(hijacks(Post, "/v1.24/containers/web/attach") && hijacks(Post, "/exec/ab/start"));
        assert!(!hijacks(Get, "/containers/web/attach") && !hijacks(Post, "/containers/web/start"));
    }

    #[test]
    fn errors_are_dockers_json() {
        let response = failure(&Error::not_found("No such container: web"));
        assert_eq!(response.status, 404);
        assert_eq!(response.headers.get("berth-error-kind"), Some("not-found"));
        assert_eq!(response.into_bytes().unwrap(), b"{\"message\":\"No such container: web\"}\n");
        assert_eq!(failure(&Error::unchanged("runs")).status, 304);
    }
}
