//! `inspect`: everything of a thing, whatever it is.

use api::Client;
use base::{Error, Kind, Result};

use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::format::inspection::{self, FORMAT};
use crate::session::Session;

pub(crate) static INSPECT: Command = Command {
    usage: "[OPTIONS] NAME|ID [NAME|ID...]",
    about: "Return low-level information on objects",
    paths: &[],
    flags: &[&[
        FORMAT,
        Flag::switch("size", "Display total file sizes if the type is container").short('s'),
        Flag::text("type", "Only inspect objects of the given type"),
    ]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

/// What can be inspected, in the order in which a name is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Container,
    ContainerWithSize,
    Image,
    Network,
    Volume,
}

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let types = types(matches)?;
    let client = session.client()?;
    inspection::inspect(session, matches, |name| {
        for one in &types {
            match read(client, *one, name) {
                Err(error) if error.kind() == Kind::NotFound => {}
                outcome => return outcome,
            }
        }
        Err(Error::not_found(format!("No such {}: {name}", matches.text("type").unwrap_or("object"))))
    })
}

fn types(matches: &Matches) -> Result<Vec<Type>, Failure> {
    let container = if matches.is("size") { Type::ContainerWithSize } else { Type::Container };
    Ok(match matches.text("type").unwrap_or_default() {
        "" => vec![container, Type::Image, Type::Network, Type::Volume],
        "container" => vec![container],
        "image" => vec![Type::Image],
        "network" => vec![Type::Network],
        "volume" => vec![Type::Volume],
        other @ ("config" | "node" | "plugin" | "secret" | "service" | "task") => {
            return Err(Error::unsupported(format!("not supported: --type {other}")).into());
        }
        other => {
            let message = format!("{other:?} is not a valid value for --type: use container, image, network or volume");
            return Err(Error::invalid(message).into());
        }
    })
}

fn read(client: &Client, one: Type, name: &str) -> Result<Vec<u8>> {
    match one {
        Type::Container => client.inspect_container_json(name),
        Type::ContainerWithSize => client.inspect_container_json_with_size(name),
        Type::Image => client.inspect_image_json(name),
        Type::Network => client.inspect_network_json(name),
        Type::Volume => client.inspect_volume_json(name),
    }
}
