//! `images`: lists what is there, a line for each name.

use std::collections::BTreeMap;

use api::Filters;
use api::types::ImageSummary;
use base::Result;

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::format::ago;
use crate::format::ids::Ids;
use crate::format::list::{Listing, Row};
use crate::session::Session;

pub(crate) static LIST: Command = Command {
    usage: "[OPTIONS] [REPOSITORY[:TAG]]",
    about: "List images",
    paths: &["berth image ls", "berth image list", "berth images"],
    flags: &[&[
        Flag::switch("all", "Show all images (default hides intermediate images)").short('a'),
        Flag::switch("digests", "Show digests"),
        Flag::list("filter", "Filter output based on conditions provided")
            .short('f')
            .kind(crate::flags::Kind::List("filter")),
        crate::format::list::FORMAT,
        Flag::switch("no-trunc", "Don't truncate output"),
        Flag::switch("quiet", "Only show image IDs").short('q'),
        Flag::switch("tree", "List multi-platform images as a tree (EXPERIMENTAL)").refused(),
    ]],
    arity: Arity::AtMost(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

const LISTING: Listing = Listing {
    what: "image",
    headers: &[
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("Digest", "DIGEST"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("Size", "SIZE"),
        ("Containers", "CONTAINERS"),
        ("VirtualSize", "SIZE"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
    ],
    table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}",
    quiet: "{{.ID}}",
};

const WITH_DIGESTS: Listing = Listing {
    table: "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}",
    ..LISTING
};

const NONE: &str = "<none>";

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let mut filters = crate::filter::parse(&matches.list("filter"))?;
    if let Some(reference) = matches.arguments.first() {
        filters.add("reference", reference.as_str());
    }
    let text = list(session, matches, &filters)?;
    session.print(&text)?;
    Ok(0)
}

fn list(session: &Session<'_>, matches: &Matches, filters: &Filters) -> Result<String> {
    let listing = if matches.is("digests") { WITH_DIGESTS } else { LISTING };
    let format = listing.format(matches, &session.configuration()?.images_format);
    let names = match matches.is("digests") || format.is_some_and(|format| format.contains(".Digest")) {
        true => Names::WithDigests,
        false => Names::Tags,
    };
    let length = if matches.is("no-trunc") { Ids::Whole } else { Ids::Short };
    let images = session.client()?.list_images(filters)?;
    let rows = images.iter().flat_map(|image| {
        names_of(image, names).into_iter().map(move |name| {
            row(image, length).with("Repository", name.repository).with("Tag", name.tag).with("Digest", name.digest)
        })
    });
    listing.render(format, rows.collect())
}

/// For what there is a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// Each tag.
    Tags,
    /// Each tag at each digest.
    WithDigests,
}

#[derive(Debug, PartialEq, Eq)]
struct Name {
    repository: String,
    tag: String,
    digest: String,
}

/// The lines of an image; one without any name has one line.
fn names_of(image: &ImageSummary, names: Names) -> Vec<Name> {
    let mut repositories: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for (repository, tag) in image.repo_tags.iter().filter_map(|name| name.rsplit_once(':')) {
        repositories.entry(repository).or_default().0.push(tag);
    }
    for (repository, digest) in image.repo_digests.iter().filter_map(|name| name.split_once('@')) {
        repositories.entry(repository).or_default().1.push(digest);
    }
    if repositories.is_empty() {
        repositories.insert(NONE, (Vec::new(), Vec::new()));
    }
    let mut found = Vec::new();
    for (repository, (mut tags, mut digests)) in repositories {
        if tags.is_empty() {
            tags.push(NONE);
        }
        if digests.is_empty() || names == Names::Tags {
            digests = vec![NONE];
        }
        for tag in tags {
            found.extend(digests.iter().map(|digest| Name {
                repository: repository.to_owned(),
                tag: tag.to_owned(),
                digest: (*digest).to_owned(),
            }));
        }
    }
    found
}

fn row(image: &ImageSummary, ids: Ids) -> Row {
    let size = |bytes: i64| u64::try_from(bytes).map_or("N/A".to_owned(), |bytes| base::size::format_decimal(bytes, 3));
    let unique = if image.shared_size < 0 { -1 } else { image.size - image.shared_size };
    Row::default()
        .with("ID", ids.show(&image.id))
        .with("CreatedSince", ago::since(image.created).unwrap_or_default())
        .with("CreatedAt", ago::go_time(image.created))
        .with("Size", size(image.size))
        .with("VirtualSize", size(image.size))
        .with("SharedSize", size(image.shared_size))
        .with("UniqueSize", size(unique))
        .with("Containers", u64::try_from(image.containers).map_or("N/A".to_owned(), |count| count.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_name() {
        let image = |tags: &[&str], digests: &[&str]| ImageSummary {
            repo_tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            repo_digests: digests.iter().map(|digest| (*digest).to_owned()).collect(),
            ..ImageSummary::default()
        };
        let shown = |image: &ImageSummary, names| {
            let lines = names_of(image, names)
                .into_iter()
                .map(|name| format!("{} {} {}", name.repository, name.tag, name.digest));
            lines.collect::<Vec<_>>()
        };
        let both = image(&["b:5000/x:1", "b:5000/x:2", "a:1"], &["b:5000/x@sha256:0"]);
        for (image, names, expected) in [
            (image(&[], &[]), Names::Tags, vec!["<none> <none> <none>"]),
            (image(&[], &["a@sha256:0"]), Names::Tags, vec!["a <none> <none>"]),
            (image(&[], &["a@sha256:0"]), Names::WithDigests, vec!["a <none> sha256:0"]),
            (both.clone(), Names::Tags, vec!["a 1 <none>", "b:5000/x 1 <none>", "b:5000/x 2 <none>"]),
            (both, Names::WithDigests, vec!["a 1 <none>", "b:5000/x 1 sha256:0", "b:5000/x 2 sha256:0"]),
        ] {
            assert_eq!(shown(&image, names), expected);
        }
    }
}
