//! Our tables: what each set means, and the rules, whose number does not depend on what is in the sets.

use super::nftables::{BRIDGE, Chain, FORWARD, INET, IPV4, IPV6, OUTPUT, POSTROUTING, PREROUTING, Table};
use super::rule::{self, Dnat, Load, Rule};
use super::set::{ADDRESS4, ADDRESS6, FAMILY, INTERFACE, PORT, Set, Shape, TRANSPORT, interface};

const fn exact(name: &'static str, key: &'static [super::set::Type], data: &'static [super::set::Type]) -> Set {
    Set { name, shape: Shape::Exact, key, data }
}

const fn ranges(name: &'static str, key: &'static [super::set::Type], data: &'static [super::set::Type]) -> Set {
    Set { name, shape: Shape::Ranges, key, data }
}

/// Our bridges.
pub(super) const BRIDGES: Set = exact("bridges", &[INTERFACE], &[]);
/// Those whose containers reach nothing outside, and are not reached from there.
pub(super) const INTERNAL: Set = exact("internal", &[INTERFACE], &[]);
/// Pairs of bridges between which everything is let through: each with itself, where containers may reach each other.
pub(super) const SAME: Set = exact("same", &[INTERFACE, INTERFACE], &[]);
/// The addresses behind each bridge.
pub(super) const SUBNETS: [Set; 2] =
    [ranges("subnets4", &[INTERFACE, ADDRESS4], &[]), ranges("subnets6", &[INTERFACE, ADDRESS6], &[])];
/// Addresses that are replaced by the host's when they leave. The family in the key makes two parts of it.
pub(super) const MASQUERADE: [Set; 2] =
    [ranges("masquerade4", &[FAMILY, ADDRESS4], &[]), ranges("masquerade6", &[FAMILY, ADDRESS6], &[])];
/// Ports that are published on every address of the host.
pub(super) const ANYWHERE: [Set; 2] = [
    exact("anywhere4", &[TRANSPORT, PORT], &[ADDRESS4, PORT]),
    exact("anywhere6", &[TRANSPORT, PORT], &[ADDRESS6, PORT]),
];
/// Ports that are published on one address.
pub(super) const PUBLISHED: [Set; 2] = [
    exact("published4", &[ADDRESS4, TRANSPORT, PORT], &[ADDRESS4, PORT]),
    exact("published6", &[ADDRESS6, TRANSPORT, PORT], &[ADDRESS6, PORT]),
];
/// Ranges of ports that are published under the numbers that they have in the container.
pub(super) const RANGES: [Set; 2] = [
    ranges("ranges4", &[ADDRESS4, TRANSPORT, PORT], &[ADDRESS4]),
    ranges("ranges6", &[ADDRESS6, TRANSPORT, PORT], &[ADDRESS6]),
];

/// The ports of bridges at which containers are.
pub(super) const PORTS: Set = exact("ports", &[INTERFACE], &[]);
/// Addresses that somebody has.
pub(super) const ADDRESSES: [Set; 2] = [exact("addresses4", &[ADDRESS4], &[]), exact("addresses6", &[ADDRESS6], &[])];
/// The port from which each may be claimed.
pub(super) const OWN: [Set; 2] =
    [exact("own4", &[INTERFACE, ADDRESS4], &[]), exact("own6", &[INTERFACE, ADDRESS6], &[])];

/// The bridges of all state roots in this network namespace.
pub(super) const ROUTED: Set = exact("bridges", &[INTERFACE], &[]);
/// The families that this host would not forward if it had no containers.
pub(super) const GUARDED: Set = exact("families", &[FAMILY], &[]);

/// Which of our tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// What containers reach and from where they are reached.
    Main,
    /// Who claims which address on a bridge.
    Bridge,
    /// What the host forwards for others; all state roots have it together, since each would drop the packets of the others.
    Router,
}

/// The places, in the order in which they are made.
pub(super) const PLACES: [Place; 3] = [Place::Main, Place::Bridge, Place::Router];

impl Place {
    pub(super) fn table(self, tag: &str) -> Table {
        let name = if tag.is_empty() { "berth".to_owned() } else { format!("berth-{tag}") };
        match self {
            Self::Main => Table { family: INET, name },
            Self::Bridge => Table { family: BRIDGE, name },
            Self::Router => Table { family: INET, name: "berth-router".to_owned() },
        }
    }

