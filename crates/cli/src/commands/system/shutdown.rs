//! `system shutdown`: stops everything for a shutdown of the host.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::session::Session;

pub(crate) static SHUTDOWN: Command = Command {
    usage: "",
    about: "Stop all containers for a shutdown of the host",
    paths: &[],
    flags: &[],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, _: &Matches) -> Outcome {
    session.refuse_host("system shutdown")?;
    for line in (session.environment.hooks.shutdown)(&session.globals)? {
        session.print(&format!("{line}\n"))?;
    }
    Ok(0)
}
