//! `network rm`: removes networks.

use base::Kind;

use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;

pub(crate) static REMOVE: Command = Command {
    usage: "NETWORK [NETWORK...]",
    about: "Remove one or more networks",
    paths: &["berth network rm", "berth network remove"],
    flags: &[&[Flag::switch("force", "Do not error if the network does not exist").short('f')]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let client = session.client()?;
    let mut errors = Vec::new();
    for name in &matches.arguments {
        match client.remove_network(name) {
            Ok(()) => session.print(&format!("{name}\n"))?,
            Err(error) if error.kind() == Kind::NotFound && matches.is("force") => {}
            Err(error) => errors.push(error),
        }
    }
    Failure::from_all(errors)
}
