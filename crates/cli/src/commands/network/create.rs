//! `network create`: makes a network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::types::{Ipam, IpamConfig, NetworkCreate};
use base::{Error, Result};
use ipnet::IpNet;

use crate::command::{Action, Codes, Command, Outcome};
use crate::container::variables::{labels, map};
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::session::Session;

pub(crate) static CREATE: Command = Command {
    usage: "[OPTIONS] NETWORK",
    about: "Create a network",
    paths: &[],
    flags: &[&[
        Flag::switch("attachable", "Enable manual container attachment"),
        Flag::text("aux-address", "Auxiliary IPv4 or IPv6 addresses used by Network driver").kind(Kind::List("map")),
        Flag::text("config-from", "The network from which to copy the configuration").refused(),
        Flag::switch("config-only", "Create a configuration only network").refused(),
        Flag::text("driver", "Driver to manage the Network").short('d').default("bridge"),
        Flag::list("gateway", "IPv4 or IPv6 Gateway for the master subnet").kind(super::STRINGS),
        Flag::switch("ingress", "Create swarm routing-mesh network").refused(),
        Flag::switch("internal", "Restrict external access to the network"),
        Flag::list("ip-range", "Allocate container ip from a sub-range").kind(super::STRINGS),
        Flag::text("ipam-driver", "IP Address Management Driver").default("default").refused(),
        Flag::text("ipam-opt", "Set IPAM driver specific options").kind(Kind::List("map")).refused(),
        Flag::switch("ipv4", "Enable or disable IPv4 address assignment").default("true"),
        Flag::switch("ipv6", "Enable or disable IPv6 address assignment"),
        Flag::list("label", "Set metadata on a network"),
        Flag::text("opt", "Set driver specific options").short('o').kind(Kind::List("map")),
        Flag::text("scope", "Control the network's scope").refused(),
        Flag::list("subnet", "Subnet in CIDR format that represents a network segment").kind(super::STRINGS),
    ]],
    arity: Arity::Exactly(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let body = body(matches)?;
    let created = session.client()?.create_network(&body)?;
    if !created.warning.is_empty() {
        session.warn(&format!("WARNING: {}", created.warning));
    }
    session.print(&format!("{}\n", created.id))?;
    Ok(0)
}

fn body(matches: &Matches) -> Result<NetworkCreate> {
    let config = subnets(matches)?;
    let given = |name: &str| matches.text(name).map(|_| matches.is(name));
    Ok(NetworkCreate {
        name: matches.arguments[0].clone(),
        driver: matches.text("driver").unwrap_or("bridge").to_owned(),
        enable_ipv4: given("ipv4"),
        enable_ipv6: given("ipv6"),
        ipam: (!config.is_empty()).then(|| Ipam { driver: "default".to_owned(), options: None, config }),
        internal: matches.is("internal"),
        attachable: matches.is("attachable"),
        options: map("option", matches.list("opt").into_iter())?,
        labels: labels(&[], &matches.list("label"))?,
        ..NetworkCreate::default()
    })
}

/// The subnets, each with the range, the gateway and the auxiliary addresses that lie within it.
///
/// # Errors
/// `Invalid`, in Docker's words, for what lies in none of them, and for two of one kind in the same.
fn subnets(matches: &Matches) -> Result<Vec<IpamConfig>> {
    let list = |name: &str| super::separated(&matches.list(name));
    let (given, ranges, gateways) = (list("subnet"), list("ip-range"), list("gateway"));
    if given.len() < ranges.len() || given.len() < gateways.len() {
        return Err(Error::invalid("every ip-range or gateway must have a corresponding subnet"));
    }
    let mut subnets: Vec<(IpNet, IpamConfig)> = Vec::new();
    for text in given {
        let net = net(&text, "subnet")?;
        if subnets.iter().any(|(other, _)| other.contains(&net.network()) || net.contains(&other.network())) {
            return Err(Error::invalid("multiple overlapping subnet configuration is not supported"));
        }
        subnets.push((net, IpamConfig { subnet: text, ..IpamConfig::default() }));
    }
    for text in ranges {
        let own = around(&mut subnets, net(&text, "ip-range")?.network());
        let own = own.ok_or_else(|| Error::invalid(format!("no matching subnet for range {text}")))?;
        put(&mut own.ip_range, &text, "ranges", &own.subnet)?;
    }
    for text in gateways {
        let own = around(&mut subnets, address(&text)?);
        let own = own.ok_or_else(|| Error::invalid(format!("no matching subnet for gateway {text}")))?;
        put(&mut own.gateway, &text, "gateways", &own.subnet)?;
    }
    let auxiliary: BTreeMap<String, String> = map("auxiliary address", matches.list("aux-address").into_iter())?;
    for (name, text) in auxiliary {
        let own = around(&mut subnets, address(&text)?);
        let own = own.ok_or_else(|| Error::invalid(format!("no matching subnet for aux-address {text}")))?;
        own.auxiliary_addresses.insert(name, text);
    }
    Ok(subnets.into_iter().map(|(_, config)| config).collect())
}

fn around(subnets: &mut [(IpNet, IpamConfig)], address: IpAddr) -> Option<&mut IpamConfig> {
    subnets.iter_mut().find(|(net, _)| net.contains(&address)).map(|(_, config)| config)
}

fn put(place: &mut String, text: &str, what: &str, subnet: &str) -> Result<()> {
    if !place.is_empty() {
        return Err(Error::invalid(format!(
            "cannot configure multiple {what} ({text}, {place}) on the same subnet ({subnet})"
        )));
    }
    text.clone_into(place);
    Ok(())
}

fn net(text: &str, what: &str) -> Result<IpNet> {
    text.parse().map_err(|_| {
        Error::invalid(format!("invalid {what} {text}: use an address and the length of its prefix, as in 10.9.0.0/24"))
    })
}

fn address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| Error::invalid(format!("invalid IP address: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parse;

    fn parsed(line: &str) -> Result<NetworkCreate> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        body(&parse(CREATE.flags, CREATE.order, &words).unwrap())
    }

    #[test]
    fn a_plain_network_leaves_everything_to_the_engine() {
        let expected =
            NetworkCreate { name: "front".to_owned(), driver: "bridge".to_owned(), ..NetworkCreate::default() };
        assert_eq!(parsed("front").unwrap(), expected);
    }

    #[test]
    fn flags_become_members() {
        let line = "-d macvlan -o parent=eth0 -o macvlan_mode=private --label a=b --label c --internal --attachable --ipv6 --ipv4=false x";
        let body = parsed(line).unwrap();
        assert_eq!((body.driver.as_str(), body.enable_ipv4, body.enable_ipv6), ("macvlan", Some(false), Some(true)));
        assert!(body.internal && body.attachable);
        assert_eq!(body.options["parent"], "eth0");
        assert_eq!((body.labels["a"].as_str(), body.labels["c"].as_str()), ("b", ""));
    }

    #[test]
    fn everything_finds_its_subnet() {
        let line = "--subnet 10.9.0.0/24,fd00:9::/64 --gateway fd00:9::1 --gateway 10.9.0.254 --ip-range 10.9.0.128/25 \
             --aux-address router=10.9.0.5 --aux-address six=fd00:9::5 x";
        let config = parsed(line).unwrap().ipam.unwrap().config;
        assert_eq!(config.len(), 2);
        let (one, two) = (&config[0], &config[1]);
        assert_eq!(
            (one.subnet.as_str(), one.ip_range.as_str(), one.gateway.as_str()),
            ("10.9.0.0/24", "10.9.0.128/25", "10.9.0.254")
        );
        assert_eq!(
            (two.subnet.as_str(), two.ip_range.as_str(), two.gateway.as_str()),
            ("fd00:9::/64", "", "fd00:9::1")
        );
        assert_eq!(
            (one.auxiliary_addresses["router"].as_str(), two.auxiliary_addresses["six"].as_str()),
            ("10.9.0.5", "fd00:9::5")
        );
    }

    #[test]
    fn what_fits_nowhere_is_said() {
        for (line, words) in [
            ("--gateway 10.9.0.1 x", "every ip-range or gateway must have a corresponding subnet"),
            ("--ip-range 10.9.0.0/25 x", "every ip-range or gateway must have a corresponding subnet"),
            ("--subnet 10.9.0.0/24 --subnet 10.9.0.128/25 x", "multiple overlapping subnet"),
            ("--subnet 10.9.0.0/24 --ip-range 10.8.0.0/25 x", "no matching subnet for range 10.8.0.0/25"),
            ("--subnet 10.9.0.0/24 --gateway 10.8.0.1 x", "no matching subnet for gateway 10.8.0.1"),
            ("--subnet 10.9.0.0/24 --aux-address a=10.8.0.1 x", "no matching subnet for aux-address 10.8.0.1"),
            (
                "--subnet 10.9.0.0/24,10.8.0.0/24 --gateway 10.9.0.1,10.9.0.2 x",
                "cannot configure multiple gateways (10.9.0.2, 10.9.0.1) on the same subnet (10.9.0.0/24)",
            ),
            (
                "--subnet 10.9.0.0/24,10.8.0.0/24 --ip-range 10.9.0.0/25,10.9.0.128/25 x",
                "cannot configure multiple ranges (10.9.0.128/25, 10.9.0.0/25) on the same subnet (10.9.0.0/24)",
            ),
            ("--subnet nonsense x", "invalid subnet nonsense"),
            ("--subnet 10.9.0.0/24 --gateway nonsense x", "invalid IP address: nonsense"),
        ] {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
