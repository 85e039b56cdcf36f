//! A host that publishes ports of a container, and a relay for them.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use network::lease::{Lease, PortRequest};
use network::namespace::within;
use network::port::Protocol;
use network::relay::Relay;
use rustix::process::{Resource, Rlimit};

/// Longer than anything takes that happens at all; it is waited for only by tests that fail.
pub const FOREVER: Duration = Duration::from_secs(20);

/// The container's addresses.
pub const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2));

/// A host, and its container at addresses of the loopback device.
pub struct Host(OwnedFd);

impl Host {
    pub fn new() -> Self {
        let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
        rustix::process::setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
        #[allow(deprecated, reason = "the safe form; this thread ends at once, and shares no descriptors with others")]
        let inside = std::thread::spawn(|| {
            rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNET).unwrap();
            sys::network::bring_up_loopback().unwrap();
            let added =
                Command::new("ip").args(["address", "add", &format!("{V6}/128"), "dev", "lo", "nodad"]).status();
            assert!(added.unwrap().success());
            // The kernel makes the route of an address a little later.
            let refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
            while !TcpStream::connect((V6, 9)).is_err_and(refused) {
                std::thread::yield_now();
            }
            std::fs::File::open("/proc/thread-self/ns/net").unwrap().into()
        });
        Self(inside.join().unwrap())
    }

    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(self.0.as_fd(), || Ok(work())).unwrap()
    }

    pub fn lease(&self, request: &PortRequest) -> Lease {
        self.run(|| Lease::take(request).unwrap())
    }

    /// Publishes the container's `port` on all addresses, and carries for it to `addresses` as long as the test program lives.
    pub fn publish(&self, protocol: Protocol, port: u16, addresses: &[IpAddr]) -> u16 {
        let lease = self.lease(&everywhere(protocol, port));
        let published = *lease.port.host_ports.start();
        self.carry(vec![lease], addresses);
        published
    }

    pub fn carry(&self, leases: Vec<Lease>, addresses: &[IpAddr]) {
        let relay = Relay::open(&leases, addresses.to_vec()).unwrap().unwrap();
        let namespace = self.0.try_clone().unwrap();
        std::thread::spawn(move || {
            within(namespace.as_fd(), || {
                crate::filter::load(network::relay::SYSTEM_CALLS);
                relay.run(&leases)
            })
        });
    }

    pub fn listen(&self, address: IpAddr, port: u16) -> TcpListener {
        self.run(|| TcpListener::bind((address, port)).unwrap())
    }

    pub fn connect(&self, address: impl Into<IpAddr>, port: u16) -> TcpStream {
        let address = SocketAddr::new(address.into(), port);
        patient(self.run(|| TcpStream::connect(address).unwrap()))
    }

    /// What a client sends, and nobody but him.
    pub fn udp(&self, address: impl Into<IpAddr>, port: u16) -> UdpSocket {
        let address = SocketAddr::new(address.into(), port);
        let socket = self.run(|| UdpSocket::bind(address).unwrap());
        socket.set_read_timeout(Some(FOREVER)).unwrap();
        socket
    }
}

/// A port of the container, on every address of the host, at a number of the kernel's choice.
pub fn everywhere(protocol: Protocol, port: u16) -> PortRequest {
    PortRequest { host_address: None, protocol, candidates: 0..=0, count: 1, container_port: port }
}

pub fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(FOREVER)).unwrap();
    stream.set_write_timeout(Some(FOREVER)).unwrap();
    stream
}

/// Sends a byte from one to the other, and gets it back.
pub fn exchange(mut client: &TcpStream, mut container: &TcpStream) {
    client.write_all(b"?").unwrap();
    container.read_exact(&mut [0]).unwrap();
    container.write_all(b"!").unwrap();
    client.read_exact(&mut [0]).unwrap();
}
