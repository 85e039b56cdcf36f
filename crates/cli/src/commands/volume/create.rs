//! `volume create`: makes a volume.

use api::types::{Map, VolumeCreate};
use base::{Error, Result};

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::session::Session;

pub(crate) static CREATE: Command = Command {
    usage: "[OPTIONS] [VOLUME]",
    about: "Create a volume",
    paths: &[],
    flags: &[
        &[
            Flag::text("driver", "Specify volume driver name").short('d').default("local"),
            Flag::list("label", "Set metadata for a volume"),
            Flag::text("name", "").hidden(),
            Flag::list("opt", "Set driver specific options").short('o').kind(Kind::List("map")),
        ],
        CLUSTER,
    ],
    arity: Arity::AtMost(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

/// What only volumes of a swarm have.
static CLUSTER: &[Flag] = &[
    Flag::text("availability", "Cluster Volume availability").default("active").refused(),
    Flag::text("group", "Cluster Volume group").refused(),
    Flag::bytes("limit-bytes", "Minimum size of the Cluster Volume in bytes").refused(),
    Flag::bytes("required-bytes", "Maximum size of the Cluster Volume in bytes").refused(),
    Flag::text("scope", "Cluster Volume access scope").default("single").refused(),
    Flag::list("secret", "Cluster Volume secrets").kind(Kind::List("map")).refused(),
    Flag::text("sharing", "Cluster Volume access sharing").default("none").refused(),
    Flag::list("topology-preferred", "A topology that the Cluster Volume would be preferred in").refused(),
    Flag::list("topology-required", "A topology that the Cluster Volume must be accessible from").refused(),
    Flag::text("type", "Cluster Volume access type").default("block").refused(),
];

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let name = match (matches.arguments.first(), matches.text("name")) {
        (Some(name), Some(other)) if name != other => {
            return Err(Error::invalid("volume create: --name and an argument both name the volume: give one").into());
        }
        (Some(name), _) => name.clone(),
        (None, name) => name.unwrap_or_default().to_owned(),
    };
    let body = VolumeCreate {
        name,
        driver: matches.text("driver").unwrap_or("local").to_owned(),
        driver_opts: pairs(&matches.list("opt"), "--opt")?,
        labels: pairs(&matches.list("label"), "--label")?,
    };
    let volume = session.client()?.create_volume(&body)?;
    session.print(&format!("{}\n", volume.name))?;
    Ok(0)
}

/// `KEY=VALUE` each; a key alone has an empty value.
fn pairs(values: &[&str], flag: &str) -> Result<Map> {
    let mut map = Map::new();
    for text in values {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        if key.is_empty() {
            return Err(Error::invalid(format!("invalid argument {text:?} for \"{flag}\" flag: use KEY=VALUE")));
        }
        map.insert(key.to_owned(), value.to_owned());
    }
    Ok(map)
}
