//! TCP.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use network::port::Protocol::Tcp;
use network::relay::CONNECTIONS;

use crate::host::{Host, V4, V6, exchange, patient};

const HERE: Ipv6Addr = Ipv6Addr::LOCALHOST;

/// A client and the container's end of its connection.
fn connection(host: &Host, listener: &TcpListener, port: u16) -> (TcpStream, TcpStream) {
    let client = host.connect(HERE, port);
    (client, patient(listener.accept().unwrap().0))
}

/// What closes with a reset.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

#[track_caller]
fn assert_reset(mut stream: &TcpStream) {
    let error = stream.read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
}

/// A reset, which may come before the client has heard of its connection.
#[track_caller]
fn assert_turned_away(host: &Host, address: impl Into<IpAddr>, port: u16) {
    let address = SocketAddr::new(address.into(), port);
    match host.run(|| TcpStream::connect(address)) {
        Ok(stream) => assert_reset(&patient(stream)),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
}

#[test]
fn bytes_go_both_ways_at_once() {
    let host = Host::new();
    let listener = host.listen(V4, 80);
    let (client, container) = connection(&host, &listener, host.publish(Tcp, 80, &[V4]));
    let bytes: Vec<u8> = (0..8_u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let talk = |stream: &TcpStream| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                { stream }.write_all(&bytes).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            });
            let mut heard = Vec::new();
            { stream }.read_to_end(&mut heard).unwrap();
            assert!(heard == bytes, "{} bytes came", heard.len());
        });
    };
    std::thread::scope(|scope| {
        scope.spawn(|| talk(&client));
        talk(&container);
    });
}

#[test]
fn the_end_of_one_direction_leaves_the_other() {
    let host = Host::new();
    let listener = host.listen(V4, 80);
    let port = host.publish(Tcp, 80, &[V4]);
    let (client, container) = connection(&host, &listener, port);
    let (other_client, other_container) = connection(&host, &listener, port);
    for (mut first, mut second) in [(&client, &container), (&other_container, &other_client)] {
        let mut heard = String::new();
        first.write_all(b"question").unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        second.read_to_string(&mut heard).unwrap();
        second.write_all(b" and answer").unwrap();
        second.shutdown(Shutdown::Write).unwrap();
        first.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "question and answer");
    }
}

#[test]
fn a_reset_is_no_end() {
    let host = Host::new();
    let listener = host.listen(V4, 80);
    let port = host.publish(Tcp, 80, &[V4]);
    let (client, container) = connection(&host, &listener, port);
    exchange(&client, &container);
    reset(container);
    assert_reset(&client);
    let (client, container) = connection(&host, &listener, port);
    exchange(&client, &container);
    reset(client);
    assert_reset(&container);
}

#[test]
fn who_finds_nobody_is_reset() {
    let host = Host::new();
    assert_turned_away(&host, HERE, host.publish(Tcp, 80, &[V6, V4]));
    // A container that is on no network any more.
    assert_turned_away(&host, HERE, host.publish(Tcp, 80, &[]));
}

#[test]
fn ipv6_is_preferred_where_it_answers() {
    let host = Host::new();
    let port = host.publish(Tcp, 80, &[V4, V6]);
    let v4 = host.listen(V4, 80);
    let (client, container) = connection(&host, &v4, port);
    exchange(&client, &container);
    let v6 = host.listen(V6, 80);
    let (client, container) = connection(&host, &v6, port);
    exchange(&client, &container);
}

#[test]
fn who_comes_elsewhere_is_reset() {
    let host = Host::new();
    let listener = host.listen(V4, 80);
    let port = host.publish(Tcp, 80, &[V4]);
    assert_turned_away(&host, Ipv4Addr::LOCALHOST, port);
    assert_turned_away(&host, V6, port);
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    listener.set_nonblocking(false).unwrap();
    let (client, container) = connection(&host, &listener, port);
    exchange(&client, &container);
}

#[test]
fn beyond_their_number_connections_wait() {
    let host = Host::new();
    let listener = host.listen(V4, 80);
    let port = host.publish(Tcp, 80, &[V4]);
    let mut all: Vec<_> = (0..CONNECTIONS).map(|_| connection(&host, &listener, port)).collect();
    all.iter().for_each(|(client, container)| exchange(client, container));
    let late = host.connect(HERE, port);
    // The relay has had its turn again.
    for _ in 0..10 {
        exchange(&all[0].0, &all[0].1);
    }
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    listener.set_nonblocking(false).unwrap();
    drop(all.pop());
    let container = patient(listener.accept().unwrap().0);
    exchange(&late, &container);
}

#[test]
fn who_reads_nothing_holds_up_his_own_connection_only() {
    let host = Host::new();
    let listener = host.listen(V4, 80);
    let port = host.publish(Tcp, 80, &[V4]);
    let (mut client, mut container) = connection(&host, &listener, port);
    exchange(&client, &container);
    client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut sent = 0;
    while let Ok(length) = client.write(&[7; 4096]) {
        sent += length;
        assert!(sent < 256 << 20, "somebody swallows everything");
    }
    let (other_client, other_container) = connection(&host, &listener, port);
    exchange(&other_client, &other_container);
    client.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    container.read_to_end(&mut heard).unwrap();
    assert_eq!(heard.len(), sent);
}