    pub(super) fn sets(self) -> Vec<Set> {
        match self {
            Self::Main => [BRIDGES, INTERNAL, SAME]
                .into_iter()
                .chain([SUBNETS, MASQUERADE, ANYWHERE, PUBLISHED, RANGES].into_iter().flatten())
                .collect(),
            Self::Bridge => [PORTS].into_iter().chain([ADDRESSES, OWN].into_iter().flatten()).collect(),
            Self::Router => vec![ROUTED, GUARDED],
        }
    }

    pub(super) fn chains(self) -> Vec<Chain> {
        let chain = |name, kind, hook, priority, rules| Chain { name, kind, hook, priority, rules };
        match self {
            Self::Main => vec![
                chain("loopback", "filter", PREROUTING, -300, loopback()),
                chain("prerouting", "nat", PREROUTING, -100, destinations()),
                chain("output", "nat", OUTPUT, -100, own_destinations()),
                chain("postrouting", "nat", POSTROUTING, 100, sources()),
                chain("forward", "filter", FORWARD, 0, forward()),
            ],
            Self::Bridge => vec![chain("claims", "filter", PREROUTING, -200, claims())],
            Self::Router => vec![chain("forward", "filter", FORWARD, 0, router())],
        }
    }
}

/// `RTN_LOCAL`.
const LOCAL: u32 = 2;
/// `IPS_DST_NAT`.
const TRANSLATED: u32 = 0x20;
/// The bits of established and related connections.
const KNOWN: u32 = 2 | 4;

fn of_family(family: u8) -> Rule {
    Rule::new().load(rule::FAMILY).equals(&[family])
}

/// The host's loopback is its own, also before destinations are translated (CVE-2020-8558).
fn loopback() -> Vec<Rule> {
    let first_byte = |offset| Load::Payload(1, offset, 1);
    vec![
        Rule::new()
            .load(rule::INPUT)
            .differs(&interface("lo"))
            .load(rule::FAMILY)
            .equals(&[IPV4])
            .load(first_byte(16))
            .equals(&[127])
            .drop(),
        // `route_localnet` of a bridge lets such sources in.
        Rule::new()
            .load(rule::INPUT)
            .within(BRIDGES.name)
            .load(rule::FAMILY)
            .equals(&[IPV4])
            .load(first_byte(12))
            .equals(&[127])
            .drop(),
    ]
}

/// Where packets to published ports go: one address before all, single ports before ranges.
fn destinations() -> Vec<Rule> {
    let mut rules = vec![Rule::new().load(Load::DestinationType).differs(&LOCAL.to_ne_bytes()).accept()];
    for (version, family, address) in [(0, IPV4, rule::DESTINATION4), (1, IPV6, rule::DESTINATION6)] {
        let of_port = |rule: Rule| rule.load(rule::TRANSPORT).load(rule::DESTINATION_PORT);
        let whole = || of_port(of_family(family).load(address));
        rules.extend([
            whole().destination_of(PUBLISHED[version].name, family, Dnat::AddressAndPort),
            of_port(of_family(family)).destination_of(ANYWHERE[version].name, family, Dnat::AddressAndPort),
            whole().destination_of(RANGES[version].name, family, Dnat::Address),
        ]);
    }
    rules
}

/// The host's own packets alike, but for `::1`: the kernel forwards no packet from there.
fn own_destinations() -> Vec<Rule> {
    let loopback = std::net::Ipv6Addr::LOCALHOST.octets();
    let mut rules = vec![of_family(IPV6).load(rule::DESTINATION6).equals(&loopback).accept()];
    rules.extend(destinations());
    rules
}

