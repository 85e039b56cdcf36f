//! Published ports are reached from everywhere, and nothing else is.

use std::net::IpAddr;

use base::Context;
use network::link::{Attachment, Gateways, Kind, attach};
use network::netlink::{Family, Request, Socket, attributes_of};
use network::port::{Protocol, PublishedPort};

use crate::world::{HOST, HOST6, Namespace, World, datagram, network, port, silent};

/// How many tracked flows come from `source` to this port.
fn flows(namespace: &Namespace, source: &str, port: u16) -> usize {
    let source = match source.parse::<IpAddr>().unwrap() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let answers = namespace.run(|| {
        let list = Request { kind: 1 << 8 | 1, flags: 0, body: vec![0; 4] };
        Socket::open(Family::Netfilter)?.list(&list)?.map_err(|refusal| refusal.into_error("list flows"))
    });
    let has = |body: &[u8], part: [u16; 3], value: &[u8]| {
        let inner = |bytes, wanted| attributes_of(bytes).find(|(kind, _)| *kind == wanted).map(|(_, content)| content);
        let tuple = inner(&body[4..], part[0]).and_then(|tuple| inner(tuple, part[1]));
        tuple.and_then(|part_of| inner(part_of, part[2])) == Some(value)
    };
    let address = if source.len() == 4 { 1 } else { 3 };
    let is_it = |body: &[u8]| has(body, [1, 1, address], &source) && has(body, [1, 2, 3], &port.to_be_bytes());
    answers.iter().filter(|answer| is_it(&answer.body)).count()
}

#[test]
fn a_published_port_is_reached_from_everywhere() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let server = world.container(&network, 2, vec![port(None, 8080, 80)]);
    let other = world.container(&network, 3, Vec::new());
    server.serve(80);
    for frames in [0, 1] {
        world.host.filter_frames(frames);
        // Where frames are filtered, they are translated on the bridge itself, and go back to the port they came from.
        let hairpin = if frames == 1 { "on" } else { "off" };
        world.host.shell(&format!("ip link set {} type bridge_slave hairpin {hairpin}", server.rules.interface));
        // Sources are kept.
        assert_eq!(world.neighbour.fetch(&format!("{HOST}:8080")), "::ffff:192.0.2.2");
        assert_eq!(world.neighbour.fetch(&format!("[{HOST6}]:8080")), "2001:db8::2");
        assert_eq!(world.host.fetch(&format!("{HOST}:8080")), "::ffff:192.0.2.1");
        // But for the host's loopback and for neighbours on the same bridge.
        assert_eq!(world.host.fetch("127.0.0.1:8080"), "::ffff:172.30.1.1");
        for client in [&other, &server] {
            assert_eq!(client.inside.fetch(&format!("{HOST}:8080")), "::ffff:172.30.1.1");
            assert_eq!(client.inside.fetch(&format!("[{HOST6}]:8080")), "fd00:1::1");
            assert_eq!(client.inside.fetch("172.30.1.1:8080"), "::ffff:172.30.1.1");
        }
        world.neighbour.in_vain(&format!("{HOST}:80"));
    }
    // And it is not any more.
    world.host.run(|| world.firewall.detach(&server.rules));
    world.neighbour.in_vain(&format!("{HOST}:8080"));
    world.neighbour.in_vain(&format!("[{HOST6}]:8080"));
}

#[test]
fn a_port_on_one_address_is_reached_there_alone() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    world.host.shell("ip addr add 192.0.2.7/24 dev eth0");
    let ports = vec![port(Some("192.0.2.7"), 8080, 80), port(Some("127.0.0.1"), 8081, 80), port(Some(HOST6), 8082, 80)];
    let server = world.container(&network, 2, ports);
    server.serve(80);
    assert_eq!(world.neighbour.fetch("192.0.2.7:8080"), "::ffff:192.0.2.2");
    assert_eq!(world.neighbour.fetch(&format!("[{HOST6}]:8082")), "2001:db8::2");
    assert_eq!(world.host.fetch("127.0.0.1:8081"), "::ffff:172.30.1.1");
    for closed in ["192.0.2.1:8080", "192.0.2.1:8081", "192.0.2.7:8081", "192.0.2.1:8082", "[2001:db8::1]:8080"] {
        world.neighbour.in_vain(closed);
    }
}

