//! `berth network`: manage networks.

mod connect;
mod create;
mod disconnect;
mod inspect;
mod list;
mod prune;
mod reload;
mod remove;

use crate::command::{Action, Codes, Command, Entry};
use crate::flags::{Arity, Kind, Order};

pub(crate) static GROUP: Command = Command {
    usage: "COMMAND",
    about: "Manage networks",
    paths: &[],
    flags: &[],
    arity: Arity::None,
    order: Order::First,
    codes: Codes::One,
    action: Action::Group(ENTRIES),
};

static ENTRIES: &[Entry] = &[
    Entry::new("connect", &connect::CONNECT),
    Entry::new("create", &create::CREATE),
    Entry::new("disconnect", &disconnect::DISCONNECT),
    Entry::new("inspect", &inspect::INSPECT),
    Entry::new("ls", &list::LIST).with_aliases(&["list"]),
    Entry::new("prune", &prune::PRUNE),
    Entry::new("reload", &reload::RELOAD),
    Entry::new("rm", &remove::REMOVE).with_aliases(&["remove"]),
];

/// A flag whose values may stand in one, separated by commas.
const STRINGS: Kind = Kind::List("strings");

fn separated(values: &[&str]) -> Vec<String> {
    values.iter().flat_map(|value| value.split(',')).filter(|value| !value.is_empty()).map(str::to_owned).collect()
}
