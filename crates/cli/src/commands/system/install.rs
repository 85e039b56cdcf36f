//! `system install`: installs the unit of the service manager.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::session::Session;

pub(crate) static INSTALL: Command = Command {
    usage: "",
    about: "Install the systemd unit that starts and stops containers with the host",
    paths: &[],
    flags: &[],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, _: &Matches) -> Outcome {
    session.refuse_host("system install")?;
    for line in (session.environment.hooks.install)(&session.globals)? {
        session.print(&format!("{line}\n"))?;
    }
    Ok(0)
}
