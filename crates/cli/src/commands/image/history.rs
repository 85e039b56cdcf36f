//! `history`: how an image came to be.

use api::types::ImageHistory;

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::format::ago;
use crate::format::ids::Ids;
use crate::format::list::{FORMAT, Listing, Row};
use crate::session::Session;

pub(crate) static HISTORY: Command = Command {
    usage: "[OPTIONS] IMAGE",
    about: "Show the history of an image",
    paths: &["berth image history", "berth history"],
    flags: &[&[
        FORMAT,
        Flag::switch("human", "Print sizes and dates in human readable format").short('H').default("true"),
        Flag::switch("no-trunc", "Don't truncate output"),
        Flag::text("platform", "Show history for the given platform").refused(),
        Flag::switch("quiet", "Only show image IDs").short('q'),
    ]],
    arity: Arity::Exactly(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

const LISTING: Listing = Listing {
    what: "image history",
    headers: &[
        ("ID", "IMAGE"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("Size", "SIZE"),
        ("Comment", "COMMENT"),
    ],
    table: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
    quiet: "{{.ID}}",
};

const EXACT: Listing = Listing { table: "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}", ..LISTING };

/// So much of an instruction is shown.
const INSTRUCTION_LENGTH: usize = 45;

/// How numbers and texts are shown.
#[derive(Clone, Copy, Debug)]
struct Detail {
    is_human: bool,
    ids: Ids,
}

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let ids = if matches.is("no-trunc") { Ids::Whole } else { Ids::Short };
    let detail = Detail { is_human: matches.is("human"), ids };
    let listing = if detail.is_human { LISTING } else { EXACT };
    let steps = session.client()?.image_history(&matches.arguments[0])?;
    let rows = steps.iter().map(|step| row(step, detail)).collect();
    session.print(&listing.render(listing.format(matches, ""), rows)?)?;
    Ok(0)
}

fn row(step: &ImageHistory, detail: Detail) -> Row {
    let bytes = u64::try_from(step.size).unwrap_or(0);
    let instruction = step.created_by.replace('\t', " ");
    let instruction = match detail.ids {
        Ids::Short if instruction.chars().count() > INSTRUCTION_LENGTH => {
            instruction.chars().take(INSTRUCTION_LENGTH - 1).chain(['…']).collect()
        }
        _ => instruction,
    };
    let created_at = if step.created > 0 { ago::rfc3339(step.created) } else { "N/A".to_owned() };
    Row::default()
        .with("ID", detail.ids.show(&step.id))
        .with("CreatedSince", ago::since(step.created).unwrap_or_else(|| "N/A".to_owned()))
        .with("CreatedAt", created_at)
        .with("CreatedBy", instruction)
        .with("Size", if detail.is_human { base::size::format_decimal(bytes, 3) } else { bytes.to_string() })
        .with("Comment", step.comment.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_cut_and_sizes_are_rounded() {
        let step = ImageHistory {
            id: "<missing>".to_owned(),
            created: 1_700_000_000,
            created_by: format!("RUN\t{}", "x".repeat(60)),
            size: 4_261_550,
            ..ImageHistory::default()
        };
        let short = LISTING.render(None, vec![row(&step, Detail { is_human: true, ids: Ids::Short })]).unwrap();
        let line = short.lines().nth(1).unwrap();
        assert!(
            line.starts_with("<missing>")
                && line.contains(&format!("RUN {}…", "x".repeat(40)))
                && line.contains("4.26MB"),
            "{line}"
        );
        let exact = EXACT.render(None, vec![row(&step, Detail { is_human: false, ids: Ids::Whole })]).unwrap();
        assert!(
            exact.contains("2023-11-14T22:13:20Z") && exact.contains(&"x".repeat(60)) && exact.contains("4261550"),
            "{exact}"
        );
    }
}
