//! `volume prune`: removes volumes that no container uses.

use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::session::Session;

pub(crate) static PRUNE: Command = Command {
    usage: "[OPTIONS]",
    about: "Remove unused local volumes",
    paths: &[],
    flags: &[&[
        Flag::switch("all", "Remove all unused volumes, not just anonymous ones").short('a'),
        Flag::list("filter", "Provide filter values (e.g. \"label=<label>\")").kind(Kind::List("filter")),
        Flag::switch("force", "Do not prompt for confirmation").short('f'),
    ]],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

const ANONYMOUS: &str = "WARNING! This will remove anonymous local volumes not used by at least one container.";
const ALL: &str = "WARNING! This will remove all local volumes not used by at least one container.";

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let mut filters = crate::filter::parse(&matches.list("filter"))?;
    if matches.is("all") {
        if filters.get("all").next().is_some() {
            return Err(Failure::usage("conflicting options: cannot specify both --all and --filter all=1"));
        }
        filters.add("all", "true");
    }
    if !matches.is("force") {
        session.agree("volume prune", if filters.get("all").next().is_some() { ALL } else { ANONYMOUS })?;
    }
    let pruned = session.client()?.prune_volumes(&filters)?;
    if !pruned.volumes_deleted.is_empty() {
        session.print(&format!("Deleted Volumes:\n{}\n\n", pruned.volumes_deleted.join("\n")))?;
    }
    session.print(&format!("Total reclaimed space: {}\n", base::size::format_decimal(pruned.space_reclaimed, 4)))?;
    Ok(0)
}