#[test]
fn the_loopback_of_the_host_is_its_own() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let udp = |address, host| PublishedPort { protocol: Protocol::Udp, ..port(address, host, 50) };
    let container = world.container(&network, 2, vec![udp(Some("127.0.0.1"), 5000), udp(None, 5001)]);
    let server = container.inside.udp("0.0.0.0:50");
    let (neighbour, host, loopback) = ([192, 0, 2, 2], [192, 0, 2, 1], [127, 0, 0, 1]);
    let to_host = world.host.hardware("eth0");
    // From a neighbour on the link, whatever it names.
    world.neighbour.send(&datagram(&to_host, [neighbour, host], 5001));
    server.recv_from(&mut [0; 8]).unwrap();
    for port in [5000, 5001] {
        world.neighbour.send(&datagram(&to_host, [neighbour, loopback], port));
    }
    assert!(silent(&server));
    // From a container, to a socket of the host's and in its name.
    let to_bridge = world.host.hardware("br1");
    let socket = world.host.udp("0.0.0.0:60");
    container.inside.send(&datagram(&to_bridge, [[172, 30, 1, 2], [172, 30, 1, 1]], 60));
    socket.recv_from(&mut [0; 8]).unwrap();
    container.inside.send(&datagram(&to_bridge, [[172, 30, 1, 2], loopback], 60));
    container.inside.send(&datagram(&to_bridge, [[127, 0, 0, 2], [172, 30, 1, 1]], 60));
    assert!(silent(&socket));
    // Which is also true of ::1, where something of the host's listens.
    let server = world.container(&network, 3, vec![port(None, 8080, 80)]);
    server.serve(80);
    world.host.serve("[::1]:8080");
    assert_eq!(world.host.fetch("[::1]:8080"), "::1");
}

#[test]
fn a_shifted_range_and_a_wide_one() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let range = |host_ports, container_port, host_address: Option<&str>| PublishedPort {
        host_address: host_address.map(|address| address.parse().unwrap()),
        protocol: Protocol::Tcp,
        host_ports,
        container_port,
    };
    let ports = vec![range(20000..=29999, 20000, None), range(8000..=8009, 9000, None)];
    let server = world.container(&network, 2, ports);
    let other = world.container(&network, 3, vec![range(30000..=39999, 30000, Some(HOST))]);
    for open in [20000, 29999, 9000, 9009] {
        server.serve(open);
    }
    other.serve(31234);
    for from in [20000, 29999, 8000, 8009] {
        assert_eq!(world.neighbour.fetch(&format!("{HOST}:{from}")), "::ffff:192.0.2.2");
        assert_eq!(world.neighbour.fetch(&format!("[{HOST6}]:{from}")), "2001:db8::2");
        assert_eq!(world.host.fetch(&format!("127.0.0.1:{from}")), "::ffff:172.30.1.1");
    }
    assert_eq!(world.neighbour.fetch(&format!("{HOST}:31234")), "::ffff:192.0.2.2");
    world.neighbour.in_vain(&format!("[{HOST6}]:31234"));
    // What a dead owner left there gives way, also when it is another part of it.
    let mut next = world.container(&network, 4, Vec::new());
    next.rules.published = vec![range(25000..=30500, 25000, None), range(8009..=8009, 80, None)];
    world.host.run(|| world.firewall.attach(&next.rules));
    next.serve(25000);
    next.serve(80);
    assert_eq!(world.neighbour.fetch(&format!("{HOST}:25000")), "::ffff:192.0.2.2");
    assert_eq!(world.neighbour.fetch(&format!("{HOST}:8009")), "::ffff:192.0.2.2");
    assert_eq!(world.neighbour.fetch(&format!("{HOST}:8000")), "::ffff:192.0.2.2");
    // The old owner's end does not take the new one's ports.
    world.host.run(|| world.firewall.detach(&server.rules));
    assert_eq!(world.neighbour.fetch(&format!("{HOST}:25000")), "::ffff:192.0.2.2");
    assert_eq!(world.neighbour.fetch(&format!("{HOST}:8009")), "::ffff:192.0.2.2");
    world.neighbour.in_vain(&format!("{HOST}:8000"));
}

