//! A web server that answers as a test tells it to, also wrongly.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// How many requests came before.
    pub number: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

/// What is answered.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

pub enum Body {
    Bytes(Vec<u8>),
    /// Only the first so many bytes, then the connection is closed.
    Broken(Vec<u8>, usize),
    /// The first so many bytes, then silence.
    Stuck(Vec<u8>, usize),
    /// Bytes without a length, in chunks, then their end.
    Chunked(Vec<u8>),
    /// Chunks for ever.
    Endless,
    /// Not even a head.
    Silence,
    /// A head that never ends.
    EndlessHead,
}

pub fn reply(status: u16) -> Reply {
    Reply { status, headers: Vec::new(), body: Body::Bytes(Vec::new()) }
}

impl Reply {
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

/// Decides what is answered.
pub type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

/// Makes a stream of a connection: itself, or TLS on it.
pub type Wrap = dyn Fn(TcpStream) -> Box<dyn Stream> + Send + Sync;

/// What bytes come from and go to.
pub trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A running server; it ends with its value.
pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    ended: Arc<AtomicBool>,
}

impl Server {
    pub fn plain(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start("127.0.0.1:0", Arc::new(|stream| Box::new(stream)), Arc::new(handler))
    }

    /// At an address of its own, with streams that `wrap` makes of connections.
    pub fn start(bind: &str, wrap: Arc<Wrap>, handler: Arc<Handler>) -> Self {
        let listener = TcpListener::bind(bind).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, ended) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (record, over) = (seen.clone(), ended.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { return };
                let (handler, record, wrap, over) = (handler.clone(), record.clone(), wrap.clone(), over.clone());
                std::thread::spawn(move || serve(wrap(stream), &*handler, &record, &over));
            }
        });
        Self { address, seen, ended }
    }

    /// `host:port`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn count(&self, path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path() == path).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: impl Read + Write, handler: &Handler, record: &Mutex<Vec<Seen>>, ended: &AtomicBool) {
    let mut stream = BufReader::new(stream);
    while let Some(mut seen) = read_request(&mut stream) {
        let reply = {
            let mut record = record.lock().unwrap();
            seen.number = record.len();
            record.push(seen.clone());
            drop(record);
            handler(&seen)
        };
        if write_reply(stream.get_mut(), &seen, &reply, ended).is_none() {
            return;
        }
    }
    // What is no HTTP, as a client's first words of TLS, gets an answer that is no TLS; a client that has gone needs none.
    let _ = stream.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
}

fn read_request(stream: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Seen { method, target, headers, body, number: 0 })
}

/// Writes the answer; nothing when the connection is of no use any more.
fn write_reply(stream: &mut impl Write, seen: &Seen, reply: &Reply, ended: &AtomicBool) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} Status\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let wait = || {
        for _ in 0..100 {
            if !ended.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    };
    match &reply.body {
        Body::Silence => {
            wait();
            return None;
        }
        Body::EndlessHead => {
            stream.write_all(head.as_bytes()).ok()?;
            loop {
                stream
                    .write_all(b"X-Filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")
                    .ok()?;
            }
        }
        Body::Bytes(bytes) | Body::Broken(bytes, _) | Body::Stuck(bytes, _) => {
            head.push_str(&format!("content-length: {}\r\n", bytes.len()));
        }
        Body::Chunked(_) | Body::Endless => head.push_str("transfer-encoding: chunked\r\n"),
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if seen.method == "HEAD" {
        return stream.flush().ok();
    }
    match &reply.body {
        Body::Bytes(bytes) => stream.write_all(bytes).ok()?,
        Body::Broken(bytes, count) => {
            stream.write_all(&bytes[..*count]).ok()?;
            stream.flush().ok()?;
            return None;
        }
        Body::Stuck(bytes, count) => {
            stream.write_all(&bytes[..*count]).ok()?;
            stream.flush().ok()?;
            wait();
            return None;
        }
        Body::Chunked(bytes) => {
            write!(stream, "{:x}\r\n", bytes.len()).ok()?;
            stream.write_all(bytes).ok()?;
            stream.write_all(b"\r\n0\r\n\r\n").ok()?;
        }
        Body::Endless => loop {
            stream.write_all(b"400\r\n").ok()?;
            stream.write_all(&[b' '; 1024]).ok()?;
            stream.write_all(b"\r\n").ok()?;
        },
        Body::Silence | Body::EndlessHead => {}
    }
    stream.flush().ok()
}
