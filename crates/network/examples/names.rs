//! Measures a resolver: answers a second of a container's name, the processor time of each, the first answer, and memory when everything is full.
//!
//! `cargo run --release -p network --example names` as root; everything happens in network namespaces of its own.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, missing_debug_implementations, missing_docs)]

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use network::names::{Network, Resolution, Resolver, listen};
use network::namespace::within;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

const SECONDS: u64 = 3;

fn main() {
    let (host, container) = (namespace(), namespace());
    let folder = std::env::temp_dir().join(format!("berth-names-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("names/web")).unwrap();
    std::os::unix::fs::symlink("172.18.0.2,fd00::2", folder.join("names/web/0123456789ab")).unwrap();
    let directory = std::fs::File::open(&folder).unwrap().into();
    let networks = vec![Network { name: "shop".to_owned(), subnets: Vec::new(), directory }];
    let upstream = within(host.as_fd(), || Ok(UdpSocket::bind("127.0.0.1:0").unwrap())).unwrap();
    let before = resident();

    let began = Instant::now();
    let listening = listen(container.as_fd()).unwrap();
    let udp = SocketAddr::from(([127, 0, 0, 11], listening.udp_port().unwrap()));
    let tcp = SocketAddr::from(([127, 0, 0, 11], listening.tcp_port().unwrap()));
    let upstreams = vec![upstream.local_addr().unwrap()];
    let resolution = Resolution { upstreams, timeout_milliseconds: 60_000, attempts: 1, ..Resolution::default() };
    let (resolver, control) = Resolver::new(listening, resolution, networks).unwrap();
    let running = std::thread::Builder::new().name("resolver".to_owned()).spawn(move || {
        within(host.as_fd(), || resolver.run()).unwrap();
    });
    let client = client(&container, udp);
    ask(&client, &query("web", 1));
    println!("first answer, with the sockets made: {:?}", began.elapsed());

    for clients in [1, 4] {
        throughput(&container, udp, clients);
    }
    fill(&container, &client, tcp, upstream);
    println!("memory with everything full: {} KiB more than before", resident() - before);
    control.stop();
    running.unwrap().join().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

fn throughput(container: &OwnedFd, udp: SocketAddr, clients: usize) {
    let processor = processor_time();
    let until = Instant::now() + Duration::from_secs(SECONDS);
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            let client = client(container, udp);
            std::thread::spawn(move || {
                let mut count = 0_u64;
                while Instant::now() < until {
                    ask(&client, &query("web", 1));
                    count += 1;
                }
                count
            })
        })
        .collect();
    let count: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let used = (processor_time() - processor).as_nanos() / u128::from(count.max(1));
    println!("{clients} clients: {} answers a second, {used} ns of the resolver's processor each", count / SECONDS);
}

/// Fills the cache with answers, the table with questions that nobody answers, and all connections.
fn fill(container: &OwnedFd, client: &UdpSocket, tcp: SocketAddr, upstream: UdpSocket) {
    upstream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut buffer = [0; 1500];
    for number in 0..2000 {
        client.send(&query(&format!("a-name-of-some-length-{number}.example.org"), 16)).unwrap();
        let (length, from) = upstream.recv_from(&mut buffer).unwrap();
        let mut answer = buffer[..length].to_vec();
        answer[2] |= 0x80;
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0xe, 0x10, 0, 200, 199]);
        answer.extend([b'x'; 199]);
        upstream.send_to(&answer, from).unwrap();
        client.recv(&mut buffer).unwrap();
    }
    let clients: Vec<_> = (0..64).map(|_| self::client(container, client.peer_addr().unwrap())).collect();
    for (number, client) in clients.iter().enumerate() {
        client.send(&query(&format!("silent{number}"), 1)).unwrap();
    }
    let connections: Vec<_> = (0..16)
        .map(|_| {
            let mut stream = within(container.as_fd(), || Ok(TcpStream::connect(tcp).unwrap())).unwrap();
            stream.write_all(&[4, 0]).unwrap();
            stream.write_all(&[0; 1000]).unwrap();
            stream
        })
        .collect();
    ask(client, &query("web", 1));
    std::thread::sleep(Duration::from_millis(100));
    drop(connections);
}

fn namespace() -> OwnedFd {
    #[allow(deprecated, reason = "the safe form; this thread ends at once")]
    let inside = std::thread::spawn(|| {
        rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNET).unwrap();
        sys::network::bring_up_loopback().unwrap();
        std::fs::File::open("/proc/thread-self/ns/net").unwrap().into()
    });
    inside.join().unwrap()
}

fn client(container: &OwnedFd, to: SocketAddr) -> UdpSocket {
    within(container.as_fd(), || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(to).unwrap();
        Ok(socket)
    })
    .unwrap()
}

fn ask(client: &UdpSocket, query: &[u8]) {
    client.send(query).unwrap();
    assert!(client.recv(&mut [0; 512]).unwrap() > query.len());
}

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// Processor time of the thread that is inside the namespace.
fn processor_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let of = |name: &str| {
        tasks
            .map(|task| task.path())
            .filter(|path| std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name))
            .map(|path| std::fs::read_to_string(path.join("schedstat")).unwrap())
            .collect::<String>()
    };
    let text = of("network");
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Private memory of this process, in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
