//! What servers outside say.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use network::names::Resolution;

use crate::message::{A, RRSIG, Record, TXT, address, asked, authority, extended, query, question, respond};
use crate::place::{Place, patient, receive};
use crate::server::{Over, Server};

fn good(_: Over, query: &[u8]) -> Vec<Vec<u8>> {
    vec![respond(query, 0, &[address(60, "198.51.100.1")], &[])]
}

fn texts(count: usize) -> Vec<Record> {
    (0..count).map(|index| Record { kind: TXT, ttl: 60, data: [&[99][..], &[index as u8; 99]].concat() }).collect()
}

/// An address of the host where nobody listens.
fn nobody(place: &Place) -> SocketAddr {
    place.server(Box::new(good)).address
}

#[test]
fn answers_pass_through_as_they_are() {
    let mut place = Place::new();
    let server = place.server(Box::new(|_, query| {
        let signature = Record { kind: RRSIG, ttl: 77, data: (0..=255).collect() };
        let unknown = Record { kind: 65_280, ttl: 78, data: vec![0xc0, 0xff, 0] };
        vec![respond(query, 0, &[address(76, "198.51.100.1"), signature, unknown], &[authority(9, 9)])]
    }));
    place.start_with(&[server.address], &[]);
    let ours = extended(query(0x7788, "Example.ORG", A), 4000, 0x8000, b"\0\x0a\0\x08abcdefgh");
    let answer = place.exchange(&ours);
    let theirs = server.asked().remove(0);
    assert_eq!(theirs.over, Over::Udp);
    // The query but for its identifier and spelling; the answer but for the same.
    assert_eq!(theirs.query[2..].to_ascii_lowercase(), ours[2..].to_ascii_lowercase());
    let signature = Record { kind: RRSIG, ttl: 77, data: (0..=255).collect() };
    let unknown = Record { kind: 65_280, ttl: 78, data: vec![0xc0, 0xff, 0] };
    let expected = respond(&ours, 0, &[address(76, "198.51.100.1"), signature, unknown], &[authority(9, 9)]);
    assert_eq!(answer.bytes, expected);
}

