//! Containers: `berth container …`, and the same verbs right after the program's name.

mod attach;
mod create;
mod exec;
mod inspect;
mod kill;
mod list;
mod logs;
mod pause;
mod port;
mod prune;
mod remove;
mod rename;
mod restart;
mod run;
mod start;
mod stop;
mod unpause;
mod update;
mod wait;

pub(crate) use attach::ATTACH;
pub(crate) use create::CREATE;
pub(crate) use exec::EXEC;
pub(crate) use inspect::INSPECT;
pub(crate) use kill::KILL;
pub(crate) use list::LIST;
pub(crate) use logs::LOGS;
pub(crate) use pause::PAUSE;
pub(crate) use port::PORT;
pub(crate) use prune::PRUNE;
pub(crate) use remove::REMOVE;
pub(crate) use rename::RENAME;
pub(crate) use restart::RESTART;
pub(crate) use run::RUN;
pub(crate) use start::START;
pub(crate) use stop::STOP;
pub(crate) use unpause::UNPAUSE;
pub(crate) use update::UPDATE;
pub(crate) use wait::WAIT;

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
    action: Action::Group(&[
        Entry::new("attach", &ATTACH),
        Entry::new("create", &CREATE),
        Entry::new("exec", &EXEC),
        Entry::new("inspect", &INSPECT),
        Entry::new("kill", &KILL),
        Entry::new("logs", &LOGS),
        Entry::new("ls", &LIST).with_aliases(&["list", "ps"]),
        Entry::new("pause", &PAUSE),
        Entry::new("port", &PORT),
        Entry::new("prune", &PRUNE),
        Entry::new("rename", &RENAME),
        Entry::new("restart", &RESTART),
        Entry::new("rm", &REMOVE).with_aliases(&["remove"]),
        Entry::new("run", &RUN),
        Entry::new("start", &START),
        Entry::new("stop", &STOP),
        Entry::new("unpause", &UNPAUSE),
        Entry::new("update", &UPDATE),
        Entry::new("wait", &WAIT),
    ]),
};

/// A container that already is as it is wanted is no failure.
fn unless_unchanged(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() == Kind::Unchanged => Ok(()),
        other => other,
    }
}
