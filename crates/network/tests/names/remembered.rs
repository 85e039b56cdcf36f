//! Answers that are remembered, and those that are not.

use std::thread::sleep;
use std::time::Duration;

use crate::message::{A, AAAA, TXT, address, authority, extended, query, respond};
use crate::place::Place;

#[test]
fn an_answer_is_remembered_while_its_time_counts_down() {
    let mut place = Place::new();
    let server = place.server(Box::new(|_, query| vec![respond(query, 0, &[address(60, "198.51.100.1")], &[])]));
    place.start_with(&[server.address], &[]);
    assert_eq!(place.ask("example.org", A).records[0].1, 60);
    sleep(Duration::from_millis(1100));
    let answer = place.ask("EXAMPLE.org", A);
    assert_eq!(answer.addresses(), ["198.51.100.1"]);
    assert!(answer.records[0].1 < 60);
    assert_eq!(answer.bytes[13..20], *b"EXAMPLE");
    assert_eq!(server.asked().len(), 1);
    place.ask("example.org", AAAA);
    assert_eq!(server.asked().len(), 2, "another type is another question");
    place.exchange(&extended(query(1, "example.org", A), 1232, 0, &[]));
    place.exchange(&extended(query(1, "example.org", A), 1232, 0x8000, &[]));
    assert_eq!(server.asked().len(), 4, "so is one with an extension, and one for DNSSEC's records");
    for _ in 0..2 {
        place.exchange(&extended(query(1, "example.org", A), 1232, 0, b"\0\x0a\0\x08abcdefgh"));
    }
    assert_eq!(server.asked().len(), 6, "an answer to options is for one query only");
}

#[test]
fn an_answer_is_forgotten_when_its_time_is_over() {
    let mut place = Place::new();
    let server = place.server(Box::new(|_, query| {
        vec![respond(query, 0, &[address(60, "198.51.100.1"), address(1, "198.51.100.2")], &[])]
    }));
    place.start_with(&[server.address], &[]);
    place.ask("example.org", A);
    sleep(Duration::from_millis(1100));
    assert_eq!(place.ask("example.org", A).records[0].1, 60);
    assert_eq!(server.asked().len(), 2, "the shortest time of all records counts");
}

#[test]
fn what_does_not_exist_is_remembered_as_long_as_its_zone_says() {
    let mut place = Place::new();
    let server = place.server(Box::new(|_, query| {
        vec![match crate::message::asked(query).0.as_str() {
            "nowhere" => respond(query, 3, &[], &[authority(60, 30)]),
            "brief" => respond(query, 3, &[], &[authority(60, 2)]),
            "undated" => respond(query, 3, &[], &[]),
            "empty" => respond(query, 0, &[], &[authority(60, 30)]),
            "timeless" => respond(query, 0, &[address(0, "198.51.100.1")], &[]),
            _ => respond(query, 2, &[], &[]),
        }]
    }));
    place.start_with(&[server.address], &[]);
    let table = [("nowhere", 1), ("brief", 2), ("undated", 3), ("empty", 1), ("timeless", 3), ("failing", 3)];
    for (name, times) in table {
        let before = server.asked().len();
        place.ask(name, TXT);
        place.ask(name, TXT);
        if name == "brief" {
            sleep(Duration::from_millis(2100));
        }
        place.ask(name, TXT);
        assert_eq!(server.asked().len() - before, times, "{name}");
    }
}
