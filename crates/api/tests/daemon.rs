//! A daemon in this process, and clients that behave and that do not.
#![forbid(unsafe_code)]
// Tests say what they expect by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use api::client::{AttachOptions, EventOptions, ImportOptions, RemoveOptions};
use api::daemon::{Options, serve};
use api::types::CreateContainer;
use api::{Client, Filters, InProcess, Method, Request, RequestBody, Socket, Transport};
use base::Kind;
use engine::{Configuration, Engine};

/// How long the daemons of these tests wait for a head.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A daemon with a state root of its own. Its thread ends with the test's process.
struct Daemon {
    directory: PathBuf,
}

impl Daemon {
    fn start() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let directory = PathBuf::from(format!("/var/tmp/berth-daemon-{}-{number}", std::process::id()));
        let daemon = Self { directory };
        let engine = daemon.engine();
        let options = Options { hosts: vec![daemon.host()], patience: PATIENCE, ..Options::default() };
        std::thread::spawn(move || serve(&engine, &options).unwrap());
        let started = Instant::now();
        while UnixStream::connect(daemon.path()).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "the daemon does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        daemon
    }

    fn engine(&self) -> Engine {
        Engine::open(engine::Options {
            root: self.directory.join("root"),
            runroot: self.directory.join("run"),
            configuration: Configuration::default(),
            configuration_file: None,
            binary: std::env::current_exe().unwrap(),
        })
        .unwrap()
    }

    fn path(&self) -> PathBuf {
        self.directory.join("berth.sock")
    }

    fn host(&self) -> String {
        format!("unix://{}", self.path().display())
    }

    fn client(&self) -> Client {
        Client::new(Box::new(Socket::new(&self.host()).unwrap()))
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// Sends these bytes and reads until the daemon hangs up.
    fn raw(&self, text: &str) -> String {
        let mut stream = self.connect();
        // A daemon may refuse before it has read everything.
        let _ = stream.write_all(text.as_bytes());
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

#[test]
fn pings_tell_the_version() {
    let daemon = Daemon::start();
    daemon.client().ping().unwrap();
    let answer = daemon.raw(&get("/_ping"));
    let lower = answer.to_ascii_lowercase();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nOK"), "{answer}");
    for field in
        ["api-version: 1.51", "ostype: linux", "docker-experimental: false", "server: berth/", "content-length: 2"]
    {
        assert!(lower.contains(field), "{field} in {answer}");
    }
    let answer = daemon.raw("HEAD /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.to_ascii_lowercase().contains("api-version: 1.51") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn addresses_and_versions_are_answered_as_docker_does() {
    let daemon = Daemon::start();
    let table = [
        ("/v1.24/_ping", "200 OK", "OK"),
        ("/v1.51/containers/json", "200 OK", "[]\n"),
        ("/v1.99/_ping", "400 Bad Request", "too new. Maximum supported API version is 1.51"),
        ("/v1.5/_ping", "400 Bad Request", "too old. Minimum supported API version is 1.24"),
        ("/nowhere", "404 Not Found", "{\"message\":\"page not found\"}"),
        ("/containers/none/json", "404 Not Found", "No such container: none"),
        ("/networks/nowhere", "404 Not Found", "network nowhere not found"),
        ("/plugins/none/json", "404 Not Found", "plugin none not found"),
        ("/containers/none/stats", "501 Not Implemented", "stats: not supported by this engine yet"),
        ("/networks", "200 OK", "\"Name\":\"bridge\""),
        ("/nodes", "503 Service Unavailable", "not a swarm manager"),
        ("/containers/%zz/json", "400 Bad Request", "message"),
        ("/containers/json?filters=%7B", "400 Bad Request", "message"),
        ("http://docker/v1.41/_ping", "200 OK", "OK"),
    ];
    for (path, status, body) in table {
        let answer = daemon.raw(&get(path));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")) && answer.contains(body), "{path}: {answer}");
    }
    let answer = daemon.raw("PATCH /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[test]
fn both_transports_answer_the_same() {
    let daemon = Daemon::start();
    let (socket, here) = (Socket::new(&daemon.host()).unwrap(), InProcess::new(daemon.engine()));
    for path in ["/version", "/containers/json", "/images/json", "/containers/none/json", "/volumes"] {
        let ask = |transport: &dyn Transport| {
            let answer = transport.send(Request::new(Method::Get, path)).unwrap();
            (answer.status, String::from_utf8(answer.into_bytes().unwrap()).unwrap())
        };
        assert_eq!(ask(&socket), ask(&here), "{path}");
    }
    let error = daemon.client().inspect_container("none").unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::NotFound, "No such container: none"));
}

#[test]
fn a_connection_carries_many_requests() {
    let daemon = Daemon::start();
    let mut stream = daemon.connect();
    for _ in 0..3 {
        stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nOK") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    }
}

#[test]
fn what_is_no_http_is_refused() {
    let daemon = Daemon::start();
    let endless = format!("GET /_ping HTTP/1.1\r\n{}", "X-Endless: 0123456789\r\n".repeat(100_000));
    let one_field = format!("GET /_ping HTTP/1.1\r\nX: {}", "y".repeat(1 << 20));
    let takeover = format!("POST /containers/a/attach HTTP/1.1\r\n{}", "X-Endless: 0123456789\r\n".repeat(100_000));
    for text in ["nonsense\r\n\r\n", "GET /_ping\r\n\r\n", &endless, &one_field, &takeover] {
        let answer = daemon.raw(text);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    daemon.client().ping().unwrap();
}

#[test]
fn slow_clients_are_not_waited_for() {
    let daemon = Daemon::start();
    for beginning in
        ["", "GET /_ping HT", "POST /containers/a/att", "POST /exec/a/start HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"]
    {
        let mut stream = daemon.connect();
        stream.write_all(beginning.as_bytes()).unwrap();
        // The daemon hangs up, with or without a word, before this side loses its own patience.
        let outcome = stream.read_to_end(&mut Vec::new());
        let is_kept = outcome.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!is_kept, "{beginning:?} kept its connection");
    }
    daemon.client().ping().unwrap();
}

#[test]
fn bodies_that_break_off_are_not_taken_for_whole() {
    let daemon = Daemon::start();
    let head = "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for cut in [
        format!("{head}Content-Length: 100\r\n\r\n{{\"Image\":\"none\"}}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n10\r\n{{\"Image\":\"none\"}}\r\n"),
    ] {
        let mut stream = daemon.connect();
        stream.write_all(cut.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        // A whole one is answered with 404: there is no such image.
        assert!(!answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
    let answer =
        daemon.raw(&format!("{head}Content-Length: 6000000\r\nConnection: close\r\n\r\n{}", " ".repeat(6_000_000)));
    assert!(answer.contains("longer than"), "{answer}");
}

#[test]
fn archives_are_imported_through_the_socket() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let options = ImportOptions { repository: "tiny".to_owned(), ..ImportOptions::default() };
    // An archive without entries: two blocks of zeros.
    let lines = client.import_image(&options, Box::new(std::io::repeat(0).take(1024))).unwrap();
    let mut text = String::new();
    std::io::BufReader::new(lines).read_to_string(&mut text).unwrap();
    assert!(text.contains("sha256:"), "{text}");
    assert_eq!(client.list_images(&Filters::default()).unwrap().len(), 1);
    // A reader that fails must not become an image of half an archive.
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let options = ImportOptions { repository: "half".to_owned(), ..ImportOptions::default() };
    let outcome = client.import_image(&options, Box::new(Broken)).and_then(|mut lines| {
        let mut text = String::new();
        lines.read_to_string(&mut text).map_err(|error| base::Error::internal(error.to_string())).map(|_| text)
    });
    assert!(outcome.unwrap_err().to_string().contains("the disk is gone"));
    assert_eq!(client.list_images(&Filters::default()).unwrap().len(), 1);
}

#[test]
fn streams_come_as_they_happen_and_end_with_their_client() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut events = client.events(&EventOptions::default()).unwrap();
    let mut request = Request::new(Method::Post, "/volumes/create");
    request.headers.add("Content-Type", "application/json");
    request.body = RequestBody::Bytes(br#"{"Name":"one"}"#.to_vec());
    client.send(request).unwrap();
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !seen.ends_with(b"\n") {
        events.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    let line = String::from_utf8(seen).unwrap();
    assert!(line.contains("\"create\"") && line.contains("one"), "{line}");
    // The journal is open for as long as somebody makes the answer.
    let journal = daemon.directory.join("root/events.jsonl");
    assert!(is_open(&journal));
    drop(events);
    let started = Instant::now();
    while is_open(&journal) {
        assert!(started.elapsed() < Duration::from_secs(60), "the daemon goes on for a client that is gone");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether this process, which is the daemon's too, has `path` open.
fn is_open(path: &std::path::Path) -> bool {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|open| open == path)
}

#[test]
fn a_socket_belongs_to_one_daemon() {
    let daemon = Daemon::start();
    let options = Options { hosts: vec![daemon.host()], ..Options::default() };
    let error = serve(&daemon.engine(), &options).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.to_string().starts_with("another daemon listens on unix://"), "{error}");
    daemon.client().ping().unwrap();
}

#[test]
fn a_client_without_upgrade_is_answered_in_its_way() {
    let daemon = Daemon::start();
    // There is no such exec, which is a plain answer in any way of asking.
    for fields in ["", "Connection: Upgrade\r\nUpgrade: tcp\r\n"] {
        let mut stream = daemon.connect();
        let head = format!("POST /v1.24/exec/none/start HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: 2\r\n\r\n{{}}");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 22];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 404 Not Found", "{fields}");
    }
}

#[test]
fn a_connection_becomes_a_stream_as_its_client_asks() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let options = ImportOptions { repository: "tiny".to_owned(), ..ImportOptions::default() };
    let mut lines = client.import_image(&options, Box::new(std::io::repeat(0).take(1024))).unwrap();
    lines.read_to_string(&mut String::new()).unwrap();
    let body: CreateContainer = serde_json::from_str(r#"{"Image":"tiny","Cmd":["none"]}"#).unwrap();
    client.create_container(Some("one"), None, &body).unwrap();
    // A container that was not started yet may be attached to, and its streams are open until it has run.
    let table = [
        ("/v1.41", "", "200 OK", "raw-stream"),
        ("/v1.41", "Connection: Upgrade\r\nUpgrade: tcp\r\n", "101 Switching Protocols", "raw-stream"),
        ("/v1.42", "", "200 OK", "multiplexed-stream"),
        ("", "Connection: Upgrade\r\nUpgrade: tcp\r\n", "101 Switching Protocols", "multiplexed-stream"),
    ];
    for (version, fields, status, kind) in table {
        let mut stream = daemon.connect();
        let target = format!("{version}/containers/one/attach?stream=1&stdout=1");
        stream.write_all(format!("POST {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\nearly").as_bytes()).unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head}");
        let lower = head.to_ascii_lowercase();
        assert!(lower.contains(&format!("content-type: application/vnd.docker.{kind}\r\n")), "{head}");
        assert!(!lower.contains("content-length") && !lower.contains("transfer-encoding"), "{head}");
        assert_eq!(lower.contains("upgrade: tcp"), !fields.is_empty(), "{head}");
    }
    let mut waiting = daemon.connect();
    waiting.write_all(b"POST /containers/one/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    // Before there is an exit to tell of: from here on none is missed.
    assert!(read_head(&mut waiting).starts_with("HTTP/1.1 200 OK\r\n"));
    client.attach_container("one", &AttachOptions { stdout: true, stream: true, ..AttachOptions::default() }).unwrap();
    client.remove_container("one", RemoveOptions::default()).unwrap();
}

/// Reads up to the empty line.
fn read_head(stream: &mut UnixStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// The in-process transport must cost less than a millisecond: prints what it costs.
#[test]
fn the_transport_in_process_costs_next_to_nothing() {
    let daemon = Daemon::start();
    let median = |transport: &dyn Transport| {
        let mut times: Vec<Duration> = (0..1001)
            .map(|_| {
                let started = Instant::now();
                let answer = transport.send(Request::new(Method::Get, "/_ping")).unwrap();
                assert_eq!(answer.into_bytes().unwrap(), b"OK");
                started.elapsed()
            })
            .collect();
        times.sort();
        times[500]
    };
    let here = median(&InProcess::new(daemon.engine()));
    let socket = median(&Socket::new(&daemon.host()).unwrap());
    println!("_ping, median of 1001: in-process {here:?}, over the socket {socket:?}");
    assert!(here < Duration::from_millis(1), "{here:?}");
}
