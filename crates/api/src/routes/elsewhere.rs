//! What this engine does not have, said as Docker's engine says it where clients know the words.

use base::{Error, Result};
use engine::{Caller, Engine};

use crate::message::Response;
use crate::router::Call;

/// Families of operations that there are none of, and why.
const FAMILIES: &[(&[&str], Absent)] = &[
    (&["swarm", "nodes", "services", "tasks", "secrets", "configs"], Absent::Swarm),
    (&["build", "session", "grpc", "commit"], Absent::Yet("building images")),
    (&["plugins"], Absent::Never("plugins")),
    (&["auth", "distribution", "system"], Absent::Yet("this operation")),
];

#[derive(Clone, Copy, Debug)]
enum Absent {
    Swarm,
    Yet(&'static str),
    Never(&'static str),
}

/// There are no plugins.
pub(crate) fn no_plugins(_: &Engine, _: &Caller, _: Call) -> Result<Response> {
    Response::json(200, &[0_u8; 0])
}

/// Refuses an operation on something that there is.
pub(crate) fn not_yet(_: &Engine, _: &Caller, call: Call) -> Result<Response> {
    let operation = call.request.path.rsplit('/').next().unwrap_or_default();
    Err(Error::unsupported(format!("{operation}: not supported by this engine yet")))
}

/// No thing of a kind that there is none of: clients that look for a name among all kinds go on to the next.
pub(crate) fn no_such_plugin(_: &Engine, _: &Caller, call: Call) -> Result<Response> {
    Err(Error::not_found(format!("plugin {} not found", call.name)))
}

/// Refuses a path that has no handler.
pub(crate) fn refuse(_: &Engine, _: &Caller, call: Call) -> Result<Response> {
    let family = call.name.split('/').next().unwrap_or_default();
    let absent = FAMILIES.iter().find(|(families, _)| families.contains(&family)).map(|(_, absent)| *absent);
    Err(match absent {
        Some(Absent::Swarm) => Error::unavailable(
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.",
        ),
        Some(Absent::Yet(what)) => Error::unsupported(format!("{what}: not supported by this engine yet")),
        Some(Absent::Never(what)) => Error::unsupported(format!("{what}: not supported by this engine")),
        None => Error::not_found("page not found"),
    })
}
