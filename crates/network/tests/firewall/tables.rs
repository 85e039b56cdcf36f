//! Our tables come, stay and go.

use std::net::IpAddr;

use base::Context;
use network::firewall::{Firewall, redirect_names};

use crate::world::{HOST, Namespace, World, network, port};

/// Everything in the packet filter of a namespace, as messages of the kernel.
fn rules(namespace: &Namespace) -> Vec<String> {
    namespace.run(|| {
        let mut socket = network::netlink::Socket::open(network::netlink::Family::Netfilter)?;
        let mut all = Vec::new();
        // Tables, chains, rules and sets.
        for kind in [1, 4, 7, 10] {
            let request = network::netlink::Request { kind: 10 << 8 | kind, flags: 0, body: vec![0; 4] };
            let answers = socket.list(&request)?.map_err(|refusal| refusal.into_error("list"))?;
            // Behind the family's header and but for the number of the generation in it.
            all.extend(answers.into_iter().map(|answer| format!("{kind} {:?}", &answer.body[4..])));
        }
        Ok(all)
    })
}

#[test]
fn what_is_repeated_changes_nothing_and_what_is_taken_down_is_gone() {
    let world = World::new();
    assert!(!world.host.run(|| world.firewall.is_whole()));
    let (one, two) = (network(1), network(2));
    world.bring_up(&one);
    assert!(world.host.run(|| world.firewall.is_whole()));
    let before = rules(&world.host);
    assert!(before.len() > 40, "{}", before.len());
    world.host.run(|| world.firewall.bring_up(&one));
    assert_eq!(rules(&world.host), before);
    let other = Firewall::new("0badcafe");
    world.host.run(|| other.bring_up(&two));
    let container = world.container(&one, 2, vec![port(None, 8080, 80)]);
    world.host.run(|| world.firewall.attach(&container.rules));
    for _ in 0..2 {
        world.host.run(|| world.firewall.detach(&container.rules));
    }
    world.host.run(|| world.firewall.take_down(&one));
    world.host.run(|| world.firewall.take_down(&one));
    assert!(!world.host.run(|| world.firewall.is_whole()));
    assert!(world.host.run(|| other.is_whole()));
    world.host.run(|| other.take_down(&two));
    assert_eq!(rules(&world.host), Vec::<String>::new());
    world.host.run(|| world.firewall.detach(&container.rules));
    assert!(world.host.attempt(|| world.firewall.attach(&container.rules)).is_err());
}

#[test]
fn what_somebody_flushed_is_noticed_and_brought_back() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let container = world.container(&network, 2, vec![port(None, 8080, 80)]);
    container.serve(80);
    let delete = |kind: u16| {
        world.host.run(|| {
            let mut socket = network::netlink::Socket::open(network::netlink::Family::Netfilter)?;
            let request = |kind, body| network::netlink::Request { kind, flags: 0, body };
            // The inet family's table, by its name.
            let table = [&[1, 0, 0, 0], &[10, 0, 1, 0], &b"berth\0\0\0"[..]].concat();
            let edge = |kind| request(kind, vec![0, 0, 0, 10]);
            let refusals = socket.enclosed(&edge(16), &[request(10 << 8 | kind, table)], &edge(17))?;
            assert!(refusals.is_empty(), "{refusals:?}");
            Ok(())
        });
        assert!(!world.host.run(|| world.firewall.is_whole()));
        world.host.run(|| world.firewall.bring_up(&network));
        assert!(world.host.run(|| world.firewall.is_whole()));
    };
    // The rules alone: elements are still there.
    delete(8);
    assert_eq!(world.neighbour.fetch(&format!("{HOST}:8080")), "::ffff:192.0.2.2");
    // The whole table.
    delete(2);
    world.neighbour.in_vain(&format!("{HOST}:8080"));
    world.host.run(|| world.firewall.attach(&container.rules));
    assert_eq!(world.neighbour.fetch(&format!("{HOST}:8080")), "::ffff:192.0.2.2");
}

#[test]
fn what_the_dead_left_is_swept() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let empty = rules(&world.host);
    let dead = world.container(&network, 2, vec![port(None, 8080, 80)]);
    let alive = world.container(&network, 3, vec![port(None, 8081, 80)]);
    dead.serve(80);
    alive.serve(80);
    world.host.run(|| world.firewall.sweep(|owner| owner == dead.rules.owner));
    world.neighbour.in_vain(&format!("{HOST}:8080"));
    assert_eq!(world.neighbour.fetch(&format!("{HOST}:8081")), "::ffff:192.0.2.2");
    world.host.run(|| world.firewall.sweep(|_| true));
    world.neighbour.in_vain(&format!("{HOST}:8081"));
    // What belongs to the network is still there.
    assert_eq!(rules(&world.host), empty);
    assert_eq!(dead.inside.fetch(&alive.address(80)), "::ffff:172.30.1.2");
}

#[test]
fn many_change_the_tables_at_once() {
    let world = World::new();
    let network = network(1);
    world.bring_up(&network);
    let container = world.container(&network, 2, Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (world, mut rules) = (&world, container.rules.clone());
            scope.spawn(move || {
                for round in 0..50_u8 {
                    rules.owner = format!("{thread}-{round}");
                    rules.interface = format!("veth{thread}");
                    rules.addresses = vec![IpAddr::from([172, 30, 1, 100 + thread])];
                    rules.link_local = None;
                    rules.published = vec![port(None, 9000 + u16::from(thread), 80)];
                    world.host.run(|| world.firewall.attach(&rules));
                    world.host.run(|| world.firewall.detach(&rules));
                }
            });
        }
    });
}

#[test]
fn names_are_asked_of_the_resolver() {
    let container = Namespace::new();
    let udp = container.udp("127.0.0.11:0");
    container.serve("127.0.0.11:4053");
    let port = udp.local_addr().unwrap().port();
    for _ in 0..2 {
        container.run(|| redirect_names(port, 4053));
    }
    // Also where the image itself serves names on every address.
    let image = container.udp("0.0.0.0:53");
    container.serve("0.0.0.0:53");
    let client = container.udp("0.0.0.0:0");
    client.send_to(b"question", "127.0.0.11:53").unwrap();
    let mut buffer = [0; 16];
    let (_, from) = udp.recv_from(&mut buffer).unwrap();
    udp.send_to(b"answer", from).unwrap();
    let (length, from) = client.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from.to_string().as_str()), (&b"answer"[..], "127.0.0.11:53"));
    assert!(crate::world::silent(&image));
    container.fetch("127.0.0.11:53");
    container.run(|| std::net::TcpStream::connect("127.0.0.1:53").context("the image's own"));
}
