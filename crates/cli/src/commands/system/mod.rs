//! `berth system`: manage berth.

mod boot;
mod daemon;
mod events;
mod info;
mod install;
mod prune;
mod shutdown;
mod version;

use crate::command::{Action, Codes, Command, Entry};
use crate::flags::{Arity, Order};

pub(crate) use daemon::DAEMON;
pub(crate) use events::EVENTS;
pub(crate) use info::INFO;
pub(crate) use version::VERSION;

pub(crate) static GROUP: Command = Command {
    usage: "COMMAND",
    about: "Manage berth",
    paths: &[],
    flags: &[],
    arity: Arity::None,
    order: Order::First,
    codes: Codes::One,
    action: Action::Group(ENTRIES),
};

static ENTRIES: &[Entry] = &[
    Entry::new("boot", &boot::BOOT),
    Entry::new("events", &EVENTS),
    Entry::new("info", &INFO),
    Entry::new("install", &install::INSTALL),
    Entry::new("prune", &prune::PRUNE),
    Entry::new("shutdown", &shutdown::SHUTDOWN),
];
