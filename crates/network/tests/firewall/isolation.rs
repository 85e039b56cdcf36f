//! Networks are apart, and neighbours of the host reach nothing that is not published.

use network::firewall::{NetworkRules, RouterGuard};

use crate::world::{HOST, HOST6, Namespace, World, network, pair, port};

/// The addresses behind the bridges are known to the neighbour, by the host.
fn route_to_containers(world: &World) {
    world.neighbour.shell(&format!("ip route add 172.30.0.0/16 via {HOST}; ip route add fd00::/16 via {HOST6}"));
}

#[test]
fn networks_are_apart_and_a_neighbour_reaches_what_is_published() {
    let world = World::new();
    let (one, two) = (network(1), network(2));
    world.bring_up(&one);
    world.bring_up(&two);
    let server = world.container(&one, 2, vec![port(None, 8080, 80), port(Some("127.0.0.1"), 8081, 81)]);
    let same = world.container(&one, 3, Vec::new());
    let foreign = world.container(&two, 2, Vec::new());
    server.serve(80);
    server.serve(81);
    route_to_containers(&world);
    for frames in [0, 1] {
        world.host.filter_frames(frames);
        assert_eq!(same.inside.fetch(&server.address(80)), "::ffff:172.30.1.3");
        assert_eq!(same.inside.fetch(&server.address6(80)), "fd00:1::3");
        for stranger in [&foreign.inside, &world.neighbour] {
            for address in [server.address(80), server.address6(80), server.address(81)] {
                stranger.in_vain(&address);
            }
        }
        // What is published is there for other networks, too.
        assert_eq!(foreign.inside.fetch(&format!("{HOST}:8080")), "::ffff:172.30.2.2");
        world.neighbour.in_vain(&format!("{HOST}:8081"));
    }
    // Outward, the host's address stands for theirs.
    world.neighbour.serve("[::]:99");
    assert_eq!(server.inside.fetch("192.0.2.2:99"), "::ffff:192.0.2.1");
    assert_eq!(server.inside.fetch("[2001:db8::2]:99"), "2001:db8::1");
}

#[test]
fn an_internal_network_stays_so() {
    let world = World::new();
    let (inner, outer) = (NetworkRules { internal: true, ..network(1) }, network(2));
    world.bring_up(&inner);
    world.bring_up(&outer);
    let one = world.container(&inner, 2, vec![port(None, 8080, 80)]);
    let two = world.container(&inner, 3, Vec::new());
    let foreign = world.container(&outer, 2, vec![port(None, 8081, 80)]);
    one.serve(80);
    foreign.serve(80);
    world.neighbour.serve("[::]:99");
    route_to_containers(&world);
    for frames in [0, 1] {
        world.host.filter_frames(frames);
        assert_eq!(two.inside.fetch(&one.address(80)), "::ffff:172.30.1.3");
        for (client, address) in [
            (&one.inside, "192.0.2.2:99".to_owned()),
            (&one.inside, "[2001:db8::2]:99".to_owned()),
            (&one.inside, foreign.address(80)),
            (&one.inside, format!("{HOST}:8081")),
            (&foreign.inside, one.address(80)),
            (&foreign.inside, format!("{HOST}:8080")),
            (&world.neighbour, one.address6(80)),
            (&world.neighbour, format!("{HOST}:8080")),
        ] {
            client.in_vain(&address);
        }
    }
    assert_eq!(world.neighbour.fetch(&format!("{HOST}:8081")), "::ffff:192.0.2.2");
}

#[test]
fn containers_apart_do_not_meet_by_routing() {
    let world = World::new();
    let network = NetworkRules { inter_container: false, ..network(1) };
    world.bring_up(&network);
    let one = world.container(&network, 2, vec![port(None, 8080, 80)]);
    let two = world.container(&network, 3, Vec::new());
    one.serve(80);
    for container in [&one, &two] {
        world.host.shell(&format!("ip link set {} type bridge_slave isolated on", container.rules.interface));
    }
    two.inside.in_vain(&one.address(80));
    // The bridge forwards it as a router, back to where it comes from.
    two.inside.shell("ip route add 172.30.1.2 via 172.30.1.1; ip route add fd00:1::2 via fd00:1::1");
    two.inside.in_vain(&one.address(80));
    two.inside.in_vain(&one.address6(80));
    assert_eq!(two.inside.fetch(&format!("{HOST}:8080")), "::ffff:172.30.1.1");
    world.host.shell("echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables");
    two.inside.in_vain(&one.address(80));
}

#[test]
fn the_host_is_a_router_only_if_it_was() {
    let world = World::new();
    let far = Namespace::new();
    pair(&world.host, "eth1", &far, "eth0");
    world.host.shell("ip addr add 198.51.100.1/24 dev eth1; ip addr add 2001:db8:1::1/64 dev eth1 nodad");
    far.shell("ip addr add 198.51.100.2/24 dev eth0; ip addr add 2001:db8:1::2/64 dev eth0 nodad; ip route add default via 198.51.100.1; ip route add default via 2001:db8:1::1");
    world
        .neighbour
        .shell(&format!("ip route add 198.51.100.0/24 via {HOST}; ip route add 2001:db8:1::/64 via {HOST6}"));
    far.serve("[::]:99");
    let (four, six) = ("198.51.100.2:99", "[2001:db8:1::2]:99");
    world.bring_up(&network(1));
    assert_eq!(world.neighbour.fetch(four), "::ffff:192.0.2.2");
    assert_eq!(world.neighbour.fetch(six), "2001:db8::2");
    let guarded = NetworkRules { router_guard: RouterGuard { v4: true, v6: false }, ..network(2) };
    world.bring_up(&guarded);
    world.neighbour.in_vain(four);
    assert_eq!(world.neighbour.fetch(six), "2001:db8::2");
    // A bridge that is not ours is no router, even where its frames pass the rules for IP.
    let (left, right) = (Namespace::new(), Namespace::new());
    world.host.shell("ip link add lan type bridge; ip link set lan up");
    for (end, name, number) in [(&left, "lan1", 1), (&right, "lan2", 2)] {
        pair(&world.host, name, end, "eth0");
        world.host.shell(&format!("ip link set {name} master lan"));
        end.shell(&format!("ip addr add 203.0.113.{number}/24 dev eth0"));
    }
    left.serve("203.0.113.1:99");
    world.host.filter_frames(1);
    assert_eq!(right.fetch("203.0.113.1:99"), "203.0.113.2");
    // Another state root's containers are no strangers.
    let other = World { firewall: network::firewall::Firewall::new("0badcafe"), ..world };
    other.bring_up(&network(3));
    let client = other.container(&network(3), 2, vec![port(None, 8080, 80)]);
    client.serve(80);
    assert_eq!(client.inside.fetch(four), "::ffff:198.51.100.1");
    assert_eq!(other.neighbour.fetch(&format!("{HOST}:8080")), "::ffff:192.0.2.2");
}
