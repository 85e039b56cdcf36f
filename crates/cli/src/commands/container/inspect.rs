//! `container inspect`: everything of containers.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::format::inspection::{self, FORMAT};
use crate::session::Session;

pub(crate) static INSPECT: Command = Command {
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Display detailed information on one or more containers",
    paths: &[],
    flags: &[&[FORMAT, Flag::switch("size", "Display total file sizes").short('s')]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let client = session.client()?;
    let is_sized = matches.is("size");
    inspection::inspect(session, matches, |name| match is_sized {
        true => client.inspect_container_json_with_size(name),
        false => client.inspect_container_json(name),
    })
}
