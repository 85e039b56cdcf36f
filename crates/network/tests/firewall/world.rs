//! Network namespaces for tests: a host with bridges, containers behind them, and a neighbour on the host's link.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use base::{Context, Result};
use network::firewall::{EndpointRules, Firewall, NetworkRules, RouterGuard};
use network::namespace::within;
use network::port::{Protocol, PublishedPort};

/// How long an answer is awaited that should come, and one that should not.
const PATIENCE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(400);

pub const HOST: &str = "192.0.2.1";
pub const HOST6: &str = "2001:db8::1";

/// A network namespace, which lasts as long as this.
pub struct Namespace(OwnedFd);

impl Namespace {
    pub fn new() -> Self {
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        holder.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let namespace = std::fs::File::open(format!("/proc/{}/ns/net", holder.id())).unwrap();
        drop(holder.stdin.take());
        holder.wait().unwrap();
        let namespace = Self(namespace.into());
        namespace.shell("ip link set lo up");
        namespace
    }

    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    #[track_caller]
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> T {
        self.attempt(work).unwrap()
    }

    pub fn attempt<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        within(self.0.as_fd(), work)
    }

    /// What a shell prints inside; it must succeed.
    #[track_caller]
    pub fn shell(&self, script: &str) -> String {
        let script = format!("set -e\n{script}");
        let output = self.run(|| Command::new("sh").args(["-c", &script]).output().context("run a shell"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{script}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Whether frames on bridges pass the rules for IP.
    pub fn filter_frames(&self, how: u8) {
        self.shell(&format!(
            "cd /proc/sys/net/bridge; for name in ip ip6 arp; do echo {how} >bridge-nf-call-${{name}}tables; done"
        ));
    }

    /// Serves TCP at `address`, telling everybody who he seems to be.
    pub fn serve(&self, address: &str) {
        let listener = self.run(|| TcpListener::bind(address).context("listen"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let peer = stream.peer_addr().unwrap().ip().to_string();
                let _ = stream.write_all(peer.as_bytes());
            }
        });
    }

    /// Who the server at `address` says that we are.
    #[track_caller]
    pub fn fetch(&self, address: &str) -> String {
        self.connect(address, PATIENCE).map_err(|error| format!("{address}: {error}")).unwrap()
    }

    /// Nobody answers at `address`.
    #[track_caller]
    pub fn in_vain(&self, address: &str) {
        if let Ok(peer) = self.connect(address, SILENCE) {
            panic!("{address} answered {peer}");
        }
    }

    fn connect(&self, address: &str, patience: Duration) -> Result<String> {
        let address: SocketAddr = address.parse().unwrap();
        self.attempt(move || {
            let mut stream = TcpStream::connect_timeout(&address, patience).context("connect")?;
            stream.set_read_timeout(Some(patience)).context("wait")?;
            let mut text = String::new();
            stream.read_to_string(&mut text).context("read")?;
            Ok(text)
        })
    }

    /// The hardware address of an interface.
    pub fn hardware(&self, interface: &str) -> String {
        let shown = self.shell(&format!("ip -o link show dev {interface}"));
        shown.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned()
    }

    /// Sends a frame as it is by `eth0`, by a socket of the packet family.
    pub fn send(&self, frame: &[u8]) {
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        self.shell(&format!(
            "python3 -c 'import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((\"eth0\", 0)); s.send(bytes.fromhex(\"{hex}\"))'"
        ));
    }

    pub fn udp(&self, address: &str) -> UdpSocket {
        let socket = self.run(|| UdpSocket::bind(address).context("bind"));
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }
}

/// A frame with a datagram between these addresses of IPv4, to this port.
pub fn datagram(to: &str, [source, destination]: [[u8; 4]; 2], port: u16) -> Vec<u8> {
    let mut header = [&[0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0], &source[..], &destination].concat();
    let mut sum: u32 = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    sum = (sum & 0xffff) + (sum >> 16);
    header[10..12].copy_from_slice(&(!u16::try_from(sum).unwrap()).to_be_bytes());
    let to: Vec<u8> = to.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let body = [&[0x0f, 0xa0], &port.to_be_bytes()[..], &[0, 9, 0, 0], b"x"].concat();
    [&to[..], &[2, 0, 0, 0, 0, 9, 8, 0], &header, &body].concat()
}

/// Whether nothing arrives at `socket`.
pub fn silent(socket: &UdpSocket) -> bool {
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    let silent = socket.recv_from(&mut [0; 64]).is_err();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    silent
}

/// A host and its neighbour.
pub struct World {
    pub host: Namespace,
    pub neighbour: Namespace,
    pub firewall: Firewall,
}

/// A container at a bridge.
pub struct Container {
    pub inside: Namespace,
    pub rules: EndpointRules,
}

impl Container {
    pub fn address(&self, port: u16) -> String {
        SocketAddr::new(self.rules.addresses[0], port).to_string()
    }

    pub fn address6(&self, port: u16) -> String {
        SocketAddr::new(self.rules.addresses[1], port).to_string()
    }

    /// Serves TCP at `port` on both families.
    pub fn serve(&self, port: u16) {
        self.inside.serve(&format!("[::]:{port}"));
    }
}

pub fn port(host_address: Option<&str>, host: u16, container_port: u16) -> PublishedPort {
    PublishedPort {
        host_address: host_address.map(|address| address.parse().unwrap()),
        protocol: Protocol::Tcp,
        host_ports: host..=host,
        container_port,
    }
}

/// A network with the subnets 172.30.`number`.0/24 and fd00:`number`::/64.
pub fn network(number: u8) -> NetworkRules {
    NetworkRules {
        bridge: format!("br{number}"),
        subnets: vec![format!("172.30.{number}.0/24").parse().unwrap(), format!("fd00:{number}::/64").parse().unwrap()],
        gateways: vec![
            format!("172.30.{number}.1").parse().unwrap(),
            format!("fd00:{number}::1").parse().unwrap(),
            format!("fe80::{number}").parse().unwrap(),
        ],
        internal: false,
        masquerade: true,
        inter_container: true,
        router_guard: RouterGuard::default(),
    }
}

impl World {
    pub fn new() -> Self {
        let (host, neighbour) = (Namespace::new(), Namespace::new());
        host.shell("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
        pair(&host, "eth0", &neighbour, "eth0");
        host.shell(&format!("ip addr add {HOST}/24 dev eth0; ip addr add {HOST6}/64 dev eth0 nodad"));
        neighbour.shell("ip addr add 192.0.2.2/24 dev eth0; ip addr add 2001:db8::2/64 dev eth0 nodad");
        host.filter_frames(0);
        Self { host, neighbour, firewall: Firewall::new("") }
    }

    pub fn bring_up(&self, network: &NetworkRules) {
        let bridge = &network.bridge;
        let mut script = format!(
            "ip link add {bridge} type bridge; echo 1 >/proc/sys/net/ipv4/conf/{bridge}/route_localnet; ip link set {bridge} up;"
        );
        for gateway in &network.gateways {
            let (length, flag) = if gateway.is_ipv4() { (24, "") } else { (64, "nodad") };
            script += &format!("ip addr add {gateway}/{length} dev {bridge} {flag};");
        }
        self.host.shell(&script);
        self.host.run(|| self.firewall.bring_up(network));
    }

    /// The container that is `number` in its network.
    pub fn container(&self, network: &NetworkRules, number: u8, published: Vec<PublishedPort>) -> Container {
        let inside = Namespace::new();
        let bridge = &network.bridge;
        let interface = format!("v{bridge}{number}");
        pair(&self.host, &interface, &inside, "eth0");
        self.host.shell(&format!("ip link set {interface} master {bridge}"));
        let mut addresses = Vec::new();
        for (subnet, gateway) in network.subnets.iter().zip(&network.gateways) {
            let address = match subnet.addr() {
                IpAddr::V4(address) => IpAddr::from((u32::from(address) + u32::from(number)).to_be_bytes()),
                IpAddr::V6(address) => IpAddr::from((u128::from(address) + u128::from(number)).to_be_bytes()),
            };
            let flag = if address.is_ipv4() { "" } else { "nodad" };
            inside.shell(&format!(
                "ip addr add {address}/{} dev eth0 {flag}; ip route add default via {gateway}",
                subnet.prefix_len()
            ));
            addresses.push(address);
        }
        let owner = format!("{bridge}-{number}");
        let rules = EndpointRules { owner, interface, addresses, link_local: Some(link_local(&inside)), published };
        self.host.run(|| self.firewall.attach(&rules));
        Container { inside, rules }
    }
}

fn link_local(inside: &Namespace) -> Ipv6Addr {
    let shown = inside.shell("ip -6 -o addr show dev eth0 scope link");
    let address = shown.split_whitespace().find_map(|word| word.strip_suffix("/64")).unwrap();
    address.parse().unwrap()
}

/// A veth pair between two namespaces, up at both ends, without the wait for duplicate addresses.
pub fn pair(one: &Namespace, one_name: &str, other: &Namespace, other_name: &str) {
    one.shell("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad");
    other.shell("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad");
    // iproute2 knows namespaces by a process or by a name: a process that lives as long as its input.
    let mut keeper = other
        .run(|| Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("keep a namespace"));
    one.shell(&format!(
        "ip link add {one_name} type veth peer name {other_name} netns {}; ip link set {one_name} up",
        keeper.id()
    ));
    drop(keeper.stdin.take());
    keeper.wait().unwrap();
    other.shell(&format!("ip link set {other_name} up"));
}
