//! Beside other programs' rules.

use base::{Kind, Result};
use network::netlink::{Family, Request, Socket};

use crate::world::{HOST, HOST6, World, network, port};

/// Lets `others` set the host's rules up, and expects that containers work beside them while `shown` is as it should be, and that it is as before
/// afterwards.
fn beside(others: impl Fn(&World), show: &str, is_open: impl Fn(&str) -> bool) {
    let world = World::new();
    others(&world);
    let before = world.host.shell(show);
    let network = network(1);
    world.bring_up(&network);
    let server = world.container(&network, 2, vec![port(None, 8080, 80)]);
    server.serve(80);
    world.neighbour.serve("[::]:99");
    world.neighbour.in_vain(&format!("{HOST}:8080"));
    world.neighbour.in_vain(&format!("[{HOST6}]:8080"));
    for _ in 0..2 {
        world.host.run(|| world.firewall.open_foreign(&network.bridge));
        let shown = world.host.shell(show);
        assert!(is_open(&shown), "{shown}");
        assert_eq!(world.neighbour.fetch(&format!("{HOST}:8080")), "::ffff:192.0.2.2");
        assert_eq!(world.neighbour.fetch(&format!("[{HOST6}]:8080")), "2001:db8::2");
        assert_eq!(server.inside.fetch("192.0.2.2:99"), "::ffff:192.0.2.1");
        assert_eq!(server.inside.fetch("[2001:db8::2]:99"), "2001:db8::1");
    }
    world.host.run(|| world.firewall.close_foreign(&network.bridge));
    world.host.run(|| world.firewall.take_down(&network));
    assert_eq!(world.host.shell(show), before);
}

#[test]
fn a_policy_of_iptables() {
    let save = "for save in iptables-nft-save ip6tables-nft-save; do $save | grep -v '^#' | sed 's/\\[.*\\]//'; done";
    let script = "for iptables in iptables-nft ip6tables-nft; do $iptables -P FORWARD DROP; done";
    beside(
        |world| drop(world.host.shell(script)),
        save,
        |shown| {
            let of = |rule: &str| shown.lines().filter(|line| *line == rule).count();
            of("-A FORWARD -i br1 -m comment --comment \"berth br1\" -j ACCEPT") == 2
                && of("-A FORWARD -o br1 -m comment --comment \"berth br1\" -j ACCEPT") == 2
        },
    );
}

#[test]
fn a_chain_of_iptables_that_ends_in_a_reject() {
    let script = "for iptables in iptables-nft ip6tables-nft; do \
        $iptables -N last; $iptables -A last -j REJECT; $iptables -N middle; $iptables -A middle -j last; \
        $iptables -A FORWARD -i lo -j ACCEPT; $iptables -A FORWARD -j middle; done";
    let save = "for save in iptables-nft-save ip6tables-nft-save; do $save | grep -v '^#' | sed 's/\\[.*\\]//'; done";
    beside(|world| drop(world.host.shell(script)), save, |shown| shown.matches("berth br1").count() == 4);
}

/// As nft(8) makes `table inet site { flags FLAGS; chain later { type filter hook forward priority 10; policy drop; } }`.
fn table_by_hand(flags: u8) -> Result<Socket> {
    let attribute = |kind: u16, content: &[u8]| {
        let length = u16::try_from(4 + content.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), content].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let number = |kind, value: u8| attribute(kind, &[0, 0, 0, value]);
    let request = |kind, body| Request { kind, flags: 0x400, body };
    let hook = attribute(0x8004, &[number(1, 2), number(2, 10)].concat());
    let table = [&[1, 0, 0, 0], &attribute(1, b"site\0")[..], &number(2, flags)].concat();
    let names = [attribute(1, b"site\0"), attribute(3, b"later\0")].concat();
    let chain = [&[1, 0, 0, 0], &names[..], &hook, &number(5, 0), &attribute(7, b"filter\0")].concat();
    let edge = |kind| request(kind, vec![0, 0, 0, 10]);
    let mut socket = Socket::open(Family::Netfilter)?;
    let refusals = socket.enclosed(&edge(16), &[request(0xa00, table), request(0xa03, chain)], &edge(17))?;
    assert!(refusals.is_empty(), "{refusals:?}");
    Ok(socket)
}

#[test]
fn a_table_by_hand() {
    let by_hand = |world: &World| drop(world.host.run(|| table_by_hand(0)));
    beside(by_hand, "true", |_| true);
}

#[test]
fn a_table_that_nobody_may_change() {
    let world = World::new();
    // `NFT_TABLE_F_OWNER`, while the socket lasts.
    let owner = world.host.run(|| table_by_hand(2));
    let error = world.host.attempt(|| world.firewall.open_foreign("br1")).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(error.to_string().contains("later of table inet site"), "{error}");
    drop(owner);
}

#[test]
fn what_drops_nothing_is_left_alone() {
    let world = World::new();
    let show = "iptables-nft-save | grep -v '^#'";
    world.host.shell("iptables-nft -A FORWARD -i eth7 -j ACCEPT; iptables-nft -A INPUT -p tcp --dport 1 -j DROP");
    let before = world.host.shell(show);
    world.host.run(|| world.firewall.open_foreign("br1"));
    assert_eq!(world.host.shell(show), before);
    // A drop that comes to stand before ours is overtaken.
    world.host.shell("iptables-nft -A FORWARD -j DROP");
    world.host.run(|| world.firewall.open_foreign("br1"));
    world.host.shell("iptables-nft -I FORWARD -p tcp -j REJECT");
    world.host.run(|| world.firewall.open_foreign("br1"));
    let shown = world.host.shell("iptables-nft -S FORWARD");
    let rules: Vec<_> = shown.lines().map(|line| line.contains("berth br1")).collect();
    assert_eq!(rules, [false, true, true, false, false, false], "{shown}");
}
