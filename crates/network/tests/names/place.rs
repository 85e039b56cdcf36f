//! A container and its host: two network namespaces, networks on disk, and a resolver that runs between them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use network::names::{Control, Network, Resolution, Resolver, listen};

use crate::message::{Answer, query};
use crate::server::{Behaviour, Server};

/// Longer than anything takes that happens at all; it is waited for only by tests that fail.
pub const FOREVER: Duration = Duration::from_secs(20);

pub struct Place {
    host: OwnedFd,
    container: OwnedFd,
    folder: PathBuf,
    running: Option<(Control, JoinHandle<()>)>,
    pub udp: SocketAddr,
    pub tcp: SocketAddr,
}

impl Place {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("berth-names-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { host: namespace(), container: namespace(), folder, running: None, udp: nowhere, tcp: nowhere }
    }

    /// Lets a container have a name in a network.
    pub fn attach(&self, network: &str, name: &str, container: &str, addresses: &str) {
        let folder = self.folder.join(network).join("names").join(name);
        fs::create_dir_all(&folder).unwrap();
        symlink(addresses, folder.join(container)).unwrap();
    }

    /// Takes a name away.
    pub fn detach(&self, network: &str, name: &str, container: &str) {
        let folder = self.folder.join(network).join("names").join(name);
        fs::remove_file(folder.join(container)).unwrap();
        fs::remove_dir(folder).unwrap();
    }

    /// Lets an address have a name.
    pub fn reverse(&self, network: &str, address: &str, name: &str) {
        let folder = self.folder.join(network).join("reverse");
        fs::create_dir_all(&folder).unwrap();
        symlink(name, folder.join(address)).unwrap();
    }

    pub fn network(&self, name: &str) -> Network {
        let path = self.folder.join(name);
        fs::create_dir_all(&path).unwrap();
        let subnets = ["172.18.0.0/16", "fd00::/64"].map(|subnet| subnet.parse().unwrap()).to_vec();
        Network { name: name.to_owned(), subnets, directory: fs::File::open(path).unwrap().into() }
    }

    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// A server of the host on `address`.
    pub fn server_on(&self, address: &str, behaviour: Behaviour) -> Server {
        Server::start(self.host.as_fd(), address, behaviour)
    }

    pub fn server(&self, behaviour: Behaviour) -> Server {
        self.server_on("127.0.0.1", behaviour)
    }

    /// Starts the resolver.
    pub fn start(&mut self, resolution: Resolution, networks: &[&str]) {
        let listening = listen(self.container.as_fd()).unwrap();
        self.udp = ([127, 0, 0, 11], listening.udp_port().unwrap()).into();
        self.tcp = ([127, 0, 0, 11], listening.tcp_port().unwrap()).into();
        let networks = networks.iter().map(|name| self.network(name)).collect();
        let (resolver, control) = Resolver::new(listening, resolution, networks).unwrap();
        let host = self.host.try_clone().unwrap();
        let thread = std::thread::spawn(move || {
            network::namespace::within(host.as_fd(), || {
                crate::filter::load(network::names::SYSTEM_CALLS);
                resolver.run()
            })
            .unwrap();
        });
        self.running = Some((control, thread));
    }

    /// Starts it with these servers, which are waited for until the test fails.
    pub fn start_with(&mut self, servers: &[SocketAddr], networks: &[&str]) {
        self.start(patient(servers), networks);
    }

    pub fn control(&self) -> &Control {
        &self.running.as_ref().unwrap().0
    }

    /// Ends the resolver.
    pub fn stop(&mut self) {
        if let Some((control, thread)) = self.running.take() {
            control.stop();
            thread.join().unwrap();
        }
    }

    /// Runs something in the container's network namespace.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        network::namespace::within(self.container.as_fd(), || Ok(work())).unwrap()
    }

    /// A socket of the container that asks the resolver.
    pub fn client(&self) -> UdpSocket {
        let to = self.udp;
        self.inside(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(to).unwrap();
            socket.set_read_timeout(Some(FOREVER)).unwrap();
            socket
        })
    }

    pub fn connection(&self) -> TcpStream {
        let to = self.tcp;
        self.inside(|| {
            let stream = TcpStream::connect(to).unwrap();
            stream.set_read_timeout(Some(FOREVER)).unwrap();
            stream
        })
    }

    /// The answer to a query over UDP.
    pub fn exchange(&self, query: &[u8]) -> Answer {
        let client = self.client();
        client.send(query).unwrap();
        receive(&client)
    }

    pub fn ask(&self, name: &str, kind: u16) -> Answer {
        let answer = self.exchange(&query(0x1234, name, kind));
        assert_eq!(answer.bytes[..2], [0x12, 0x34]);
        answer
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((control, thread)) = self.running.take() {
            drop(control);
            let _ = thread.join();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A resolution whose own patience is longer than that of the tests.
pub fn patient(servers: &[SocketAddr]) -> Resolution {
    Resolution { upstreams: servers.to_vec(), timeout_milliseconds: 60_000, attempts: 1, ..Resolution::default() }
}

pub fn receive(client: &UdpSocket) -> Answer {
    let mut buffer = vec![0; 65_535];
    let length = client.recv(&mut buffer).expect("an answer");
    Answer::read(&buffer[..length])
}

/// A fresh network namespace, whose loopback device is up.
#[allow(deprecated, reason = "the safe form; this thread ends at once, and shares no descriptors with others that way")]
fn namespace() -> OwnedFd {
    let inside = std::thread::spawn(|| {
        rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNET).unwrap();
        sys::network::bring_up_loopback().unwrap();
        fs::File::open("/proc/thread-self/ns/net").unwrap().into()
    });
    inside.join().unwrap()
}
