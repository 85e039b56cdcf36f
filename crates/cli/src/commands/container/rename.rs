//! `rename`: gives a container another name.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::session::Session;

pub(crate) static RENAME: Command = Command {
    usage: "CONTAINER NEW_NAME",
    about: "Rename a container",
    paths: &["berth container rename", "berth rename"],
    flags: &[],
    arity: Arity::Exactly(2),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    session.client()?.rename_container(&matches.arguments[0], &matches.arguments[1])?;
    Ok(0)
}
