//! `restart`: stops containers and starts them again.

use super::stop;
use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::session::Session;

pub(crate) static RESTART: Command = Command {
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Restart one or more containers",
    paths: &["berth container restart", "berth restart"],
    flags: &[stop::FLAGS],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let options = stop::options(matches);
    session.each_at_once(&matches.arguments, |client, name| {
        client.restart_container(name, &options)?;
        Ok(name.to_owned())
    })
}
