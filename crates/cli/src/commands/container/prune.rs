//! `container prune`: removes every container that is down.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::session::Session;

pub(crate) static PRUNE: Command = Command {
    usage: "[OPTIONS]",
    about: "Remove all stopped containers",
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
        session.agree("container prune", "WARNING! This will remove all stopped containers.")?;
    }
    let pruned = session.client()?.prune_containers(&filters)?;
    if !pruned.containers_deleted.is_empty() {
        session.print(&format!("Deleted Containers:\n{}\n\n", pruned.containers_deleted.join("\n")))?;
    }
    session.print(&format!("Total reclaimed space: {}\n", base::size::format_decimal(pruned.space_reclaimed, 4)))?;
    Ok(0)
}
