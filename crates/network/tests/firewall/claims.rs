//! Nobody on a bridge claims what somebody else has.

use std::net::Ipv6Addr;

use crate::world::{Container, HOST6, World, network};

/// Which hardware address `container` has for `address`; it forgets what it had and asks anew.
fn neighbour(container: &Container, address: &str) -> String {
    let shown = container.inside.shell(&format!("ip neigh show {address} dev eth0"));
    shown.split_whitespace().skip_while(|word| *word != "lladdr").nth(1).unwrap_or("none").to_owned()
}

fn hardware(container: &Container) -> String {
    container.inside.hardware("eth0")
}

fn octets(hardware: &str) -> Vec<u8> {
    hardware.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// An unasked answer of ARP.
fn arp(from: &str, claimed: [u8; 4], tag: &[u8]) -> Vec<u8> {
    let from = octets(from);
    let body = [&[0, 1, 8, 0, 6, 4, 0, 2], &from[..], &claimed, &[255; 6], &claimed].concat();
    [&[255; 6], &from[..], tag, &[8, 6], &body].concat()
}

/// A message of neighbour discovery to all nodes, with a checksum.
fn discovery(from: &str, source: &str, message: &[u8]) -> Vec<u8> {
    discovery_to("ff02::1", from, source, message)
}

fn discovery_to(group: &str, from: &str, source: &str, message: &[u8]) -> Vec<u8> {
    let from = octets(from);
    let source = source.parse::<Ipv6Addr>().unwrap().octets();
    let group = group.parse::<Ipv6Addr>().unwrap().octets();
    let mut message = message.to_vec();
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    let pseudo = [&source[..], &group, &[0, 0], &length, &[0, 0, 0, 58], &message].concat();
    let mut sum: u32 = pseudo.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    message[2..4].copy_from_slice(&(!u16::try_from(sum).unwrap()).to_be_bytes());
    let header = [&[0x60, 0, 0, 0], &length[..], &[58, 255], &source, &group].concat();
    [&[0x33, 0x33], &group[12..], &from[..], &[0x86, 0xdd], &header, &message].concat()
}

/// An advertisement that `target` is at `hardware`, to override what is known.
fn advertisement(hardware: &str, target: &str) -> Vec<u8> {
    let target = target.parse::<Ipv6Addr>().unwrap().octets();
    [&[136, 0, 0, 0, 0x20, 0, 0, 0], &target[..], &[2, 1], &octets(hardware)].concat()
}

/// The question who has `target`, by whom has `hardware`.
fn solicitation(hardware: &str, target: &str) -> Vec<u8> {
    let target = target.parse::<Ipv6Addr>().unwrap().octets();
    [&[135, 0, 0, 0, 0, 0, 0, 0], &target[..], &[1, 1], &octets(hardware)].concat()
}

/// The question for a router.
fn router_solicitation(hardware: &str) -> Vec<u8> {
    [&[133, 0, 0, 0, 0, 0, 0, 0, 1, 1], &octets(hardware)[..]].concat()
}

#[test]
fn addresses_of_others_are_not_claimed() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let victim = world.container(&network, 2, Vec::new());
    let owner = world.container(&network, 3, Vec::new());
    let thief = world.container(&network, 4, Vec::new());
    owner.serve(80);
    world.host.serve("[::]:70");
    let (own, stolen) = (hardware(&owner), hardware(&thief));
    // Every claim is believed at once.
    victim.inside.shell(
        "cd /proc/sys/net/ipv4; echo 1 >conf/eth0/arp_accept; echo 0 >neigh/eth0/locktime; echo 0 >../ipv6/neigh/eth0/locktime",
    );
    for frames in [0, 1] {
        world.host.filter_frames(frames);
        victim.inside.fetch(&owner.address(80));
        victim.inside.fetch(&owner.address6(80));
        victim.inside.fetch("172.30.1.1:70");
        victim.inside.fetch("[fd00:1::1]:70");
        let gateway = neighbour(&victim, "172.30.1.1");
        let link_local = owner.rules.link_local.unwrap().to_string();
        for (claimed, tag) in [
            ([172, 30, 1, 3], &[][..]),
            ([172, 30, 1, 1], &[]),
            ([172, 30, 1, 3], &[0x81, 0, 0, 0]),
            ([172, 30, 1, 3], &[0x81, 0, 0, 0, 0x81, 0, 0, 0]),
        ] {
            thief.inside.send(&arp(&stolen, claimed, tag));
        }
        for target in ["fd00:1::3", "fd00:1::1", "fe80::1", &link_local] {
            thief.inside.send(&discovery(&stolen, "fd00:1::4", &advertisement(&stolen, target)));
        }
        // Who is asked learns who asks: the victim from a neighbour, the host from who looks for a router.
        thief.inside.send(&discovery(&stolen, "fd00:1::3", &solicitation(&stolen, "fd00:1::2")));
        thief.inside.send(&discovery(&stolen, "fd00:1::3", &router_solicitation(&stolen)));
        assert!(!world.host.shell("ip neigh show dev br1").contains(&format!("fd00:1::3 lladdr {stolen}")));
        assert_eq!(neighbour(&victim, "172.30.1.3"), own);
        assert_eq!(neighbour(&victim, "172.30.1.1"), gateway);
        assert_eq!(neighbour(&victim, "fd00:1::3"), own);
        assert_ne!(neighbour(&victim, "fd00:1::1"), stolen);
        // What nobody has may be claimed, as by those who share an address; and by the owner what is his.
        thief.inside.send(&arp(&stolen, [172, 30, 1, 99], &[]));
        assert_eq!(neighbour(&victim, "172.30.1.99"), stolen);
        victim.inside.shell("ip neigh flush dev eth0");
        owner.inside.send(&arp(&own, [172, 30, 1, 3], &[]));
        assert_eq!(neighbour(&victim, "172.30.1.3"), own);
        victim.inside.shell("ip neigh flush dev eth0");
    }
    // All this would be taken for true without the rules.
    world.host.run(|| world.firewall.take_down(&network));
    victim.inside.fetch(&owner.address(80));
    victim.inside.fetch(&owner.address6(80));
    thief.inside.send(&arp(&stolen, [172, 30, 1, 3], &[0x81, 0, 0, 0]));
    thief.inside.send(&discovery(&stolen, "fd00:1::4", &advertisement(&stolen, "fd00:1::3")));
    assert_eq!(neighbour(&victim, "172.30.1.3"), stolen);
    assert_eq!(neighbour(&victim, "fd00:1::3"), stolen);
    victim.inside.shell("ip neigh flush dev eth0");
    thief.inside.send(&discovery(&stolen, "fd00:1::3", &solicitation(&stolen, "fd00:1::2")));
    assert_eq!(neighbour(&victim, "fd00:1::3"), stolen);
    thief.inside.send(&discovery(&stolen, "fd00:1::3", &router_solicitation(&stolen)));
    assert!(world.host.shell("ip neigh show dev br1").contains(&format!("fd00:1::3 lladdr {stolen}")));
}

