//! `ps`: lists containers.

use api::client::ListOptions;
use api::types::{ContainerSummary, PortSummary};
use base::Result;

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::format::ago;
use crate::format::ids::Ids;
use crate::format::list::{FORMAT, Listing, Row};
use crate::session::Session;

pub(crate) static LIST: Command = Command {
    usage: "[OPTIONS]",
    about: "List containers",
    paths: &["berth container ls", "berth container list", "berth container ps", "berth ps"],
    flags: &[&[
        Flag::switch("all", "Show all containers (default shows just running)").short('a'),
        Flag::list("filter", "Filter output based on conditions provided").short('f').kind(Kind::List("filter")),
        FORMAT,
        Flag::integer("last", "Show n last created containers (includes all states)").short('n').default("-1"),
        Flag::switch("latest", "Show the latest created container (includes all states)").short('l'),
        Flag::switch("no-trunc", "Don't truncate output"),
        Flag::switch("quiet", "Only display container IDs").short('q'),
        Flag::switch("size", "Display total file sizes").short('s'),
    ]],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

const LISTING: Listing = Listing {
    what: "container",
    headers: &[
        ("ID", "CONTAINER ID"),
        ("Names", "NAMES"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"),
        ("Ports", "PORTS"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("Size", "SIZE"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Networks", "NETWORKS"),
    ],
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
    quiet: "{{.ID}}",
};

const WITH_SIZE: Listing = Listing {
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}",
    ..LISTING
};

/// How many characters of a command and of a mount's name are shown.
const COMMAND_WIDTH: usize = 20;
const MOUNT_WIDTH: usize = 15;

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let text = list(session, matches)?;
    session.print(&text)?;
    Ok(0)
}

fn list(session: &Session<'_>, matches: &Matches) -> Result<String> {
    let listing = if matches.is("size") { WITH_SIZE } else { LISTING };
    let format = listing.format(matches, &session.configuration()?.ps_format);
    let limit = match matches.number("last") {
        _ if matches.is("latest") => Some(1),
        last => last.and_then(|last| u64::try_from(last).ok()).filter(|last| *last > 0),
    };
    let options = ListOptions {
        all: matches.is("all"),
        limit,
        size: matches.is("size") || format.is_some_and(|format| format.contains(".Size")),
        filters: crate::filter::parse(&matches.list("filter"))?,
    };
    let length = if matches.is("no-trunc") { Ids::Whole } else { Ids::Short };
    let containers = session.client()?.list_containers(&options)?;
    listing.render(format, containers.iter().map(|container| row(container, length)).collect())
}

fn row(container: &ContainerSummary, length: Ids) -> Row {
    let networks: Vec<&str> = container.network_settings.networks.keys().map(String::as_str).collect();
    let local_volumes = container.mounts.iter().filter(|mount| mount.driver == "local").count();
    let labels = container.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Row::default()
        .with("ID", length.show(&container.id))
        .with("Names", names(&container.names))
        .with("Image", image(container, length))
        .with("Command", format!("{:?}", cut(&container.command, COMMAND_WIDTH, length)))
        .with("CreatedAt", ago::go_time(container.created))
        .with("RunningFor", ago::since(container.created).unwrap_or_default())
        .with("Ports", ports(&container.ports))
        .with("State", container.state.as_str())
        .with("Status", container.status.as_str())
        .with("Size", size(container))
        .with("Mounts", mounts(container, length))
        .with("LocalVolumes", local_volumes.to_string())
        .with("Networks", networks.join(","))
        .with_labels(labels)
}

/// The names without the slash that the API has in front of each; `/web/db` is a link's name and not the container's.
fn names(names: &[String]) -> String {
    let names = names.iter().map(|name| name.strip_prefix('/').unwrap_or(name)).filter(|name| !name.contains('/'));
    names.collect::<Vec<_>>().join(",")
}

fn image(container: &ContainerSummary, length: Ids) -> String {
    let image = container.image.as_str();
    match (image, length) {
        ("", _) => "<no image>".to_owned(),
        (_, Ids::Whole) => image.to_owned(),
        _ if image.starts_with("sha256:") => Ids::Short.show(image),
        // The digest that pins an image is longer than the rest of the table.
        _ => image.split('@').next().unwrap_or(image).to_owned(),
    }
}

/// At most `width` characters, the last of which then is an ellipsis.
fn cut(text: &str, width: usize, length: Ids) -> String {
    if length == Ids::Whole || text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

fn mounts(container: &ContainerSummary, length: Ids) -> String {
    let mounts = container.mounts.iter().map(|mount| if mount.name.is_empty() { &mount.source } else { &mount.name });
    mounts.map(|name| cut(name, MOUNT_WIDTH, length)).collect::<Vec<_>>().join(",")
}

fn size(container: &ContainerSummary) -> String {
    let text = |bytes: Option<i64>| {
        base::size::format_decimal(bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0), 3)
    };
    match container.size_root_fs {
        Some(all) if all > 0 => format!("{} (virtual {})", text(container.size_rw), text(container.size_root_fs)),
        _ => text(container.size_rw),
    }
}

/// `0.0.0.0:8000-8001->80-81/tcp, 443/tcp`: neighbours are one range.
fn ports(ports: &[PortSummary]) -> String {
    let mut sorted: Vec<&PortSummary> = ports.iter().collect();
    sorted.sort_by_key(|port| (&port.ip, &port.kind, port.private_port, port.public_port));
    let mut ranges: Vec<(&PortSummary, u16)> = Vec::new();
    for port in sorted {
        match ranges.last_mut() {
            Some((first, length)) if continues(first, *length, port) => *length += 1,
            _ => ranges.push((port, 1)),
        }
    }
    // What is not published has no address and comes last.
    ranges.sort_by_key(|(port, _)| (port.public_port.is_none(), port.private_port));
    ranges.into_iter().map(|(first, length)| show_range(first, length)).collect::<Vec<_>>().join(", ")
}

fn continues(first: &PortSummary, length: u16, port: &PortSummary) -> bool {
    let follows = |first: u16, port: u16| u32::from(first) + u32::from(length) == u32::from(port);
    let public = match (first.public_port, port.public_port) {
        (None, None) => true,
        (Some(first), Some(port)) => follows(first, port),
        _ => false,
    };
    first.ip == port.ip && first.kind == port.kind && public && follows(first.private_port, port.private_port)
}

fn show_range(first: &PortSummary, length: u16) -> String {
    let range = |port: u16| match length {
        1 => port.to_string(),
        _ => format!("{port}-{}", port.saturating_add(length - 1)),
    };
    let private = format!("{}/{}", range(first.private_port), first.kind);
    match first.public_port {
        None => private,
        Some(public) if first.ip.contains(':') => format!("[{}]:{}->{private}", first.ip, range(public)),
        Some(public) => format!("{}:{}->{private}", first.ip, range(public)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::types::MountPoint;
    use base::time::Timestamp;

    fn container() -> ContainerSummary {
        ContainerSummary {
            id: "0123456789abcdef".repeat(4),
            names: vec!["/web".to_owned(), "/other/link".to_owned()],
            image: "nginx:1@sha256:00".to_owned(),
            command: "nginx -g 'daemon off;'".to_owned(),
            created: Timestamp::now().unix_seconds() - 7200,
            ports: vec![port("0.0.0.0", 80, Some(8080)), port("", 443, None)],
            size_rw: Some(1234),
            size_root_fs: Some(5_000_000),
            labels: [("tier".to_owned(), "web".to_owned())].into(),
            state: "running".to_owned(),
            status: "Up 2 hours".to_owned(),
            mounts: vec![MountPoint { name: "a".repeat(64), driver: "local".to_owned(), ..MountPoint::default() }],
            ..ContainerSummary::default()
        }
    }

    fn port(ip: &str, private_port: u16, public_port: Option<u16>) -> PortSummary {
        PortSummary { ip: ip.to_owned(), private_port, public_port, kind: "tcp".to_owned() }
    }

    fn shown(listing: Listing, format: Option<&str>, length: Ids) -> String {
        listing.render(format, vec![row(&container(), length)]).unwrap()
    }

    #[test]
    fn the_table_is_dockers() {
        let expected = "\
CONTAINER ID   IMAGE     COMMAND                  CREATED       STATUS       PORTS                           NAMES     SIZE
0123456789ab   nginx:1   \"nginx -g 'daemon of…\"   2 hours ago   Up 2 hours   0.0.0.0:8080->80/tcp, 443/tcp   web       1.23kB (virtual 5MB)
";
        assert_eq!(shown(WITH_SIZE, None, Ids::Short), expected);
        let header = shown(LISTING, None, Ids::Short);
        assert!(header.starts_with("CONTAINER ID   IMAGE     COMMAND ") && !header.contains("SIZE"), "{header}");
    }

    #[test]
    fn fields_of_templates() {
        for (format, length, expected) in [
            ("{{.ID}} {{.Image}}", Ids::Whole, &*format!("{} nginx:1@sha256:00\n", "0123456789abcdef".repeat(4))),
            ("{{.Command}}", Ids::Whole, "\"nginx -g 'daemon off;'\"\n"),
            ("{{.Mounts}} {{.LocalVolumes}}", Ids::Short, "aaaaaaaaaaaaaa… 1\n"),
            ("{{.Labels}} {{.Label \"tier\"}} {{.State}}", Ids::Short, "tier=web web running\n"),
        ] {
            assert_eq!(shown(LISTING, Some(format), length), expected);
        }
    }

    #[test]
    fn neighbouring_ports_are_ranges() {
        for (given, expected) in [
            (vec![], ""),
            (vec![port("", 81, None), port("", 80, None)], "80-81/tcp"),
            (vec![port("0.0.0.0", 80, Some(8000)), port("0.0.0.0", 81, Some(8001))], "0.0.0.0:8000-8001->80-81/tcp"),
            (
                vec![port("0.0.0.0", 80, Some(8000)), port("0.0.0.0", 81, Some(9001))],
                "0.0.0.0:8000->80/tcp, 0.0.0.0:9001->81/tcp",
            ),
            (vec![port("", 443, None), port("::", 80, Some(80))], "[::]:80->80/tcp, 443/tcp"),
        ] {
            assert_eq!(ports(&given), expected);
        }
    }
}
