//! `system boot`: brings up what should run after a boot.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::session::Session;

pub(crate) static BOOT: Command = Command {
    usage: "",
    about: "Start what should run after a boot of the host",
    paths: &[],
    flags: &[],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, _: &Matches) -> Outcome {
    session.refuse_host("system boot")?;
    for line in (session.environment.hooks.boot)(&session.globals)? {
        session.print(&format!("{line}\n"))?;
    }
    Ok(0)
}
