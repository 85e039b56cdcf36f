//! `network reload`: puts back what another program took away.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::session::Session;

pub(crate) static RELOAD: Command = Command {
    usage: "",
    about: "Put back bridges and rules that another program took away",
    paths: &[],
    flags: &[],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, _: &Matches) -> Outcome {
    session.refuse_host("network reload")?;
    (session.environment.hooks.reload_networks)(&session.globals)?;
    Ok(0)
}
