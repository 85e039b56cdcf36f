//! `volume ls`: lists volumes.

use api::types::Volume;

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::format::list::{FORMAT, Listing, Row};
use crate::session::Session;

pub(crate) static LIST: Command = Command {
    usage: "[OPTIONS]",
    about: "List volumes",
    paths: &["berth volume ls", "berth volume list"],
    flags: &[&[
        Flag::switch("cluster", "Display only cluster volumes, and use cluster volume list formatting").refused(),
        Flag::list("filter", "Provide filter values (e.g. \"dangling=true\")").short('f').kind(Kind::List("filter")),
        FORMAT,
        Flag::switch("quiet", "Only display volume names").short('q'),
    ]],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

const LISTING: Listing = Listing {
    what: "volume",
    headers: &[
        ("Name", "VOLUME NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Labels", "LABELS"),
        ("Links", "LINKS"),
        ("Size", "SIZE"),
        ("Availability", "AVAILABILITY"),
        ("Group", "GROUP"),
        ("Status", "STATUS"),
    ],
    table: "{{.Driver}}\t{{.Name}}",
    quiet: "{{.Name}}",
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let filters = crate::filter::parse(&matches.list("filter"))?;
    let format = LISTING.format(matches, &session.configuration()?.volumes_format);
    let found = session.client()?.list_volumes(&filters)?;
    for warning in &found.warnings {
        session.warn(warning);
    }
    session.print(&LISTING.render(format, found.volumes.iter().map(row).collect())?)?;
    Ok(0)
}

fn row(volume: &Volume) -> Row {
    const UNKNOWN: &str = "N/A";
    let usage = |number: i64, show: fn(u64) -> String| u64::try_from(number).map_or(UNKNOWN.to_owned(), show);
    let (size, links) = volume.usage_data.as_ref().map_or((-1, -1), |usage| (usage.size, usage.ref_count));
    Row::default()
        .with("Name", volume.name.as_str())
        .with("Driver", volume.driver.as_str())
        .with("Scope", volume.scope.as_str())
        .with("Mountpoint", volume.mountpoint.as_str())
        .with_labels(volume.labels.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())))
        .with("Links", usage(links, |number| number.to_string()))
        .with("Size", usage(size, |bytes| base::size::format_decimal(bytes, 4)))
        .with("Availability", UNKNOWN)
        .with("Group", UNKNOWN)
        .with("Status", UNKNOWN)
}
