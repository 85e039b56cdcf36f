//! `stop`: ends containers with their own signal, and kills what does not end in time.

use api::client::StopOptions;

use super::unless_unchanged;
use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;

pub(crate) static STOP: Command = Command {
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Stop one or more running containers",
    paths: &["berth container stop", "berth stop"],
    flags: &[FLAGS],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

/// What `stop` and `restart` take.
pub(super) static FLAGS: &[Flag] = &[
    Flag::text("signal", "Signal to send to the container").short('s'),
    Flag::integer("timeout", "Seconds to wait before killing the container").short('t').former("time"),
];

/// What the flags of `stop` and `restart` say.
pub(super) fn options(matches: &Matches) -> StopOptions {
    let signal = matches.text("signal").filter(|signal| !signal.is_empty());
    StopOptions { signal: signal.map(str::to_owned), timeout_seconds: matches.number("timeout") }
}

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let options = options(matches);
    session.each_at_once(&matches.arguments, |client, name| {
        unless_unchanged(client.stop_container(name, &options))?;
        Ok(name.to_owned())
    })
}
