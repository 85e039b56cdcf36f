//! Names of containers.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use network::names::Resolution;

use crate::message::{A, AAAA, Answer, HTTPS, MX, PTR, address, encode, extended, labels, query, raw_query, respond};
use crate::place::{Place, patient, receive};
use crate::server::Server;

const ID: &str = "0123456789ab";

/// A server that knows every name.
fn knows_all(place: &Place) -> Server {
    place.server(Box::new(|_, query| vec![respond(query, 0, &[address(60, "198.51.100.1")], &[])]))
}

#[test]
fn names_are_answered_in_any_case_with_and_without_their_network() {
    let mut place = Place::new();
    for name in ["web", "alias.of.web", ID, "0123456789abcdef"] {
        place.attach("Shop", name, ID, "172.18.0.2,fd00::2");
    }
    place.start_with(&[], &["Shop"]);
    for name in ["web", "WEB", "web.", "Web.sHOP", "alias.of.web", "alias.of.web.shop", ID, "0123456789abcdef"] {
        assert_eq!(place.ask(name, A).addresses(), ["172.18.0.2"], "{name}");
        assert_eq!(place.ask(name, AAAA).addresses(), ["fd00::2"], "{name}");
    }
    let answer = place.ask("wEb", A);
    assert_eq!(answer.bytes[12..17], *b"\x03wEb\0", "the question is repeated as it was");
    assert!(answer.records.iter().all(|(_, ttl, _)| *ttl == 0));
    assert_eq!(answer.bytes[2] & 0x80, 0x80);
}

#[test]
fn what_a_container_has_not_is_not_asked_outside() {
    let mut place = Place::new();
    place.attach("shop", "web", ID, "172.18.0.2");
    let server = knows_all(&place);
    place.start_with(&[server.address], &["shop"]);
    for kind in [AAAA, MX, HTTPS, PTR] {
        assert_eq!(place.ask("web", kind).shape(), (0, 0), "{kind}");
        assert_eq!(place.ask("web.shop", kind).shape(), (0, 0), "{kind}");
    }
    assert!(server.asked().is_empty());
    assert_eq!(place.ask("elsewhere", AAAA).addresses(), ["198.51.100.1"]);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn addresses_have_names() {
    let mut place = Place::new();
    place.reverse("shop", "172.18.0.2", "web");
    place.reverse("shop", "fd00::2", "web");
    let server = knows_all(&place);
    place.start_with(&[server.address], &["shop"]);
    let nibbles = format!("2.{}0.0.d.f.ip6.arpa", "0.".repeat(27));
    for name in ["2.0.18.172.in-addr.arpa", "2.0.18.172.IN-ADDR.ARPA", &nibbles] {
        assert_eq!(place.ask(name, PTR).records[0].2, labels("web.shop"), "{name}");
    }
    assert_eq!(place.ask("2.0.18.172.in-addr.arpa", A).shape(), (0, 0));
    // Addresses of our own subnets are nobody else's business.
    assert_eq!(place.ask("3.0.18.172.in-addr.arpa", PTR).shape(), (3, 0));
    assert!(server.asked().is_empty());
    assert_eq!(place.ask("3.0.19.172.in-addr.arpa", PTR).shape(), (0, 1));
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn containers_of_one_name_take_turns() {
    let mut place = Place::new();
    for host in 2..6 {
        place.attach("shop", "web", &format!("{host:012x}"), &format!("172.18.0.{host}"));
    }
    place.start_with(&[], &["shop"]);
    let answers: Vec<_> = (0..8).map(|_| place.ask("web", A).addresses()).collect();
    let first: BTreeSet<_> = answers[..4].iter().map(|addresses| &addresses[0]).collect();
    assert_eq!(first.len(), 4, "{answers:?}");
    for (round, addresses) in answers.iter().enumerate() {
        assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), 4, "{answers:?}");
        assert_eq!(addresses[0], answers[round % 4][0]);
    }
}

#[test]
fn many_containers_of_one_name_are_cut_to_what_fits() {
    let mut place = Place::new();
    for host in 1..=100 {
        place.attach("shop", "web", &format!("{host:012x}"), &format!("172.18.0.{host}"));
    }
    place.start_with(&[], &["shop"]);
    let answer = place.ask("web", A);
    assert!(answer.truncated && answer.bytes.len() <= 512 && answer.records.len() > 25);
    let answer = place.exchange(&extended(query(1, "web", A), 4096, 0, &[]));
    assert_eq!((answer.truncated, answer.shape()), (false, (0, 100)));
}

