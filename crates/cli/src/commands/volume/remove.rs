//! `volume rm`: removes volumes.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;

pub(crate) static REMOVE: Command = Command {
    usage: "[OPTIONS] VOLUME [VOLUME...]",
    about: "Remove one or more volumes",
    paths: &["berth volume rm", "berth volume remove"],
    flags: &[&[Flag::switch("force", "Force the removal of one or more volumes").short('f')]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    session.each(&matches.arguments, |client, name| {
        match matches.is("force") {
            true => client.remove_volume_if_present(name)?,
            false => client.remove_volume(name)?,
        }
        Ok(name.to_owned())
    })
}
