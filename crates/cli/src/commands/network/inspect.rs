//! `network inspect`: everything of networks.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::format::inspection::{self, FORMAT};
use crate::session::Session;

pub(crate) static INSPECT: Command = Command {
    usage: "[OPTIONS] NETWORK [NETWORK...]",
    about: "Display detailed information on one or more networks",
    paths: &[],
    flags: &[&[FORMAT, Flag::switch("verbose", "Verbose output for diagnostics").short('v').refused()]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let client = session.client()?;
    inspection::inspect(session, matches, |name| client.inspect_network_json(name))
}
