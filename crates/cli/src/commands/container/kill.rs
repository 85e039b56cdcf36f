//! `kill`: sends a signal.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;

pub(crate) static KILL: Command = Command {
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Kill one or more running containers",
    paths: &["berth container kill", "berth kill"],
    flags: &[&[Flag::text("signal", "Signal to send to the container").short('s')]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let signal = matches.text("signal").unwrap_or_default();
    session.each_at_once(&matches.arguments, |client, name| {
        client.kill_container(name, signal)?;
        Ok(name.to_owned())
    })
}
