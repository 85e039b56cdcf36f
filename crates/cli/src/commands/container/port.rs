//! `port`: which ports of a container are published, and where.

use api::types::ContainerInspect;
use base::{Error, Result};

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::session::Session;

pub(crate) static PORT: Command = Command {
    usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
    about: "List port mappings or a specific mapping for the container",
    paths: &["berth container port", "berth port"],
    flags: &[],
    arity: Arity::Between(1, 2),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let name = &matches.arguments[0];
    let details = session.client()?.inspect_container(name)?;
    let text = match matches.arguments.get(1) {
        Some(port) => places_of(&details, name, port)?,
        None => all(&details),
    };
    session.print(&text)?;
    Ok(0)
}

/// A line `80/tcp -> 0.0.0.0:8080` for each place.
fn all(details: &ContainerInspect) -> String {
    let mut ports: Vec<&String> = details.network_settings.ports.keys().collect();
    ports.sort_by_cached_key(|port| {
        let (number, protocol) = port.split_once('/').unwrap_or((port, ""));
        (number.parse::<u16>().unwrap_or_default(), protocol.to_owned())
    });
    let lines =
        ports.into_iter().flat_map(|port| places(details, port).map(move |place| format!("{port} -> {place}\n")));
    lines.collect()
}

fn places_of(details: &ContainerInspect, name: &str, port: &str) -> Result<String> {
    let full = if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") };
    let lines: String = places(details, &full).map(|place| format!("{place}\n")).collect();
    if lines.is_empty() {
        return Err(Error::not_found(format!("no public port '{full}' published for {name}")));
    }
    Ok(lines)
}

fn places<'a>(details: &'a ContainerInspect, port: &str) -> impl Iterator<Item = String> + 'a {
    let bindings = details.network_settings.ports.get(port).into_iter().flatten().flatten();
    bindings.map(|binding| match binding.host_ip.contains(':') {
        true => format!("[{}]:{}", binding.host_ip, binding.host_port),
        false => format!("{}:{}", binding.host_ip, binding.host_port),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::types::PortBinding;

    #[test]
    fn every_place_is_a_line() {
        let mut details = ContainerInspect::default();
        let place = |host_ip: &str| PortBinding { host_ip: host_ip.to_owned(), host_port: "8080".to_owned() };
        details.network_settings.ports.insert("80/tcp".to_owned(), Some(vec![place("0.0.0.0"), place("::")]));
        details.network_settings.ports.insert("443/tcp".to_owned(), None);
        details.network_settings.ports.insert("1000/udp".to_owned(), Some(vec![place("127.0.0.1")]));
        let lines = "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n1000/udp -> 127.0.0.1:8080\n";
        assert_eq!(all(&details), lines);
        assert_eq!(places_of(&details, "web", "80").unwrap(), "0.0.0.0:8080\n[::]:8080\n");
        let message = places_of(&details, "web", "443").unwrap_err().to_string();
        assert_eq!(message, "no public port '443/tcp' published for web");
    }
}
