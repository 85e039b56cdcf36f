//! `berth container`: manage containers.

use crate::command::{Action, Codes, Command, Entry};
use crate::flags::{Arity, Order};

pub(crate) static GROUP: Command = Command {
    usage: "COMMAND",
    about: "Manage containers",
    paths: &[],
    flags: &[],
    arity: Arity::None,
    order: Order::First,
    codes: Codes::One,
    action: Action::Group(ENTRIES),
};

static ENTRIES: &[Entry] = &[];
