//! `system prune`: removes stopped containers, unused networks and images, and volumes where they are asked for.

use api::Filters;

use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::session::Session;

pub(crate) static PRUNE: Command = Command {
    usage: "[OPTIONS]",
    about: "Remove unused data",
    paths: &[],
    flags: &[&[
        Flag::switch("all", "Remove all unused images, not just dangling ones").short('a'),
        Flag::list("filter", "Provide filter values (e.g. \"label=<key>=<value>\")").kind(Kind::List("filter")),
        Flag::switch("force", "Do not prompt for confirmation").short('f'),
        Flag::switch("volumes", "Prune anonymous volumes"),
    ]],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let filters = crate::filter::parse(&matches.list("filter"))?;
    let has_volumes = matches.is("volumes");
    if has_volumes && filters.get("until").next().is_some() {
        return Err(Failure::usage("the \"until\" filter is not supported with \"--volumes\""));
    }
    if !matches.is("force") {
        session.agree("system prune", &warning(matches))?;
    }
    let mut reclaimed = prune_containers(session, &filters)?;
    let pruned = session.client()?.prune_networks(&filters)?;
    say(session, "Deleted Networks:", &pruned.networks_deleted.join("\n"))?;
    if has_volumes {
        let pruned = session.client()?.prune_volumes(&filters)?;
        say(session, "Deleted Volumes:", &pruned.volumes_deleted.join("\n"))?;
        reclaimed += pruned.space_reclaimed;
    }
    let mut of_images = filters;
    if matches.is("all") {
        of_images.add("dangling", "false");
    }
    let pruned = session.client()?.prune_images(&of_images)?;
    let deleted = crate::commands::image::lines(&pruned.images_deleted, ["untagged", "deleted"]);
    say(session, "Deleted Images:", deleted.trim_end())?;
    reclaimed += pruned.space_reclaimed;
    session.print(&format!("Total reclaimed space: {}\n", base::size::format_decimal(reclaimed, 4)))?;
    Ok(0)
}

fn prune_containers(session: &Session<'_>, filters: &Filters) -> Result<u64, Failure> {
    let pruned = session.client()?.prune_containers(filters)?;
    say(session, "Deleted Containers:", &pruned.containers_deleted.join("\n"))?;
    Ok(pruned.space_reclaimed)
}

fn say(session: &Session<'_>, title: &str, lines: &str) -> Result<(), Failure> {
    if lines.is_empty() { Ok(()) } else { session.print(&format!("{title}\n{lines}\n\n")) }
}

fn warning(matches: &Matches) -> String {
    let mut text = String::from("WARNING! This will remove:\n  - all stopped containers\n");
    text.push_str("  - all networks not used by at least one container\n");
    if matches.is("volumes") {
        text.push_str("  - all anonymous volumes not used by at least one container\n");
    }
    text.push_str(match matches.is("all") {
        true => "  - all images without at least one container associated to them\n",
        false => "  - all dangling images\n",
    });
    text
}
