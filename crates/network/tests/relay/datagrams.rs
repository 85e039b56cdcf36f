//! UDP.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};

use network::port::Protocol::Udp;
use network::relay::CLIENTS;

use crate::host::{Host, V4, V6};

const HERE: Ipv6Addr = Ipv6Addr::LOCALHOST;

/// A client of the published port.
fn client(host: &Host, port: u16) -> UdpSocket {
    let client = host.udp(HERE, 0);
    client.connect((HERE, port)).unwrap();
    client
}

/// Sends `bytes`, answers them in the container, and tells who sent them there.
fn exchange(client: &UdpSocket, container: &UdpSocket, bytes: &[u8]) -> u16 {
    let mut buffer = vec![0; 65_535];
    client.send(bytes).unwrap();
    let (length, from) = container.recv_from(&mut buffer).unwrap();
    assert!(buffer[..length] == *bytes);
    let answer: Vec<u8> = bytes.iter().rev().copied().collect();
    container.send_to(&answer, from).unwrap();
    // A client that is connected hears nobody but the published port on ::1.
    let length = client.recv(&mut buffer).unwrap();
    assert!(buffer[..length] == answer);
    from.port()
}

#[test]
fn each_client_gets_its_own_answers() {
    let host = Host::new();
    let container = host.udp(V4, 53);
    let port = host.publish(Udp, 53, &[V4]);
    let (first, second) = (client(&host, port), client(&host, port));
    let source = exchange(&first, &container, b"first");
    assert_ne!(exchange(&second, &container, b"second"), source);
    assert_eq!(exchange(&first, &container, b""), source);
    assert_eq!(exchange(&first, &container, &[1; 65_000]), source);
}

#[test]
fn ipv6_is_preferred_where_somebody_listens() {
    let host = Host::new();
    let v6 = host.udp(V6, 53);
    let v4 = host.udp(V4, 53);
    exchange(&client(&host, host.publish(Udp, 53, &[V4, V6])), &v6, b"by IPv6");
    drop(v6);
    let port = host.publish(Udp, 53, &[V4, V6]);
    exchange(&client(&host, port), &v4, b"by IPv4");
    exchange(&client(&host, port), &v4, b"by IPv4 from now on");
}

#[test]
fn what_is_sent_elsewhere_never_comes() {
    let host = Host::new();
    let container = host.udp(V4, 53);
    let port = host.publish(Udp, 53, &[V4]);
    host.udp(Ipv4Addr::LOCALHOST, 0).send_to(b"astray", (Ipv4Addr::LOCALHOST, port)).unwrap();
    host.udp(V6, 0).send_to(b"astray", (V6, port)).unwrap();
    exchange(&client(&host, port), &container, b"fine");
}

#[test]
fn a_container_that_does_not_listen_yet_is_reached_later() {
    let host = Host::new();
    let port = host.publish(Udp, 53, &[V4]);
    let early = client(&host, port);
    let other = host.udp(V4, 54);
    early.send(b"lost").unwrap();
    exchange(&client(&host, host.publish(Udp, 54, &[V4])), &other, b"the loop of another relay");
    // What was lost may still be under way: it is not mistaken for what follows.
    let container = host.udp(V4, 53);
    early.send(b"found").unwrap();
    let mut buffer = [0; 8];
    let (mut length, mut from) = container.recv_from(&mut buffer).unwrap();
    if &buffer[..length] == b"lost" {
        (length, from) = container.recv_from(&mut buffer).unwrap();
    }
    assert_eq!(&buffer[..length], b"found");
    container.send_to(b"fine", from).unwrap();
    assert_eq!(early.recv(&mut buffer).unwrap(), 4);
}

#[test]
fn beyond_their_number_the_quietest_client_goes() {
    let host = Host::new();
    let container = host.udp(V4, 53);
    let port = host.publish(Udp, 53, &[V4]);
    let clients: Vec<_> = (0..=CLIENTS).map(|_| client(&host, port)).collect();
    let sources: Vec<u16> = clients.iter().map(|client| exchange(client, &container, b"?")).collect();
    // The last one drove out the first one, and the first one now the second one.
    assert_eq!(exchange(&clients[CLIENTS], &container, b"?"), sources[CLIENTS]);
    assert_eq!(exchange(&clients[2], &container, b"?"), sources[2]);
    container.send_to(b"late", (V4, sources[0])).unwrap();
    assert_ne!(exchange(&clients[0], &container, b"?"), sources[0]);
}
