//! A container that floods its resolver slows only itself.

use std::collections::BTreeSet;

use crate::message::{A, address, asked, query, respond};
use crate::place::{Place, receive};
use crate::server::{Over, Server};

const ID: &str = "0123456789ab";

/// A server that knows `known` and never answers anything else.
fn started() -> (Place, Server) {
    let mut place = Place::new();
    place.attach("shop", "web", ID, "172.18.0.2");
    let server = place.server(Box::new(|_: Over, query| {
        let known = asked(query).0.starts_with("known");
        if known { vec![respond(query, 0, &[address(0, "198.51.100.1")], &[])] } else { vec![] }
    }));
    place.start_with(&[server.address], &["shop"]);
    (place, server)
}

fn silent_names(server: &Server) -> BTreeSet<String> {
    let names = server.asked().into_iter().map(|query| asked(&query.query).0);
    names.filter(|name| name.starts_with("flood")).collect()
}

#[test]
fn one_socket_that_floods_leaves_room_for_others() {
    let (place, server) = started();
    let flood = place.client();
    for number in 0..2000_u16 {
        flood.send(&query(number, &format!("flood{number}"), A)).unwrap();
        if number % 100 == 0 {
            assert_eq!(place.ask("web", A).addresses(), ["172.18.0.2"]);
            assert_eq!(place.ask(&format!("known{number}"), A).addresses(), ["198.51.100.1"]);
        }
    }
    assert!(silent_names(&server).len() <= 16, "{}", silent_names(&server).len());
}

#[test]
fn many_sockets_that_flood_open_no_more_than_the_limit() {
    let (place, server) = started();
    let floods: Vec<_> = (0..200_u16)
        .map(|number| {
            let flood = place.client();
            flood.send(&query(number, &format!("flood{number}"), A)).unwrap();
            flood
        })
        .collect();
    assert_eq!(place.ask("web", A).addresses(), ["172.18.0.2"]);
    server.wait_for(64);
    assert_eq!(silent_names(&server).len(), 64, "of {}", floods.len());
}

#[test]
fn whoever_has_most_makes_room() {
    let (place, server) = started();
    // Four sockets take everything.
    let floods: Vec<_> = (0..4).map(|_| place.client()).collect();
    for number in 0..16_u16 {
        for (index, flood) in floods.iter().enumerate() {
            flood.send(&query(number, &format!("flood{index}-{number}"), A)).unwrap();
        }
        assert_eq!(place.ask("web", A).addresses(), ["172.18.0.2"]);
    }
    server.wait_for(64);
    let client = place.client();
    client.send(&query(1, "known", A)).unwrap();
    assert_eq!(receive(&client).addresses(), ["198.51.100.1"]);
}
