//! A DNS server of the host that does what a test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a query came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Udp,
    Tcp,
}

/// A query and where it came from.
#[derive(Clone, Debug)]
pub struct Asked {
    pub over: Over,
    pub from: SocketAddr,
    pub query: Vec<u8>,
}

pub type Behaviour = Box<dyn Fn(Over, &[u8]) -> Vec<Vec<u8>> + Send + Sync>;

pub struct Server {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    socket: UdpSocket,
}

impl Server {
    /// One on UDP and TCP of `address`, whose port the kernel chooses. `behaviour` gives the messages that answer a query.
    pub fn start(namespace: BorrowedFd<'_>, address: &str, behaviour: Behaviour) -> Self {
        let address = format!("{address}:0");
        let (udp, tcp) = network::namespace::within(namespace, || {
            loop {
                let udp = UdpSocket::bind(&address).unwrap();
                if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
                    return Ok((udp, tcp));
                }
            }
        })
        .unwrap();
        let address = udp.local_addr().unwrap();
        udp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        tcp.set_nonblocking(true).unwrap();
        let (asked, over, behaviour) = (Arc::default(), Arc::default(), Arc::new(behaviour));
        let note = Note { asked: Arc::clone(&asked), over: Arc::clone(&over), behaviour };
        let other = note.clone();
        let socket = udp.try_clone().unwrap();
        let threads = vec![
            std::thread::spawn(move || serve_datagrams(&udp, &note)),
            std::thread::spawn(move || serve_streams(&tcp, &other)),
        ];
        Self { address, asked, over, threads, socket }
    }

    /// Sends a message of its own.
    pub fn send(&self, message: &[u8], to: SocketAddr) {
        self.socket.send_to(message, to).unwrap();
    }

    /// Waits until it was asked so often.
    pub fn wait_for(&self, queries: usize) {
        while self.asked.lock().unwrap().len() < queries {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct Note {
    asked: Arc<Mutex<Vec<Asked>>>,
    over: Arc<AtomicBool>,
    behaviour: Arc<Behaviour>,
}

impl Note {
    fn answers(&self, over: Over, from: SocketAddr, query: &[u8]) -> Vec<Vec<u8>> {
        self.asked.lock().unwrap().push(Asked { over, from, query: query.to_vec() });
        (self.behaviour)(over, query)
    }
}

fn serve_datagrams(socket: &UdpSocket, note: &Note) {
    let mut buffer = vec![0; 65_535];
    while !note.over.load(Ordering::SeqCst) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        for answer in note.answers(Over::Udp, from, &buffer[..length]) {
            let _ = socket.send_to(&answer, from);
        }
    }
}

fn serve_streams(listener: &TcpListener, note: &Note) {
    while !note.over.load(Ordering::SeqCst) {
        let Ok((mut stream, from)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            continue;
        }
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut query).is_ok() {
            for answer in note.answers(Over::Tcp, from, &query) {
                let _ = stream.write_all(&network::names::frames::framed(&answer));
            }
        }
    }
}
