//! Volumes.

use base::Result;
use engine::volumes::{RemoveVolumeRequest, VolumeRequest};
use engine::{Caller, Engine};

use crate::convert;
use crate::message::Response;
use crate::router::Call;
use crate::types::{VolumeCreate, VolumeList, VolumePrune};

pub(crate) fn list(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let found = engine.list_volumes(caller, &convert::filter(&call.query().filters()?))?;
    let volumes = found.into_iter().map(convert::volume::volume).collect();
    Response::json(200, &VolumeList { volumes, warnings: Vec::new() })
}

pub(crate) fn create(engine: &Engine, caller: &Caller, mut call: Call) -> Result<Response> {
    let body: VolumeCreate = call.request.json()?;
    let request =
        VolumeRequest { name: body.name, driver: body.driver, options: body.driver_opts, labels: body.labels };
    Response::json(201, &convert::volume::volume(engine.create_volume(caller, request)?))
}

pub(crate) fn inspect(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    Response::json(200, &convert::volume::volume(engine.inspect_volume(caller, &call.name)?))
}

pub(crate) fn remove(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    engine.remove_volume(caller, &call.name, RemoveVolumeRequest { force: call.query().flag("force") })?;
    Ok(Response::empty(204))
}

pub(crate) fn prune(engine: &Engine, caller: &Caller, call: Call) -> Result<Response> {
    let mut filter = convert::filter(&call.query().filters()?);
    if !call.version.prunes_only_anonymous_volumes() {
        filter.values.insert("all".to_owned(), vec!["true".to_owned()]);
    }
    let pruned = engine.prune_volumes(caller, &filter)?;
    Response::json(200, &VolumePrune { volumes_deleted: pruned.removed, space_reclaimed: pruned.reclaimed_bytes })
}
