//! `pause`: freezes containers.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::session::Session;

pub(crate) static PAUSE: Command = Command {
    usage: "CONTAINER [CONTAINER...]",
    about: "Pause all processes within one or more containers",
    paths: &["berth container pause", "berth pause"],
    flags: &[],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    session.each(&matches.arguments, |client, name| {
        client.pause_container(name)?;
        Ok(name.to_owned())
    })
}