#[test]
fn a_hostile_name_reaches_no_file() {
    let mut place = Place::new();
    place.attach("shop", "web", ID, "172.18.0.2");
    // What would be found if a name were a path.
    fs::create_dir_all(place.folder().join("shop/secret")).unwrap();
    symlink("203.0.113.1", place.folder().join("shop/secret").join(ID)).unwrap();
    for name in ["we b", "w\u{e4}b", "a\\b", "-.-"] {
        place.attach("shop", name, ID, "203.0.113.1");
    }
    place.start(Resolution { forward: false, ..Resolution::default() }, &["shop"]);
    let names: &[&[&[u8]]] = &[
        &[b"../secret"],
        &[b".."],
        &[b"..", b"secret"],
        &[b"web/../../secret"],
        &[b"/"],
        &[b"."],
        &[b"web\0"],
        &[b"\0"],
        &[b"we b"],
        &["w\u{e4}b".as_bytes()],
        &[b"\xff\xfe"],
        &[b"a\\b"],
        &[b"-.-"],
        &[],
    ];
    for name in names {
        let answer = place.exchange(&raw_query(7, &encode(name), A));
        assert_eq!(answer.shape(), (3, 0), "{name:?}");
    }
    let longest = [&[b'a'; 63][..], &[b'b'; 63], &[b'c'; 63], &[b'd'; 61]];
    assert_eq!(place.exchange(&raw_query(7, &encode(&longest), A)).shape(), (3, 0));
    let too_long = [&[b'a'; 63][..], &[b'b'; 63], &[b'c'; 63], &[b'd'; 62]];
    assert_eq!(place.exchange(&raw_query(7, &encode(&too_long), A)).code, 1);
    assert_eq!(place.ask("web", A).addresses(), ["172.18.0.2"]);
}

#[test]
fn what_is_no_query_is_refused_or_ignored() {
    let mut place = Place::new();
    place.attach("shop", "web", ID, "172.18.0.2");
    place.start_with(&[], &["shop"]);
    let good = query(0xabcd, "web", A);
    let change = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let mut pointer = good[..12].to_vec();
    pointer.extend([0xc0, 12, 0, 1, 0, 1]);
    let two_extensions = {
        let mut bytes = extended(extended(good.clone(), 512, 0, &[]), 512, 0, &[]);
        bytes[11] = 2;
        bytes
    };
    let table = [
        (change(5, 0), 1),
        (change(5, 2), 1),
        (change(7, 1), 1),
        (change(12, 64), 1),
        (change(2, 0x29), 4),
        (pointer, 1),
        (two_extensions, 1),
        (good[..good.len() - 1].to_vec(), 1),
        ([&good[..], b"x"].concat(), 1),
        (good[..12].to_vec(), 1),
        (query(0xabcd, "web", 252), 5),
    ];
    for (bytes, code) in table {
        let answer = place.exchange(&bytes);
        assert_eq!((answer.code, &answer.bytes[..2]), (code, &[0xab, 0xcd][..]), "{bytes:x?}");
    }
    let client = place.client();
    for silent in [&good[..11], b"", &change(2, 0x81)] {
        client.send(silent).unwrap();
    }
    client.send(&good).unwrap();
    assert_eq!(receive(&client).addresses(), ["172.18.0.2"], "only the query is answered");
    let mut version = extended(good, 512, 0, &[]);
    let place_of_version = version.len() - 5;
    version[place_of_version] = 1;
    let answer = place.exchange(&version);
    assert_eq!((answer.code, answer.records[0].1 >> 24), (0, 1), "BADVERS");
}

#[test]
fn a_containers_own_hosts_come_first() {
    let mut place = Place::new();
    place.attach("shop", "database", ID, "172.18.0.2");
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let hosts = [
        ("database".to_owned(), addresses(&["172.18.0.9"])),
        ("host.docker.internal".to_owned(), addresses(&["172.17.0.1", "fd00::1"])),
    ];
    let resolution = Resolution { hosts: hosts.into(), forward: false, ..Resolution::default() };
    // It travels from the engine to the supervisor.
    let resolution = serde_json::from_str(&serde_json::to_string(&resolution).unwrap()).unwrap();
    place.start(resolution, &["shop"]);
    assert_eq!(place.ask("database", A).addresses(), ["172.18.0.9"]);
    assert_eq!(place.ask("database", AAAA).shape(), (0, 0));
    assert_eq!(place.ask("HOST.docker.internal", A).addresses(), ["172.17.0.1"]);
    assert_eq!(place.ask("host.docker.internal", AAAA).addresses(), ["fd00::1"]);
}

