//! `network prune`: removes networks that no container is on.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::session::Session;

pub(crate) static PRUNE: Command = Command {
    usage: "[OPTIONS]",
    about: "Remove all unused networks",
    paths: &[],
    flags: &[&[
        Flag::list("filter", "Provide filter values (e.g. \"until=<timestamp>\")").kind(Kind::List("filter")),
        Flag::switch("force", "Do not prompt for confirmation").short('f'),
    ]],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let filters = crate::filter::parse(&matches.list("filter"))?;
    if !matches.is("force") {
        let warning = "WARNING! This will remove all custom networks not used by at least one container.";
        session.agree("network prune", warning)?;
    }
    let pruned = session.client()?.prune_networks(&filters)?;
    if !pruned.networks_deleted.is_empty() {
        session.print(&format!("Deleted Networks:\n{}\n\n", pruned.networks_deleted.join("\n")))?;
    }
    Ok(0)
}
