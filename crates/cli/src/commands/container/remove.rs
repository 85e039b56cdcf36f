//! `rm`: removes containers.

use api::client::RemoveOptions;
use base::Kind;

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;

pub(crate) static REMOVE: Command = Command {
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Remove one or more containers",
    paths: &["berth container rm", "berth container remove", "berth rm"],
    flags: &[&[
        Flag::switch("force", "Force the removal of a running container (uses SIGKILL)").short('f'),
        Flag::switch("link", "Remove the specified link").short('l').refused(),
        Flag::switch("volumes", "Remove anonymous volumes associated with the container").short('v'),
    ]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let options = RemoveOptions { force: matches.is("force"), volumes: matches.is("volumes"), link: false };
    session.each_at_once(&matches.arguments, |client, name| {
        match client.remove_container(name, options) {
            // Whoever forces wants it gone; that it is gone already is only said.
            Err(error) if options.force && error.kind() == Kind::NotFound => Err(error.with_kind(Kind::Unchanged)),
            Err(error) => Err(error),
            Ok(()) => Ok(name.to_owned()),
        }
    })
}
