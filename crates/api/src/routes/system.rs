//! The engine itself.

use std::io::Read;

use base::Result;
use engine::events::EventRequest;
use engine::{Caller, Engine, Polled};

use super::streams::{PATIENCE, Pieces};
use crate::convert;
use crate::message::{Method, Response, ResponseBody};
use crate::router::{Call, without_body};

pub(crate) fn ping(_: &Engine, _: &Caller, call: Call) -> Result<Response> {
    let mut response = Response::new(200, "text/plain; charset=utf-8", ResponseBody::Bytes(b"OK".to_vec()));
    for (name, value) in
        [("Cache-Control", "no-cache, no-store, must-revalidate"), ("Pragma", "no-cache"), ("Swarm", "inactive")]
    {
        response.headers.add(name, value);
    }
    Ok(if call.request.method == Method::Head { without_body(response) } else { response })
}

pub(crate) fn version(engine: &Engine, _: &Caller, _: Call) -> Result<Response> {
    Response::json(200, &convert::system::version(engine.version()))
}

pub(crate) fn info(engine: &Engine, caller: &Caller, _: Call) -> Result<Response> {
    let mut info = convert::system::info(engine.info(caller)?);
    info.debug = engine.configuration().debug;
    Response::json(200, &info)
}

pub(crate) fn events(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let query = call.query();
    let request = EventRequest {
        since: convert::time(query.get("since"))?,
        until: convert::time(query.get("until"))?,
        filter: convert::filter(&query.filters()?),
    };
    let mut events = engine.events(caller, &request)?;
    let lines = Pieces::new(move || {
        Ok(match events.poll_event(PATIENCE)? {
            Polled::Item(event) => Polled::Item(convert::system::event_line(event)?),
            Polled::Nothing => Polled::Nothing,
            Polled::End => Polled::End,
        })
    });
    let reader: Box<dyn Read + Send> = Box::new(lines);
    Ok(Response::new(200, "application/json", ResponseBody::Reader(reader)))
}
