//! TCP from the container.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use network::names::frames::framed;

use crate::message::{A, Answer, address, asked, query, respond};
use crate::place::Place;
use crate::server::Over;

const ID: &str = "0123456789ab";

/// The answer to a query on a connection of its own.
pub fn ask(place: &Place, query: &[u8]) -> Answer {
    let mut connection = place.connection();
    connection.write_all(&framed(query)).unwrap();
    receive(&mut connection)
}

fn receive(connection: &mut TcpStream) -> Answer {
    let mut length = [0; 2];
    connection.read_exact(&mut length).expect("an answer");
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    connection.read_exact(&mut bytes).unwrap();
    Answer::read(&bytes)
}

/// Whether the other side closes it.
fn is_closed(connection: &mut TcpStream) -> bool {
    match connection.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn started() -> Place {
    let mut place = Place::new();
    place.attach("shop", "web", ID, "172.18.0.2");
    place.start_with(&[], &["shop"]);
    place
}

#[test]
fn a_connection_carries_many_queries() {
    let place = started();
    let mut connection = place.connection();
    for id in 0..3 {
        connection.write_all(&framed(&query(id, "web", A))).unwrap();
        assert_eq!(receive(&mut connection).addresses(), ["172.18.0.2"]);
    }
    // All at once, and torn anywhere.
    let many: Vec<u8> = (0..200).flat_map(|id| framed(&query(id, "web", A))).collect();
    let mut writer = connection.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        for part in many.chunks(37) {
            writer.write_all(part).unwrap();
        }
        writer.shutdown(Shutdown::Write).unwrap();
    });
    for id in 0..200_u16 {
        let answer = receive(&mut connection);
        assert_eq!((&answer.bytes[..2], answer.shape()), (&id.to_be_bytes()[..], (0, 1)));
    }
    writing.join().unwrap();
    assert!(is_closed(&mut connection), "after the last answer it is over");
}

#[test]
fn answers_from_outside_come_as_they_are_there() {
    let mut place = Place::new();
    let server = place.server(Box::new(|_, query| {
        if asked(query).0 == "silent" { vec![] } else { vec![respond(query, 0, &[address(9, "198.51.100.1")], &[])] }
    }));
    place.start_with(&[server.address], &[]);
    let mut connection = place.connection();
    connection.write_all(&framed(&query(1, "silent", A))).unwrap();
    for id in 2..40 {
        connection.write_all(&framed(&query(id, &format!("name{id}"), A))).unwrap();
    }
    for _ in 2..40 {
        assert_eq!(receive(&mut connection).addresses(), ["198.51.100.1"]);
    }
    assert!(server.asked().iter().all(|asked| asked.over == Over::Udp));
}

#[test]
fn what_is_no_query_ends_a_connection() {
    let place = started();
    let mut answer = query(1, "web", A);
    answer[2] |= 0x80;
    let table = [vec![0xff, 0xff, 0, 0], framed(b""), framed(b"short"), framed(&answer)];
    for bytes in table {
        let mut connection = place.connection();
        connection.write_all(&bytes).unwrap();
        assert!(is_closed(&mut connection), "{bytes:x?}");
    }
    let mut connection = place.connection();
    connection.write_all(&framed(&[&query(1, "web", A)[..], b"x"].concat())).unwrap();
    assert_eq!(receive(&mut connection).code, 1, "one that is malformed is told so");
}

#[test]
fn one_connection_too_many_ends_the_quietest() {
    let place = started();
    let mut first = place.connection();
    first.write_all(&framed(&query(1, "web", A))).unwrap();
    receive(&mut first);
    let mut others = Vec::new();
    for id in 0..40 {
        let mut connection = place.connection();
        connection.write_all(&framed(&query(id, "web", A))).unwrap();
        assert_eq!(receive(&mut connection).addresses(), ["172.18.0.2"]);
        others.push(connection);
    }
    assert!(is_closed(&mut first));
    let last = others.last_mut().unwrap();
    last.write_all(&framed(&query(99, "web", A))).unwrap();
    assert_eq!(receive(last).addresses(), ["172.18.0.2"]);
}

#[test]
fn an_idle_connection_is_closed() {
    let place = started();
    let mut idle = place.connection();
    let mut torn = place.connection();
    torn.write_all(&[0]).unwrap();
    assert!(is_closed(&mut idle) && is_closed(&mut torn));
}

#[test]
fn a_client_that_reads_nothing_costs_little_and_harms_nobody() {
    let mut place = Place::new();
    for host in 1..=250 {
        place.attach("shop", "many", &format!("{host:012x}"), &format!("172.18.0.{host}"));
    }
    place.attach("shop", "web", ID, "172.18.0.2");
    place.start_with(&[], &["shop"]);
    let mut greedy = place.connection();
    greedy.set_nonblocking(true).unwrap();
    let queries: Vec<u8> = (0..100).flat_map(|id| framed(&query(id, "many", A))).collect();
    // Until neither side takes any more.
    let mut refused = 0;
    while refused < 50 {
        match greedy.write(&queries) {
            Ok(1..) => refused = 0,
            _ => {
                refused += 1;
                assert_eq!(place.ask("web", A).addresses(), ["172.18.0.2"]);
                assert_eq!(ask(&place, &query(1, "web", A)).addresses(), ["172.18.0.2"]);
            }
        }
    }
}
