//! Containers: `berth container …`, and the same verbs right after the program's name.

mod create;
mod run;
mod start;

pub(crate) use create::CREATE;
pub(crate) use run::RUN;
pub(crate) use start::START;

use base::{Kind, Result};

use crate::command::{Action, Codes, Command, Entry};
use crate::flags::{Arity, Order};

/// Manages containers.
pub(crate) static GROUP: Command = Command {
    usage: "COMMAND",
    about: "Manage containers",
    paths: &[],
    flags: &[],
    arity: Arity::AtLeast(1),
    order: Order::First,
    codes: Codes::One,
    action: Action::Group(&[Entry::new("create", &CREATE), Entry::new("run", &RUN), Entry::new("start", &START)]),
};

/// A container that already is as it is wanted is no failure.
fn unless_unchanged(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() == Kind::Unchanged => Ok(()),
        other => other,
    }
}
