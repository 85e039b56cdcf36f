//! `network ls`: lists networks.

use api::types::Network;

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::format::ids::Ids;
use crate::format::list::{FORMAT, Listing, Row};
use crate::session::Session;

pub(crate) static LIST: Command = Command {
    usage: "[OPTIONS]",
    about: "List networks",
    paths: &["berth network ls", "berth network list"],
    flags: &[&[
        Flag::list("filter", "Provide filter values (e.g. \"driver=bridge\")").short('f').kind(Kind::List("filter")),
        FORMAT,
        Flag::switch("no-trunc", "Do not truncate the output"),
        Flag::switch("quiet", "Only display network IDs").short('q'),
    ]],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

const LISTING: Listing = Listing {
    what: "network",
    headers: &[
        ("ID", "NETWORK ID"),
        ("Name", "NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("IPv4", "IPV4"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("CreatedAt", "CREATED AT"),
    ],
    table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    quiet: "{{.ID}}",
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let filters = crate::filter::parse(&matches.list("filter"))?;
    let format = LISTING.format(matches, &session.configuration()?.networks_format);
    let length = if matches.is("no-trunc") { Ids::Whole } else { Ids::Short };
    let found = session.client()?.list_networks(&filters)?;
    session.print(&LISTING.render(format, found.iter().map(|network| row(network, length)).collect())?)?;
    Ok(0)
}

fn row(network: &Network, length: Ids) -> Row {
    Row::default()
        .with("ID", length.show(&network.id))
        .with("Name", network.name.as_str())
        .with("Driver", network.driver.as_str())
        .with("Scope", network.scope.as_str())
        .with("IPv4", network.enable_ipv4.to_string())
        .with("IPv6", network.enable_ipv6.to_string())
        .with("Internal", network.internal.to_string())
        // As Go prints a time.
        .with("CreatedAt", network.created.replace('T', " ").replace('Z', " +0000 UTC"))
        .with_labels(network.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str, driver: &str) -> Network {
        Network {
            name: name.to_owned(),
            id: "0123456789abcdef".repeat(4),
            created: "2023-11-14T22:13:20.5Z".to_owned(),
            scope: "local".to_owned(),
            driver: driver.to_owned(),
            enable_ipv4: true,
            labels: [("tier".to_owned(), "web".to_owned())].into(),
            ..Network::default()
        }
    }

    #[test]
    fn the_table_is_dockers() {
        let rows = vec![row(&network("bridge", "bridge"), Ids::Short), row(&network("none", "null"), Ids::Short)];
        let expected = "\
NETWORK ID     NAME      DRIVER    SCOPE
0123456789ab   bridge    bridge    local
0123456789ab   none      null      local
";
        assert_eq!(LISTING.render(None, rows).unwrap(), expected);
    }

    #[test]
    fn fields_of_templates() {
        let shown = |format: &str, length| LISTING.render(Some(format), vec![row(&network("a", "b"), length)]).unwrap();
        assert_eq!(shown("{{.ID}}", Ids::Whole), format!("{}\n", "0123456789abcdef".repeat(4)));
        assert_eq!(shown("{{.IPv4}} {{.IPv6}} {{.Internal}}", Ids::Short), "true false false\n");
        assert_eq!(shown("{{.Labels}} {{.Label \"tier\"}}", Ids::Short), "tier=web web\n");
        assert_eq!(shown("{{.CreatedAt}}", Ids::Short), "2023-11-14 22:13:20.5 +0000 UTC\n");
    }
}
