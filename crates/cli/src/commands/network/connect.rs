//! `network connect`: puts a container on a network.

use api::types::NetworkConnect;
use base::Result;

use crate::command::{Action, Codes, Command, Outcome};
use crate::container::network::{Attachment, check_link};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;

pub(crate) static CONNECT: Command = Command {
    usage: "[OPTIONS] NETWORK CONTAINER",
    about: "Connect a container to a network",
    paths: &[],
    flags: &[&[
        Flag::list("alias", "Add network-scoped alias for the container").kind(super::STRINGS),
        Flag::list("driver-opt", "driver options for the network").kind(super::STRINGS).refused(),
        Flag::integer(
            "gw-priority",
            "Highest gw-priority provides the default gateway. Accepts positive and negative values.",
        ),
        Flag::text("ip", "IPv4 address (e.g., \"172.30.100.104\")"),
        Flag::text("ip6", "IPv6 address (e.g., \"2001:db8::33\")"),
        Flag::list("link", "Add link to another container"),
        Flag::list("link-local-ip", "Add a link-local address for the container").kind(super::STRINGS).refused(),
    ]],
    arity: Arity::Exactly(2),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let body = body(matches)?;
    session.client()?.connect_network(&matches.arguments[0], &body)?;
    Ok(0)
}

fn body(matches: &Matches) -> Result<NetworkConnect> {
    let owned = |name: &str| matches.list(name).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let links = owned("link");
    links.iter().try_for_each(|link| check_link(link))?;
    let attachment = Attachment {
        aliases: super::separated(&matches.list("alias")),
        links,
        ipv4: matches.text("ip").unwrap_or_default().to_owned(),
        ipv6: matches.text("ip6").unwrap_or_default().to_owned(),
        gateway_priority: matches.number("gw-priority").unwrap_or_default(),
        ..Attachment::default()
    };
    Ok(NetworkConnect { container: matches.arguments[1].clone(), endpoint_config: Some(attachment.into_settings()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parse;

    fn parsed(line: &str) -> Result<NetworkConnect> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        body(&parse(CONNECT.flags, CONNECT.order, &words).unwrap())
    }

    #[test]
    fn what_is_asked_for() {
        let body = parsed("--alias a,b --alias c --link db:store --ip 10.9.0.9 --gw-priority -3 front web").unwrap();
        assert_eq!(body.container, "web");
        let endpoint = body.endpoint_config.unwrap();
        assert_eq!(endpoint.aliases.unwrap(), ["a", "b", "c"]);
        assert_eq!(endpoint.links.unwrap(), ["db:store"]);
        assert_eq!(endpoint.ipam_config.unwrap().ipv4_address, "10.9.0.9");
        assert_eq!(endpoint.gw_priority, -3);
        assert!(parsed("--link a:b:c front web").is_err());
    }
}
