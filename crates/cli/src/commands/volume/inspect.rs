//! `volume inspect`: everything of volumes.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::format::inspection::{self, FORMAT};
use crate::session::Session;

pub(crate) static INSPECT: Command = Command {
    usage: "[OPTIONS] VOLUME [VOLUME...]",
    about: "Display detailed information on one or more volumes",
    paths: &[],
    flags: &[&[FORMAT]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let client = session.client()?;
    inspection::inspect(session, matches, |name| client.inspect_volume_json(name))
}