#[test]
fn containers_and_networks_come_and_go_while_it_runs() {
    let mut place = Place::new();
    place.start(Resolution { forward: false, ..Resolution::default() }, &["shop"]);
    assert_eq!(place.ask("web", A).shape(), (3, 0));
    place.attach("shop", "web", ID, "172.18.0.2");
    place.attach("farm", "cow", ID, "172.19.0.2");
    assert_eq!(place.ask("web", A).addresses(), ["172.18.0.2"]);
    assert_eq!(place.ask("cow", A).shape(), (3, 0), "a network that it is not in");
    let server = knows_all(&place);
    place.control().replace(patient(&[server.address]), vec![place.network("shop"), place.network("farm")]);
    assert_eq!(place.ask("cow", A).addresses(), ["172.19.0.2"]);
    assert_eq!(place.ask("cow.farm", A).addresses(), ["172.19.0.2"]);
    assert_eq!(place.ask("cow.shop", A).addresses(), ["198.51.100.1"], "joining opened the way outside");
    place.control().replace(Resolution { forward: false, ..Resolution::default() }, vec![place.network("farm")]);
    assert_eq!(place.ask("web", A).shape(), (3, 0));
    assert_eq!(place.ask("cow.shop", A).shape(), (3, 0), "nothing is remembered of outside");
    place.detach("farm", "cow", ID);
    assert_eq!(place.ask("cow", A).shape(), (3, 0));
    fs::remove_dir_all(place.folder().join("farm")).unwrap();
    assert_eq!(place.ask("cow", A).shape(), (3, 0));
}

#[test]
fn the_first_network_with_such_an_address_decides() {
    let mut place = Place::new();
    place.attach("shop", "web", ID, "172.18.0.2");
    place.attach("farm", "web", "ffffffffffff", "172.19.0.2,fd01::2");
    place.start_with(&[], &["shop", "farm"]);
    assert_eq!(place.ask("web", A).addresses(), ["172.18.0.2"]);
    assert_eq!(place.ask("web", AAAA).addresses(), ["fd01::2"]);
    assert_eq!(place.ask("web.farm", A).addresses(), ["172.19.0.2"]);
}

#[test]
fn an_internal_network_asks_nobody() {
    let mut place = Place::new();
    place.attach("shop", "web", ID, "172.18.0.2");
    let server = knows_all(&place);
    place.start(Resolution { forward: false, ..patient(&[server.address]) }, &["shop"]);
    for (name, kind) in [("example.org", A), ("example.org", MX), ("1.100.51.198.in-addr.arpa", PTR)] {
        assert_eq!(place.ask(name, kind).shape(), (3, 0), "{name}");
    }
    assert_eq!(place.ask("web", A).addresses(), ["172.18.0.2"]);
    assert!(server.asked().is_empty());
}

#[test]
fn its_sockets_are_closed_when_it_ends() {
    let mut place = Place::new();
    place.attach("shop", "web", ID, "172.18.0.2");
    place.start_with(&[], &["shop"]);
    let connection = place.connection();
    assert_eq!(place.ask("web", A).addresses(), ["172.18.0.2"]);
    place.stop();
    let (udp, tcp) = (place.udp, place.tcp);
    place.inside(|| {
        std::net::UdpSocket::bind(udp).expect("the UDP port is free");
        assert!(std::net::TcpStream::connect(tcp).is_err());
    });
    assert!(matches!(std::io::Read::read(&mut &connection, &mut [0]), Ok(0) | Err(_)));
}

#[test]
fn an_answer_to_an_extended_query_is_extended() {
    let mut place = Place::new();
    place.attach("shop", "web", ID, "172.18.0.2");
    place.start_with(&[], &["shop"]);
    let answer: Answer = place.exchange(&extended(query(1, "web", A), 1232, 0x8000, &[]));
    assert_eq!(answer.addresses(), ["172.18.0.2"]);
    let (kind, flags, _) = answer.records.last().unwrap();
    assert_eq!((*kind, *flags), (41, 0x8000));
}
