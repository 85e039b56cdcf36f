//! `network disconnect`: takes a container off a network.

use api::types::NetworkDisconnect;

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;

pub(crate) static DISCONNECT: Command = Command {
    usage: "[OPTIONS] NETWORK CONTAINER",
    about: "Disconnect a container from a network",
    paths: &[],
    flags: &[&[Flag::switch("force", "Force the container to disconnect from a network").short('f')]],
    arity: Arity::Exactly(2),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let body = NetworkDisconnect { container: matches.arguments[1].clone(), force: matches.is("force") };
    session.client()?.disconnect_network(&matches.arguments[0], &body)?;
    Ok(0)
}
