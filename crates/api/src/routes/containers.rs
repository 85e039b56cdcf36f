//! Containers: everything that answers at once.

use base::{Error, Result};
use engine::containers::{ListRequest, RemoveRequest, ResourceLimits, RestartPolicy, StopRequest};
use engine::{Caller, Engine};
use serde_json::Value;

use crate::convert;
use crate::message::Response;
use crate::router::Call;
use crate::types::{ContainerPrune, CreateContainer, CreateResponse, HostConfig, UpdateResponse};

pub(crate) fn list(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let query = call.query();
    let request = ListRequest {
        all: query.flag("all"),
        limit: query.number::<i64>("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0),
        size: query.flag("size"),
        filter: convert::filter(&query.filters()?),
    };
    let found = engine.list_containers(caller, &request)?;
    let summaries: Vec<_> = found.into_iter().map(convert::list::summary).collect();
    Response::json(200, &summaries)
}

pub(crate) fn create(engine: &Engine, caller: &Caller, mut call: Call) -> Result<Response> {
    let body: CreateContainer = call.request.json()?;
    let request = convert::create::request(body, call.query().get("name"), call.query().get("platform"))?;
    let created = engine.create_container(caller, request)?;
    Response::json(201, &CreateResponse { id: created.id.to_string(), warnings: created.warnings })
}

pub(crate) fn inspect(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let details = engine.inspect_container(caller, &call.name)?;
    let mut container = convert::inspect::container(details);
    if call.query().flag("size") {
        let (writable, root) = engine.container_size(caller, &call.name)?;
        container.size_rw = i64::try_from(writable).ok();
        container.size_root_fs = i64::try_from(root).ok();
    }
    if call.version == crate::NEWEST_VERSION {
        return Response::json(200, &container);
    }
    let mut value = to_value(&container)?;
    call.version.adapt_container(&mut value);
    Response::json(200, &value)
}

pub(crate) fn start(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    engine.start_container(caller, &call.name)?;
    Ok(Response::empty(204))
}

pub(crate) fn stop(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    engine.stop_container(caller, &call.name, &stop_request(&call)?)?;
    Ok(Response::empty(204))
}

pub(crate) fn restart(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    engine.restart_container(caller, &call.name, &stop_request(&call)?)?;
    Ok(Response::empty(204))
}

fn stop_request(call: &Call) -> Result<StopRequest> {
    Ok(StopRequest {
        signal: call.query().get("signal").map(str::to_owned),
        timeout_seconds: call.query().number("t")?,
    })
}

pub(crate) fn kill(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    engine.kill_container(caller, &call.name, call.query().get("signal").unwrap_or_default())?;
    Ok(Response::empty(204))
}

pub(crate) fn rename(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let name = call.query().get("name").ok_or_else(|| Error::invalid("Neither old nor new names may be empty"))?;
    engine.rename_container(caller, &call.name, name)?;
    Ok(Response::empty(204))
}

pub(crate) fn pause(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    engine.pause_container(caller, &call.name)?;
    Ok(Response::empty(204))
}

pub(crate) fn unpause(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    engine.unpause_container(caller, &call.name)?;
    Ok(Response::empty(204))
}

pub(crate) fn resize(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let (height, width) = terminal_size(&call)?;
    engine.resize_container(caller, &call.name, height, width)?;
    Ok(Response::empty(200))
}

/// Height and width that a resize asks for.
pub(crate) fn terminal_size(call: &Call) -> Result<(u16, u16)> {
    let number = |name: &str| {
        call.query().number(name)?.ok_or_else(|| Error::invalid(format!("resize: {name} is missing: give h and w")))
    };
    Ok((number("h")?, number("w")?))
}

pub(crate) fn update(engine: &Engine, caller: &Caller, mut call: Call) -> Result<Response> {
    let body: HostConfig = call.request.json()?;
    let limits = convert::create::changed_limits(&body)?;
    let policy = RestartPolicy::from_parts(&body.restart_policy.name, body.restart_policy.maximum_retry_count)?;
    // The kernel may refuse limits; then nothing has changed.
    if limits != ResourceLimits::default() {
        engine.update_resources(caller, &call.name, &limits)?;
    }
    if !body.restart_policy.name.is_empty() {
        engine.update_restart_policy(caller, &call.name, policy)?;
    }
    Response::json(200, &UpdateResponse::default())
}

pub(crate) fn remove(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let query = call.query();
    if query.flag("link") {
        return Err(Error::unsupported("remove a link: there are none; containers find each other by network"));
    }
    let request = RemoveRequest { force: query.flag("force"), volumes: query.flag("v") };
    engine.remove_container(caller, &call.name, request)?;
    Ok(Response::empty(204))
}

pub(crate) fn prune(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let pruned = engine.prune_containers(caller, &convert::filter(&call.query().filters()?))?;
    let containers_deleted = pruned.removed.iter().map(ToString::to_string).collect();
    Response::json(200, &ContainerPrune { containers_deleted, space_reclaimed: pruned.reclaimed_bytes })
}

/// An answer that an older version wants otherwise.
pub(crate) fn to_value<T: serde::Serialize>(answer: &T) -> Result<Value> {
    serde_json::to_value(answer).map_err(|error| Error::internal(format!("encode a response: {error}")))
}