/// Every resolver here would wait for a minute: what arrives did not wait for the bad server.
#[test]
fn a_bad_server_does_not_delay_a_good_one() {
    type Bad = (&'static str, Box<dyn Fn(Over, &[u8]) -> Vec<Vec<u8>> + Send + Sync>);
    let spoiled = |at: usize| {
        move |_: Over, query: &[u8]| {
            let mut answer = respond(query, 0, &[address(60, "203.0.113.66")], &[]);
            answer[at] ^= 0xff;
            vec![answer]
        }
    };
    let table: Vec<Bad> = vec![
        ("silent", Box::new(|_, _| vec![])),
        ("wrong identifier", Box::new(spoiled(0))),
        ("a query instead of an answer", Box::new(|_, query| vec![query.to_vec()])),
        ("another name", Box::new(spoiled(13))),
        (
            "another type",
            Box::new(|_, query| {
                let mut query = query.to_vec();
                let end = 12 + question(&query).len();
                query[end - 3] = TXT as u8;
                vec![respond(&query, 0, &[address(60, "203.0.113.66")], &[])]
            }),
        ),
        (
            "more records than there are",
            Box::new(|_, query| {
                let mut answer = respond(query, 0, &[address(60, "203.0.113.66")], &[]);
                answer[7] = 9;
                vec![answer]
            }),
        ),
        ("noise", Box::new(|_, _| vec![b"x".to_vec(), vec![0xff; 700], vec![]])),
        ("SERVFAIL", Box::new(|_, query| vec![respond(query, 2, &[], &[])])),
        ("REFUSED", Box::new(|_, query| vec![respond(query, 5, &[], &[])])),
        ("a bare failure", Box::new(|_, query| vec![[&query[..2], &[0x81, 0x82, 0, 0, 0, 0, 0, 0, 0, 0]].concat()])),
    ];
    for (what, bad) in table {
        let mut place = Place::new();
        let (bad, server) = (place.server(bad), place.server(Box::new(good)));
        place.start_with(&[bad.address, server.address], &[]);
        assert_eq!(place.ask("example.org", A).addresses(), ["198.51.100.1"], "{what}");
        bad.wait_for(1);
    }
    let mut place = Place::new();
    let (nobody, server) = (nobody(&place), place.server(Box::new(good)));
    let unreachable = SocketAddr::from(([192, 0, 2, 1], 53));
    place.start_with(&[unreachable, nobody, server.address], &[]);
    assert_eq!(place.ask("example.org", A).addresses(), ["198.51.100.1"]);
}

#[test]
fn servers_of_both_families_are_asked() {
    let mut place = Place::new();
    let server = place.server_on("[::1]", Box::new(good));
    place.start_with(&[server.address], &[]);
    assert_eq!(place.ask("example.org", A).addresses(), ["198.51.100.1"]);
}

#[test]
fn an_answer_from_elsewhere_is_not_heard() {
    let mut place = Place::new();
    let forger = place.server(Box::new(|_, _| vec![]));
    let server = place.server_on("127.0.0.3", Box::new(|_, _| vec![]));
    place.start_with(&[server.address], &[]);
    let client = place.client();
    client.send(&query(5, "example.org", A)).unwrap();
    server.wait_for(1);
    let theirs = server.asked().remove(0);
    for _ in 0..4 {
        forger.send(&respond(&theirs.query, 0, &[address(60, "203.0.113.66")], &[]), theirs.from);
    }
    server.send(&respond(&theirs.query, 0, &[address(60, "198.51.100.1")], &[]), theirs.from);
    assert_eq!(receive(&client).addresses(), ["198.51.100.1"]);
}

#[test]
fn identifiers_ports_and_spelling_cannot_be_guessed() {
    let mut place = Place::new();
    let server = place.server(Box::new(good));
    place.start_with(&[server.address], &[]);
    for number in 0..32 {
        place.ask(&format!("a-long-enough-name-{number}.example.org"), A);
    }
    let asked = server.asked();
    let ids: BTreeSet<_> = asked.iter().map(|asked| asked.query[..2].to_vec()).collect();
    let ports: BTreeSet<_> = asked.iter().map(|asked| asked.from.port()).collect();
    let spellings: BTreeSet<_> = asked.iter().map(|asked| asked.query[13..30].to_vec()).collect();
    assert!(ids.len() > 28 && ports.len() > 28 && spellings.len() > 28, "{} {}", ids.len(), ports.len());
}

#[test]
fn a_server_that_spells_its_own_way_is_asked_over_tcp() {
    let mut place = Place::new();
    let server = place.server(Box::new(|_, query| {
        let mut answer = respond(query, 0, &[address(60, "198.51.100.1")], &[]);
        answer[12..30].make_ascii_lowercase();
        vec![answer]
    }));
    place.start_with(&[server.address], &[]);
    let answer = place.ask("A-Long-Name.example.org", A);
    assert_eq!(answer.addresses(), ["198.51.100.1"]);
    assert_eq!(answer.bytes[13..24], *b"A-Long-Name");
    assert_eq!(server.asked().iter().map(|asked| asked.over).collect::<Vec<_>>(), [Over::Udp, Over::Tcp]);
}

#[test]
fn a_truncated_answer_is_fetched_over_tcp_and_cut_to_what_the_client_takes() {
    let mut place = Place::new();
    let server = place.server(Box::new(|over, query| {
        let mut answer = respond(query, 0, &texts(if over == Over::Udp { 1 } else { 12 }), &[authority(60, 60)]);
        if over == Over::Udp {
            answer[2] |= 2;
        }
        vec![answer]
    }));
    place.start_with(&[server.address], &[]);
    let plain = place.ask("long.example.org", TXT);
    assert_eq!((plain.truncated, plain.shape()), (true, (0, 4)));
    assert!(plain.bytes.len() <= 512);
    let small = place.exchange(&extended(query(1, "long.example.org", TXT), 1232, 0, &[]));
    assert!(small.truncated && small.bytes.len() <= 1232 && small.bytes.len() > 1100);
    assert_eq!(small.records.last().unwrap().0, 41, "the extension stays");
    let large = place.exchange(&extended(query(1, "long.example.org", TXT), 4096, 0, &[]));
    assert_eq!((large.truncated, large.shape()), (false, (0, 13)));
    let before = server.asked().len();
    let whole = crate::connections::ask(&place, &query(1, "long.example.org", TXT));
    assert_eq!((whole.truncated, whole.shape()), (false, (0, 13)));
    assert_eq!(server.asked().len(), before, "the client's own second try costs nothing outside");
}

#[test]
fn a_truncated_answer_of_a_server_without_tcp_is_better_than_none() {
    let mut place = Place::new();
    let server = place.server(Box::new(|over, query| {
        let mut answer = respond(query, 0, &texts(2), &[]);
        answer[2] |= 2;
        // Over TCP it hangs up.
        if over == Over::Udp { vec![answer] } else { vec![] }
    }));
    place.start_with(&[server.address], &[]);
    let answer = place.ask("long.example.org", TXT);
    assert_eq!((answer.truncated, answer.shape()), (true, (0, 2)));
}

#[test]
fn an_answer_over_tcp_may_be_as_long_as_any() {
    let mut place = Place::new();
    let server = place.server(Box::new(|over, query| {
        let mut answer = respond(query, 0, &texts(if over == Over::Udp { 0 } else { 580 }), &[]);
        answer[2] |= if over == Over::Udp { 2 } else { 0 };
        vec![answer]
    }));
    place.start_with(&[server.address], &[]);
    let whole = crate::connections::ask(&place, &query(1, "long.example.org", TXT));
    assert_eq!((whole.shape(), whole.bytes.len() > 64_000), ((0, 580), true));
}

#[test]
fn when_all_servers_fail_so_does_the_query() {
    let failing = |code: u8| move |_: Over, query: &[u8]| vec![respond(query, code, &[], &[])];
    for (codes, told) in [([2, 2], 2), ([2, 5], 5), ([1, 2], 1)] {
        let mut place = Place::new();
        let servers = codes.map(|code| place.server(Box::new(failing(code))));
        place.start_with(&[servers[0].address, servers[1].address], &[]);
        assert_eq!(place.ask("example.org", A).shape(), (told, 0));
    }
    let mut place = Place::new();
    place.start_with(&[nobody(&place)], &[]);
    assert_eq!(place.ask("example.org", A).shape(), (2, 0));
    let mut place = Place::new();
    place.start_with(&[], &[]);
    assert_eq!(place.ask("example.org", A).shape(), (2, 0), "a host without servers");
}

#[test]
fn a_silent_server_is_asked_again_and_given_up() {
    let mut place = Place::new();
    let server = place.server(Box::new(|_, _| vec![]));
    let resolution = Resolution { timeout_milliseconds: 600, attempts: 3, ..patient(&[server.address]) };
    place.start(resolution, &[]);
    assert_eq!(place.ask("example.org", A).shape(), (2, 0));
    let queries: Vec<_> = server.asked().into_iter().map(|asked| (asked.from, asked.query)).collect();
    assert!(queries.len() >= 2 && queries.iter().all(|query| *query == queries[0]));
    let count = AtomicUsize::new(0);
    let lossy =
        place.server(Box::new(
            move |over, query| {
                if count.fetch_add(1, Ordering::SeqCst) == 0 { vec![] } else { good(over, query) }
            },
        ));
    let resolution = Resolution { timeout_milliseconds: 10_000, attempts: 100, ..patient(&[lossy.address]) };
    place.control().replace(resolution, vec![]);
    assert_eq!(place.ask("example.org", A).addresses(), ["198.51.100.1"]);
}

#[test]
fn what_was_open_is_asked_of_the_new_servers() {
    let mut place = Place::new();
    let (silent, server) = (place.server(Box::new(|_, _| vec![])), place.server(Box::new(good)));
    place.start_with(&[silent.address], &[]);
    let client = place.client();
    client.send(&query(9, "example.org", A)).unwrap();
    silent.wait_for(1);
    place.control().replace(patient(&[server.address]), vec![]);
    assert_eq!(receive(&client).addresses(), ["198.51.100.1"]);
}

/// The first server knows the names of a company, the second one only those of the world.
#[test]
fn no_such_name_is_only_believed_when_better_servers_have_spoken() {
    let mut place = Place::new();
    let (told, heard) = std::sync::mpsc::channel();
    let heard = std::sync::Mutex::new(heard);
    let inner = place.server(Box::new(move |over, query| {
        // The other one comes first.
        heard.lock().unwrap().recv().unwrap();
        std::thread::sleep(Duration::from_millis(10));
        good(over, query)
    }));
    let outer = place.server(Box::new(move |_, query| {
        let _ = told.send(());
        vec![respond(query, 3, &[], &[authority(60, 60)])]
    }));
    place.start_with(&[inner.address, outer.address], &[]);
    assert_eq!(place.ask("intranet.example.org", A).addresses(), ["198.51.100.1"]);
    // The other way round nothing is waited for.
    let silent = place.server(Box::new(|_, _| vec![]));
    place.control().replace(patient(&[outer.address, silent.address]), vec![]);
    assert_eq!(place.ask("nowhere.example.org", A).shape(), (3, 1));
    // And a dead one is not waited for until the end.
    place.control().replace(patient(&[silent.address, outer.address]), vec![]);
    assert_eq!(place.ask("nowhere.example.org", A).shape(), (3, 1));
}

#[test]
fn a_repeated_query_is_asked_once() {
    let mut place = Place::new();
    let server: Server =
        place.server(Box::new(
            |_, query| {
                if asked(query).0 == "slow.example.org" { vec![] } else { good(Over::Udp, query) }
            },
        ));
    place.start_with(&[server.address], &[]);
    let client = place.client();
    for _ in 0..5 {
        client.send(&query(9, "slow.example.org", A)).unwrap();
    }
    client.send(&query(10, "last.example.org", A)).unwrap();
    assert_eq!(receive(&client).addresses(), ["198.51.100.1"]);
    let names: Vec<_> = server.asked().iter().map(|query| asked(&query.query).0).collect();
    assert_eq!(names, ["slow.example.org", "last.example.org"]);
}
