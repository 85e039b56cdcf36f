//! A resolver in a process that has no descriptor left, as a supervisor may be for a moment. Alone in its process, which it fills.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_debug_implementations, missing_docs)]
#![allow(dead_code, reason = "the place is made for other tests")]

#[path = "names/filter.rs"]
mod filter;
#[path = "names/message.rs"]
mod message;
#[path = "names/place.rs"]
mod place;
#[path = "names/server.rs"]
mod server;

use std::fs::File;
use std::io::{Read, Write};

use message::{A, query};
use network::names::frames::framed;
use rustix::net::{AddressFamily, SocketType};

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[test]
fn a_name_fails_for_a_while_and_is_not_denied() {
    let mut place = place::Place::new();
    place.attach("shop", "web", "0123456789ab", "172.18.0.2");
    place.start_with(&[], &["shop"]);
    let client = place.client();
    let connection = place.inside(|| rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap());
    let filling: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    rustix::net::connect(&connection, &place.tcp).unwrap();
    let mut connection = std::net::TcpStream::from(connection);
    connection.write_all(&framed(&query(1, "web", A))).unwrap();
    client.send(&query(2, "web", A)).unwrap();
    assert_eq!(place::receive(&client).shape(), (2, 0));
    drop(filling);
    client.send(&query(3, "web", A)).unwrap();
    assert_eq!(place::receive(&client).addresses(), ["172.18.0.2"]);
    connection.read_exact(&mut [0; 20]).expect("the connection is accepted when there is a descriptor for it");
}