/// Sources that an answer would not find its way back to.
fn sources() -> Vec<Rule> {
    let inward = || Rule::new().load(rule::OUTPUT).within(BRIDGES.name);
    let mut rules =
        vec![inward().load(rule::FAMILY).equals(&[IPV4]).load(Load::Payload(1, 12, 1)).equals(&[127]).masquerade()];
    for (version, family, address) in [(0, IPV4, rule::SOURCE4), (1, IPV6, rule::SOURCE6)] {
        rules.extend([
            // A container that reaches a neighbour, or itself, by the host's address.
            inward()
                .load(rule::STATUS)
                .has_any(TRANSLATED)
                .load(rule::FAMILY)
                .equals(&[family])
                .load(rule::OUTPUT)
                .load(address)
                .within(SUBNETS[version].name)
                .masquerade(),
            Rule::new()
                .load(rule::OUTPUT)
                .outside(BRIDGES.name)
                .load(rule::FAMILY)
                .equals(&[family])
                .load(rule::FAMILY)
                .load(address)
                .within(MASQUERADE[version].name)
                .masquerade(),
        ]);
    }
    rules
}

/// What containers reach, and who reaches them.
fn forward() -> Vec<Rule> {
    vec![
        Rule::new().load(rule::INPUT).outside(BRIDGES.name).load(rule::OUTPUT).outside(BRIDGES.name).accept(),
        Rule::new().load(rule::STATE).has_any(KNOWN).accept(),
        Rule::new().load(rule::INPUT).load(rule::OUTPUT).within(SAME.name).accept(),
        Rule::new().load(rule::INPUT).within(INTERNAL.name).drop(),
        Rule::new().load(rule::OUTPUT).within(INTERNAL.name).drop(),
        Rule::new().load(rule::OUTPUT).within(BRIDGES.name).load(rule::STATUS).has_any(TRANSLATED).accept(),
        Rule::new().load(rule::OUTPUT).within(BRIDGES.name).drop(),
    ]
}

/// Forwarding was raised for containers, not to make a router of the host.
fn router() -> Vec<Rule> {
    let bridge = interface("bridge");
    vec![
        // Frames that are passed on by somebody's bridge come here, too, where `bridge-nf-call-iptables` is 1.
        Rule::new().load(rule::INPUT_KIND).equals(&bridge).load(rule::OUTPUT_KIND).equals(&bridge).accept(),
        Rule::new()
            .load(rule::FAMILY)
            .within(GUARDED.name)
            .load(rule::INPUT)
            .outside(ROUTED.name)
            .load(rule::OUTPUT)
            .outside(ROUTED.name)
            .drop(),
    ]
}

/// Messages of neighbour discovery (RFC 4861, section 4).
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;

/// Who has an address claims it by ARP and neighbour discovery, and nobody else does; addresses that nobody has pass. Containers are no routers.
fn claims() -> Vec<Rule> {
    const IP: [u8; 2] = [8, 0];
    const ARP: [u8; 2] = [8, 6];
    const IP6: [u8; 2] = [0x86, 0xdd];
    let not_own = |rule: Rule, load, version: usize| {
        let known = rule.load(load).within(ADDRESSES[version].name);
        known.load(rule::INPUT).load(load).outside(OWN[version].name).drop()
    };
    let message = |kind: u8| Rule::new().load(rule::ICMP_TYPE).equals(&[kind]);
    vec![
        Rule::new().load(rule::PROTOCOL).equals(&IP).accept(),
        Rule::new().load(rule::INPUT).outside(PORTS.name).accept(),
        // The kernel takes one tag off; receivers take off several that name VLAN 0, and a claim could hide below.
        Rule::new().load(rule::PROTOCOL).equals(&[0x81, 0]).drop(),
        Rule::new().load(rule::PROTOCOL).equals(&[0x88, 0xa8]).drop(),
        not_own(Rule::new().load(rule::PROTOCOL).equals(&ARP), rule::ARP_SENDER, 0),
        Rule::new().load(rule::PROTOCOL).differs(&IP6).accept(),
        // ICMPv6.
        Rule::new().load(rule::TRANSPORT).differs(&[58]).accept(),
        message(ROUTER_ADVERTISEMENT).drop(),
        message(REDIRECT).drop(),
        not_own(message(ROUTER_SOLICITATION), rule::SOURCE6, 1),
        not_own(message(SOLICITATION), rule::SOURCE6, 1),
        not_own(message(ADVERTISEMENT), rule::TARGET, 1),
        // Whoever asks without an address is about to take the one that he asks for.
        not_own(message(SOLICITATION).load(rule::SOURCE6).equals(&[0; 16]), rule::TARGET, 1),
    ]
}
