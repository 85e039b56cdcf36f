//! Images.

mod history;
mod import;
mod inspect;
mod list;
mod prune;
mod pull;
mod push;
mod remove;
mod tag;

use base::Result;
use oci::reference::Reference;

use crate::command::{Action, Codes, Command, Entry};
use crate::flags::{Arity, Order};
use crate::session::Session;

pub(crate) use history::HISTORY;
pub(crate) use import::IMPORT;
pub(crate) use inspect::INSPECT;
pub(crate) use list::LIST;
pub(crate) use prune::PRUNE;
pub(crate) use pull::{PULL, Pull, Tags};
pub(crate) use push::PUSH;
pub(crate) use remove::{REMOVE, lines};
pub(crate) use tag::TAG;

/// Manages images.
pub(crate) static GROUP: Command = Command {
    usage: "COMMAND",
    about: "Manage images",
    paths: &[],
    flags: &[],
    arity: Arity::AtLeast(1),
    order: Order::First,
    codes: Codes::One,
    action: Action::Group(&[
        Entry::new("history", &HISTORY),
        Entry::new("import", &IMPORT),
        Entry::new("inspect", &INSPECT),
        Entry::new("ls", &LIST).with_aliases(&["list"]),
        Entry::new("prune", &PRUNE),
        Entry::new("pull", &PULL),
        Entry::new("push", &PUSH),
        Entry::new("rm", &REMOVE).with_aliases(&["remove"]),
        Entry::new("tag", &TAG),
    ]),
};

/// The user's credentials for the registry of `reference`, as the API takes them.
fn auth(session: &Session<'_>, reference: &Reference) -> Result<Option<api::types::Auth>> {
    Ok(session.credentials(reference)?.map(|credentials| api::types::Auth {
        username: credentials.username,
        password: credentials.password,
        auth: String::new(),
        serveraddress: credentials.server_address,
        identitytoken: credentials.identity_token,
        registrytoken: credentials.registry_token,
    }))
}
