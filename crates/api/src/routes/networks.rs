//! Networks.

use base::{Error, Kind, Result};
use engine::{Caller, Engine};

use crate::convert;
use crate::message::Response;
use crate::router::Call;
use crate::types::{NetworkConnect, NetworkCreate, NetworkCreated, NetworkDisconnect, NetworkPrune};

pub(crate) fn list(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let found = engine.list_networks(caller, &convert::filter(&call.query().filters()?))?;
    let networks: Vec<_> = found.into_iter().map(convert::network::network).collect();
    Response::json(200, &networks)
}

pub(crate) fn create(engine: &Engine, caller: &Caller, mut call: Call) -> Result<Response> {
    let body: NetworkCreate = call.request.json()?;
    let id = engine.create_network(caller, &convert::network::request(body)?)?;
    Response::json(201, &NetworkCreated { id: id.to_string(), warning: String::new() })
}

pub(crate) fn inspect(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let scope = call.query().get("scope").unwrap_or("local");
    if scope != "local" {
        return Err(Error::not_found(format!("network {} not found in the scope {scope}", call.name)));
    }
    Response::json(200, &convert::network::details(engine.inspect_network(caller, &call.name)?))
}

pub(crate) fn remove(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    engine.remove_network(caller, &call.name)?;
    Ok(Response::empty(204))
}

pub(crate) fn connect(engine: &Engine, caller: &Caller, mut call: Call) -> Result<Response> {
    let body: NetworkConnect = call.request.json()?;
    let request = convert::network::endpoint_request("EndpointConfig", body.endpoint_config.unwrap_or_default())?;
    engine.connect_network(caller, &call.name, &body.container, request)?;
    Ok(Response::empty(200))
}

pub(crate) fn disconnect(engine: &Engine, caller: &Caller, mut call: Call) -> Result<Response> {
    let body: NetworkDisconnect = call.request.json()?;
    match engine.disconnect_network(caller, &call.name, &body.container) {
        // It is as it was to be.
        Err(error) if body.force && error.kind() == Kind::NotFound => {}
        outcome => outcome?,
    }
    Ok(Response::empty(200))
}

pub(crate) fn prune(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let networks_deleted = engine.prune_networks(caller, &convert::filter(&call.query().filters()?))?;
    Response::json(200, &NetworkPrune { networks_deleted })
}
