//! `image prune`: removes images that nothing uses.

use super::remove::lines;
use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::session::Session;

pub(crate) static PRUNE: Command = Command {
    usage: "[OPTIONS]",
    about: "Remove unused images",
    paths: &[],
    flags: &[&[
        Flag::switch("all", "Remove all unused images, not just dangling ones").short('a'),
        Flag::list("filter", "Provide filter values (e.g. \"until=<timestamp>\")").kind(Kind::List("filter")),
        Flag::switch("force", "Do not prompt for confirmation").short('f'),
    ]],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

const DANGLING: &str = "WARNING! This will remove all dangling images.";
const ALL: &str = "WARNING! This will remove all images without at least one container associated to them.";

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let mut filters = crate::filter::parse(&matches.list("filter"))?;
    if matches.is("all") {
        filters.add("dangling", "false");
    }
    if !matches.is("force") {
        session.agree("image prune", if matches.is("all") { ALL } else { DANGLING })?;
    }
    let pruned = session.client()?.prune_images(&filters)?;
    if !pruned.images_deleted.is_empty() {
        session.print(&format!("Deleted Images:\n{}\n", lines(&pruned.images_deleted, ["untagged", "deleted"])))?;
    }
    session.print(&format!("Total reclaimed space: {}\n", base::size::format_decimal(pruned.space_reclaimed, 4)))?;
    Ok(0)
}
