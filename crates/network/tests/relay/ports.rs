//! Which ports are opened, and who has them.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};

use network::lease::{Lease, PortRequest};
use network::port::Protocol::{Tcp, Udp};
use network::relay::Relay;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;

use crate::host::{FOREVER, Host, V4, V6, everywhere, exchange, patient};

const HERE: Ipv6Addr = Ipv6Addr::LOCALHOST;

fn is_readable(relay: &Relay) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(relay.descriptor(), PollFlags::IN)], Some(&now)).unwrap() == 1
}

fn at(address: impl Into<IpAddr>, request: PortRequest) -> PortRequest {
    PortRequest { host_address: Some(address.into()), ..request }
}

#[test]
fn nothing_is_opened_that_is_not_published_there() {
    let host = Host::new();
    let elsewhere = [
        at(Ipv4Addr::LOCALHOST, everywhere(Tcp, 80)),
        at(Ipv4Addr::UNSPECIFIED, everywhere(Udp, 53)),
        at(V6, everywhere(Tcp, 80)),
    ];
    let leases: Vec<Lease> = elsewhere.iter().map(|request| host.lease(request)).collect();
    assert!(Relay::open(&leases, vec![V4]).unwrap().is_none());
    let port = *leases[0].port.host_ports.start();
    let refused = host.run(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err());
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    for request in [at(HERE, everywhere(Tcp, 80)), at(Ipv6Addr::UNSPECIFIED, everywhere(Tcp, 80))] {
        let lease = host.lease(&request);
        let listener = host.listen(V4, 80);
        let port = *lease.port.host_ports.start();
        host.carry(vec![lease], &[V4]);
        let client = host.connect(HERE, port);
        exchange(&client, &patient(listener.accept().unwrap().0));
    }
}

#[test]
fn what_comes_is_told_before_anybody_carries() {
    let host = Host::new();
    let leases = vec![host.lease(&everywhere(Tcp, 80)), host.lease(&everywhere(Udp, 53))];
    let [tcp, udp] = [0, 1].map(|number: usize| *leases[number].port.host_ports.start());
    let relay = Relay::open(&leases, vec![V4]).unwrap().unwrap();
    assert!(!is_readable(&relay));
    let sender = host.udp(Ipv4Addr::LOCALHOST, 0);
    sender.send_to(b"astray", (Ipv4Addr::LOCALHOST, udp)).unwrap();
    assert!(!is_readable(&relay));
    let sender = host.udp(HERE, 0);
    sender.send_to(b"?", (HERE, udp)).unwrap();
    assert!(is_readable(&relay));
    rustix::net::recv(&leases[1].sockets()[0], &mut [0_u8; 8], rustix::net::RecvFlags::empty()).unwrap();
    assert!(!is_readable(&relay));
    let client = host.connect(HERE, tcp);
    assert!(is_readable(&relay));
    // Nothing is lost that came before.
    drop(relay);
    let listener = host.listen(V4, 80);
    host.carry(leases, &[V4]);
    exchange(&client, &patient(listener.accept().unwrap().0));
}

#[test]
fn thousands_of_ports_are_one_descriptor() {
    let host = Host::new();
    let (count, last) = (3000, 22_999);
    let request = PortRequest { candidates: 20_000..=last, count, ..everywhere(Tcp, 30_000) };
    let lease = host.lease(&request);
    let listener = host.listen(V4, 32_999);
    host.carry(vec![lease], &[V4]);
    let client = host.connect(HERE, last);
    exchange(&client, &patient(listener.accept().unwrap().0));
}

#[test]
fn nobody_binds_beside_it_and_the_next_one_gets_it_at_once() {
    let host = Host::new();
    let request = everywhere(Tcp, 80);
    let lease = host.lease(&request);
    let port = *lease.port.host_ports.start();
    let relay = Relay::open(std::slice::from_ref(&lease), vec![V4]).unwrap().unwrap();
    let again = PortRequest { candidates: port..=port, ..request };
    host.run(|| {
        Lease::take(&again).unwrap_err();
        Lease::take(&at(HERE, again.clone())).unwrap_err();
        Lease::take(&at(Ipv4Addr::LOCALHOST, again.clone())).unwrap_err();
        // std sets SO_REUSEADDR.
        std::net::TcpListener::bind((HERE, port)).unwrap_err();
        std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap_err();
    });
    // What ends on the host's side first lingers.
    let client = host.connect(HERE, port);
    let accepted = rustix::net::accept(&lease.sockets()[0]).unwrap();
    assert!(sockopt::socket_reuseaddr(&accepted).unwrap());
    drop(accepted);
    client.set_read_timeout(Some(FOREVER)).unwrap();
    assert_eq!(std::io::Read::read(&mut &client, &mut [0]).unwrap(), 0);
    drop(client);
    drop((relay, lease));
    host.lease(&again);
}
