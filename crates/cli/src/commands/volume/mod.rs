//! `berth volume`: manage volumes.

mod create;
mod inspect;
mod list;
mod prune;
mod remove;

use crate::command::{Action, Codes, Command, Entry};
use crate::flags::{Arity, Order};

pub(crate) static GROUP: Command = Command {
    usage: "COMMAND",
    about: "Manage volumes",
    paths: &[],
    flags: &[],
    arity: Arity::None,
    order: Order::First,
    codes: Codes::One,
    action: Action::Group(ENTRIES),
};

static ENTRIES: &[Entry] = &[
    Entry::new("create", &create::CREATE),
    Entry::new("inspect", &inspect::INSPECT),
    Entry::new("ls", &list::LIST).with_aliases(&["list"]),
    Entry::new("prune", &prune::PRUNE),
    Entry::new("rm", &remove::REMOVE).with_aliases(&["remove"]),
];
