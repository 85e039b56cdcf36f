//! What `-D` shows of a command: each request to the engine and how it ended.

use std::io::Write as _;

use api::{Request, Response, Transport};
use base::Result;

/// A transport that says on standard error what goes through it; the query may hold what should not be seen, and is left out.
pub(crate) struct Traced(pub(crate) Box<dyn Transport>);

impl Transport for Traced {
    fn send(&self, request: Request) -> Result<Response> {
        let line = format!("{} {}", request.method.as_str(), request.path);
        let outcome = self.0.send(request);
        let end = outcome.as_ref().map_or_else(ToString::to_string, |response| response.status.to_string());
        let _ = writeln!(std::io::stderr(), "debug: {line}: {end}");
        outcome
    }
}
