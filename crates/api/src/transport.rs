//! How a request reaches an engine.

use base::Result;
use engine::{Caller, Engine};

use crate::message::{Request, Response};
use crate::router;

/// How a request reaches an engine.
///
/// A response with an error status is a response, not an error: an error is what kept the request from being answered.
pub trait Transport: Send + Sync {
    /// Sends a request and returns the response, whose body may still be coming.
    ///
    /// # Errors
    /// `Unavailable` when there is no engine on the other side.
    fn send(&self, request: Request) -> Result<Response>;
}

/// The engine is this process: a request is a function call.
#[derive(Debug)]
pub struct InProcess {
    engine: Engine,
    caller: Caller,
}

impl InProcess {
    /// Asks `engine` on behalf of this process's user.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine, caller: Caller::in_process() }
    }
}

impl Transport for InProcess {
    fn send(&self, request: Request) -> Result<Response> {
        Ok(router::answer(&self.engine, &self.caller, request))
    }
}
