//! `rmi`: removes names of images, and with the last one the image.

use api::client::RemoveImageOptions;
use api::types::ImageDelete;
use base::Kind;

use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::flags::{Arity, Flag, Kind as FlagKind, Matches, Order};
use crate::session::Session;

pub(crate) static REMOVE: Command = Command {
    usage: "[OPTIONS] IMAGE [IMAGE...]",
    about: "Remove one or more images",
    paths: &["berth image rm", "berth image remove", "berth rmi"],
    flags: &[&[
        Flag::switch("force", "Force removal of the image").short('f'),
        Flag::switch("no-prune", "Do not delete untagged parents"),
        Flag::text("platform", "Remove only the given platform variant").kind(FlagKind::List("strings")).refused(),
    ]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let options = RemoveImageOptions { force: matches.is("force"), no_prune: matches.is("no-prune") };
    let client = session.client()?;
    let mut errors = Vec::new();
    for name in &matches.arguments {
        match client.remove_image(name, options) {
            Ok(removed) => session.print(&lines(&removed, ["Untagged", "Deleted"]))?,
            // What is not there need not be removed by force, but it may have been misspelled.
            Err(error) if options.force && error.kind() == Kind::NotFound => session.warn(&error.to_string()),
            Err(error) => errors.push(error),
        }
    }
    Failure::from_all(errors)
}

/// A line for each thing that was removed.
pub(crate) fn lines(removed: &[ImageDelete], [untagged, deleted]: [&str; 2]) -> String {
    let mut text = String::new();
    for thing in removed {
        if let Some(digest) = &thing.deleted {
            text.push_str(&format!("{deleted}: {digest}\n"));
        } else if let Some(name) = &thing.untagged {
            text.push_str(&format!("{untagged}: {name}\n"));
        }
    }
    text
}