#[test]
fn an_udp_client_does_not_reach_the_next_container() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let udp = vec![PublishedPort { protocol: Protocol::Udp, ..port(None, 5000, 50) }];
    let first = world.container(&network, 2, udp.clone());
    let bystander =
        world.container(&network, 4, vec![PublishedPort { protocol: Protocol::Udp, ..port(None, 5001, 50) }]);
    let server = first.inside.udp("0.0.0.0:50");
    let other = bystander.inside.udp("0.0.0.0:50");
    let client = world.neighbour.udp("192.0.2.2:4000");
    let local = world.neighbour.udp("[2001:db8::2]:4000");
    let send = |port| client.send_to(b"x", format!("{HOST}:{port}")).unwrap();
    // Before anything is published there, the host itself tracks the flow.
    send(5000);
    server.recv_from(&mut [0; 8]).unwrap();
    send(5001);
    other.recv_from(&mut [0; 8]).unwrap();
    local.send_to(b"x", format!("[{HOST6}]:5000")).unwrap();
    // Without the rules, the flow still goes on.
    world.host.run(|| world.firewall.detach(&first.rules));
    send(5000);
    server.recv_from(&mut [0; 8]).unwrap();
    world.host.run(|| world.firewall.forget_flows(&first.rules));
    send(5000);
    assert!(silent(&server));
    // That of somebody else is not touched.
    assert_eq!(flows(&world.host, "192.0.2.2", 5001), 1);
    // The flow to the host itself is forgotten when the port is published.
    let second = world.container(&network, 3, udp);
    let server = second.inside.udp("0.0.0.0:50");
    send(5000);
    assert!(silent(&server));
    world.host.run(|| world.firewall.forget_ports(&second.rules.published).context("forget"));
    send(5000);
    server.recv_from(&mut [0; 8]).unwrap();
}

#[test]
fn flows_are_found_among_many() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let udp = |host| vec![PublishedPort { protocol: Protocol::Udp, ..port(None, host, 50) }];
    let container = world.container(&network, 2, udp(5000));
    let crowded = world.container(&network, 3, udp(5001));
    let server = container.inside.udp("[::]:50");
    let outward = container.inside.udp("0.0.0.0:51");
    let (client, client6) = (world.neighbour.udp("192.0.2.2:4000"), world.neighbour.udp("[2001:db8::2]:4000"));
    client.send_to(b"x", format!("{HOST}:5000")).unwrap();
    client6.send_to(b"x", format!("[{HOST6}]:5000")).unwrap();
    outward.send_to(b"x", "192.0.2.2:4000").unwrap();
    for _ in 0..2 {
        server.recv_from(&mut [0; 8]).unwrap();
    }
    // More than are listed at once.
    world.neighbour.run(|| {
        for port in 20000..31000 {
            let socket = std::net::UdpSocket::bind(("192.0.2.2", port)).context("bind")?;
            socket.send_to(b"x", format!("{HOST}:5001")).context("send")?;
        }
        Ok(())
    });
    let count = |port| flows(&world.host, "192.0.2.2", port) + flows(&world.host, "2001:db8::2", port);
    let from_inside = || flows(&world.host, "172.30.1.2", 4000);
    assert!(count(5001) > 10_000);
    let rules = [&container.rules, &crowded.rules];
    assert_eq!((count(5000), from_inside()), (2, 1));
    world.host.run(|| world.firewall.forget_flows(rules[0]));
    assert_eq!((count(5000), from_inside()), (0, 0));
    assert!(count(5001) > 10_000);
    world.host.run(|| world.firewall.forget_ports(&rules[1].published));
    assert_eq!(count(5001), 0);
}

#[test]
fn a_port_sends_back_frames_where_the_bridge_translates_them() {
    let host = Namespace::new();
    host.shell("ip link add br1 type bridge; ip link set br1 up");
    for (frames, isolated, hairpin) in [(0, false, "off"), (1, false, "on"), (1, true, "on"), (0, true, "off")] {
        host.filter_frames(frames);
        let inside = Namespace::new();
        let attachment = Attachment {
            kind: Kind::Bridge { bridge: "br1".to_owned(), port: "veth1".to_owned(), isolated },
            interface: "eth0".to_owned(),
            hardware_address: [2, 0x42, 0, 0, 0, 2],
            mtu: 0,
            addresses: Vec::new(),
            gateways: Gateways::default(),
        };
        host.run(|| attach(&attachment, None, inside.descriptor()));
        let shown = host.shell("ip -d link show dev veth1");
        assert!(shown.contains(&format!("hairpin {hairpin}")), "{frames} {isolated}: {shown}");
        assert!(shown.contains(&format!("isolated {}", if isolated { "on" } else { "off" })), "{shown}");
        host.shell("ip link del veth1");
    }
}