#[test]
fn containers_are_no_routers() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let victim = world.container(&network, 2, Vec::new());
    let thief = world.container(&network, 4, Vec::new());
    let from = hardware(&thief);
    let source = thief.rules.link_local.unwrap().to_string();
    // A router advertisement with a lifetime of 30 minutes.
    let message = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    let advertise = || thief.inside.send(&discovery(&from, &source, &message));
    let routes = || victim.inside.shell("ip -6 route show default proto ra");
    victim.inside.shell("echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra");
    for frames in [0, 1] {
        world.host.filter_frames(frames);
        advertise();
        assert_eq!(routes(), "");
    }
    world.host.run(|| world.firewall.take_down(&network));
    advertise();
    assert_ne!(routes(), "");
}

#[test]
fn nobody_is_kept_from_his_address() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let victim = world.container(&network, 2, Vec::new());
    let thief = world.container(&network, 4, Vec::new());
    let from = hardware(&thief);
    let target = "fd00:1::2".parse::<Ipv6Addr>().unwrap().octets();
    // Somebody else is about to take the address.
    let question = [&[135, 0, 0, 0, 0, 0, 0, 0], &target[..]].concat();
    let compete = || {
        victim.inside.shell(
            "cd /proc/sys/net/ipv6/conf/eth0; echo 1 >accept_dad; echo 3 >dad_transmits; \
             ip addr del fd00:1::2/64 dev eth0; ip addr add fd00:1::2/64 dev eth0",
        );
        thief.inside.send(&discovery_to("ff02::1:ff00:2", &from, "::", &question));
        victim.inside.shell(
            "while ip addr show dev eth0 tentative | grep fd00 | grep -qv dadfailed; do sleep 0.1; done; \
             ip addr show dev eth0 to fd00:1::2",
        )
    };
    assert!(!compete().contains("dadfailed"));
    world.host.run(|| world.firewall.take_down(&network));
    assert!(compete().contains("dadfailed"));
}

#[test]
fn containers_redirect_nobody() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let victim = world.container(&network, 2, Vec::new());
    let thief = world.container(&network, 4, Vec::new());
    world.neighbour.serve("[::]:99");
    let from = hardware(&thief);
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    // The victim's router says that the way to the neighbour is by the thief.
    let link_local = thief.rules.link_local.unwrap().octets();
    let message =
        [&[137, 0, 0, 0, 0, 0, 0, 0], &link_local[..], &address("2001:db8::2"), &[2, 1], &octets(&from)].concat();
    victim.inside.shell(
        "ip -6 route replace default via fe80::1 dev eth0; echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_redirects",
    );
    let way = || {
        thief.inside.send(&discovery_to("fd00:1::2", &from, "fe80::1", &message));
        victim.inside.shell("ip -6 route get 2001:db8::2")
    };
    assert_eq!(victim.inside.fetch("[2001:db8::2]:99"), "2001:db8::1");
    assert!(way().contains("via fe80::1 "));
    world.host.run(|| world.firewall.take_down(&network));
    // Nobody translates the victim's address any more.
    world.neighbour.shell(&format!("ip route add fd00::/16 via {HOST6}"));
    assert_eq!(victim.inside.fetch("[2001:db8::2]:99"), "fd00:1::2");
    assert!(way().contains(&thief.rules.link_local.unwrap().to_string()));
}
