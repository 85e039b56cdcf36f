//! The API daemon: the same commands through its socket, Docker's own client, and that its death means nothing to containers.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::harness::{Background, Finished, Host, IMAGE, eventually, finish};

/// An idle daemon may have so much memory of its own.
const MEMORY_LIMIT_KIB: u64 = 15 << 10;

/// A daemon on a host of a test's own.
struct Daemon<'a> {
    host: &'a Host,
    process: Background,
}

impl<'a> Daemon<'a> {
    fn start(host: &'a Host) -> Self {
        let process = host.spawn(["daemon", "-H", &address(host)]);
        assert!(eventually(|| UnixStream::connect(socket(host)).is_ok()), "the daemon does not listen");
        Self { host, process }
    }

    /// A command of berth's as the daemon's client; it has no state of its own to fall back on.
    fn berth(&self, arguments: &[&str]) -> Finished {
        finish(self.client(arguments), b"")
    }

    fn client(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(["--root", "/nonexistent", "--host", &address(self.host)]).args(arguments);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.host.path("home"));
        command
    }

    /// A command of Docker's client.
    fn docker(&self, arguments: &[&str]) -> Finished {
        finish(self.docker_command(arguments), b"")
    }

    fn docker_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(docker());
        command.args(["-H", &address(self.host)]).args(arguments);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.host.path("home"));
        command
    }

    /// Sends these bytes on a connection of its own.
    fn raw(&self, text: &str) -> UnixStream {
        let mut stream = UnixStream::connect(socket(self.host)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }
}

fn socket(host: &Host) -> PathBuf {
    host.path("berth.sock")
}

fn address(host: &Host) -> String {
    format!("unix://{}", socket(host).display())
}

/// Docker's client: what is installed, or Debian's, unpacked beside the system.
fn docker() -> &'static Path {
    static CLIENT: OnceLock<PathBuf> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let installed = ["/usr/bin/docker", "/usr/local/bin/docker"].map(PathBuf::from);
        if let Some(client) = installed.into_iter().find(|path| path.exists()) {
            return client;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker");
        let client = folder.join("usr/bin/docker");
        if !client.exists() {
            std::fs::create_dir_all(&folder).unwrap();
            let script = "apt-get download -q docker.io && dpkg-deb -x docker.io_*.deb .";
            let status = Command::new("sh").args(["-c", script]).current_dir(&folder).stdout(Stdio::null()).status();
            assert!(status.unwrap().success(), "Debian's docker.io cannot be had");
        }
        client
    })
}

#[test]
fn commands_work_through_a_daemon() {
    let host = Host::with_image();
    let daemon = Daemon::start(&host);
    let finished = daemon.berth(&["run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 3"]).code(3);
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
    daemon.berth(&["run", "--rm", IMAGE, "/missing"]).code(127);
    let input = "line\n".repeat(100_000);
    let piped = finish(daemon.client(&["run", "--rm", "-i", IMAGE, "cat"]), input.as_bytes()).ok();
    assert_eq!(piped.stdout.len(), input.len());
    let id = daemon.berth(&["create", "-i", "--name", "web", IMAGE, "cat"]).ok().out();
    daemon.berth(&["start", "web"]).ok();
    assert_eq!(daemon.berth(&["ps", "-q", "--no-trunc"]).ok().out(), id);
    // Both hosts of the engine see one state.
    assert_eq!(host.berth(["ps", "-q", "--no-trunc"]).ok().out(), id);
    assert_eq!(daemon.berth(&["exec", "web", "echo", "inside"]).ok().stdout, "inside\n");
    assert_eq!(daemon.berth(&["exec", "web", "sh", "-c", "exit 7"]).code, 7);
    assert_eq!(finish(daemon.client(&["attach", "web"]), b"typed\n").ok().stdout, "typed\n");
    host.wait_for("web", "{{.State.Status}}", "exited");
    assert_eq!(daemon.berth(&["logs", "web"]).ok().stdout, "typed\n");
    assert_eq!(daemon.berth(&["inspect", "--format", "{{.Id}}", "web"]).ok().out(), id);
    assert_eq!(daemon.berth(&["images", "-q"]).ok().lines(), host.berth(["images", "-q"]).ok().lines());
    daemon.berth(&["rm", "web"]).ok();
}

#[test]
fn the_environment_names_a_host_and_the_flag_wins() {
    let (host, other) = (Host::with_image(), Host::new());
    let (daemon, second) = (Daemon::start(&host), Daemon::start(&other));
    host.berth(["create", "--name", "here", IMAGE, "true"]).ok();
    let names = |variable: &str, flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.env_clear().env("HOME", host.path("home")).env("DOCKER_HOST", variable);
        finish(
            {
                command.args(["--root", "/nonexistent"]).args(flags).args(["ps", "-a", "--format", "{{.Names}}"]);
                command
            },
            b"",
        )
    };
    let (full, empty) = (address(&host), address(&other));
    assert_eq!(names(&full, &[]).ok().stdout, "here\n");
    assert_eq!(names(&empty, &[]).ok().stdout, "");
    assert_eq!(names(&empty, &["-H", &full]).ok().stdout, "here\n");
    assert_eq!(names(&full, &["--host", &empty]).ok().stdout, "");
    names("unix:///nonexistent/berth.sock", &[]).code(1).says("is berth daemon running?");
    names("nonsense", &[]).code(1).says("nonsense");
    // Empty is not set: this process is the engine, with a state root that cannot be one.
    names("", &["--root", "/proc/nothing"]).code(1).says("/proc/nothing");
    drop((daemon, second));
}

#[test]
fn the_log_level_decides_what_is_said() {
    let host = Host::with_image();
    let lines = |flags: &[&str], configuration: &str| {
        let file = host.file("engine.json", configuration);
        let mut command = host.command();
        command.arg("--config-file").arg(file).args(flags).args(["daemon", "-H", &address(&host)]);
        let daemon = Background::start(&mut command);
        assert!(eventually(|| UnixStream::connect(socket(&host)).is_ok()), "the daemon does not listen");
        let client = |arguments: &[&str]| host.berth([&["-H", &address(&host)], arguments].concat());
        client(&["ps"]).ok();
        client(&["inspect", "--type", "container", "nothing"]).code(1);
        let mut raw = UnixStream::connect(socket(&host)).unwrap();
        raw.write_all(b"POST /build HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
        raw.read_to_end(&mut Vec::new()).unwrap();
        let debug = client(&["info", "--format", "{{.Debug}}"]).ok().out();
        daemon.signal("TERM");
        let stderr = daemon.finish().ok().stderr;
        let says = [
            "listening on",
            "GET /v1.51/containers/json: 200",
            "/containers/nothing/json: 404 No such container",
            "POST /build: 501",
        ];
        (says.map(|text| stderr.contains(text)), debug == "true")
    };
    let (everything, usual, warnings, nothing) =
        ([true; 4], [true, false, false, true], [false, false, false, true], [false; 4]);
    for (flags, configuration, expected) in [
        (&[][..], "{}", usual),
        (&["-D"], "{}", everything),
        (&["-l", "debug"], "{}", everything),
        (&["--log-level=warn"], "{}", warnings),
        (&["-l", "error"], "{}", nothing),
        (&["-l", "fatal", "--debug"], "{}", everything),
        (&[], r#"{"debug":true}"#, everything),
        (&[], r#"{"log-level":"warn"}"#, warnings),
        (&["-l", "info"], r#"{"log-level":"error","debug":true}"#, usual),
    ] {
        let (said, debug) = lines(flags, configuration);
        assert_eq!((said, debug), (expected, expected == everything), "{flags:?} {configuration}");
    }
    host.berth(["-l", "loud", "ps"]).code(125).says("\"loud\": use debug, info, warn, error or fatal");
    let wrong = host.file("engine.json", r#"{"log-level":"loud"}"#);
    host.berth(["--config-file", wrong.to_str().unwrap(), "ps"]).code(1).says("log-level: unable to parse");
}

#[test]
fn a_command_shows_its_requests() {
    let host = Host::with_image();
    let quiet = host.berth(["inspect", "--type", "image", IMAGE]).ok();
    assert_eq!(quiet.stderr, "");
    let loud = host.berth(["-D", "inspect", "--type", "image", IMAGE]).ok();
    assert_eq!((loud.stdout, loud.stderr), (quiet.stdout, format!("debug: GET /images/{IMAGE}/json: 200\n")));
    host.berth(["-l", "debug", "rm", "nothing"]).code(1).says("debug: DELETE /containers/nothing: 404\n");
    let daemon = Daemon::start(&host);
    daemon.berth(&["--debug", "ps"]).ok().says("debug: GET /containers/json: 200\n");
}

#[test]
fn dockers_client_works_with_a_daemon() {
    let host = Host::with_image();
    let daemon = Daemon::start(&host);
    let version = daemon.docker(&["version", "--format", "{{.Server.Version}}"]).ok().out();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    let run = ["run", "--rm", "--network", "none", IMAGE];
    let with = |more: &[&'static str]| [&run[..], more].concat();
    let finished = daemon.docker(&with(&["sh", "-c", "echo out; echo err >&2; exit 3"])).code(3);
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
    let piped =
        finish(daemon.docker_command(&["run", "--rm", "-i", "--network", "none", IMAGE, "cat"]), b"through").ok();
    assert_eq!(piped.stdout, "through");
    let id = daemon
        .docker(&["run", "-d", "--network", "none", "--name", "dock", IMAGE, "sh", "-c", "echo first; sleep 1000"])
        .ok()
        .out();
    assert_eq!(daemon.docker(&["ps", "-q", "--no-trunc"]).ok().out(), id);
    assert_eq!(daemon.docker(&["exec", "dock", "echo", "inside"]).ok().stdout, "inside\n");
    assert_eq!(daemon.docker(&["exec", "dock", "sh", "-c", "exit 7"]).code, 7);
    assert_eq!(
        daemon.docker(&["inspect", "--format", "{{.State.Status}} {{.Config.Image}}", "dock"]).ok().out(),
        format!("running {IMAGE}")
    );
    assert_eq!(
        daemon.docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).ok().out(),
        format!("{IMAGE}:latest")
    );
    let mut follow = daemon.docker_command(&["logs", "-f", "dock"]);
    let mut follow = Background::start(&mut follow);
    follow.read_until("first");
    daemon.docker(&["stop", "-t", "0", "dock"]).ok();
    follow.finish().ok();
    daemon.docker(&["rm", "dock"]).ok();
    daemon.docker(&["inspect", "nothing"]).code(1).says("nothing");
}

#[test]
fn dockers_client_manages_networks() {
    let host = Host::with_image();
    let daemon = Daemon::start(&host);
    let id = daemon.docker(&["network", "create", "--subnet", "10.9.0.0/24", "--label", "a=b", "front"]).ok().out();
    assert_eq!(daemon.docker(&["network", "ls", "--filter", "name=front", "-q", "--no-trunc"]).ok().out(), id);
    let run = "run -d --name web --network front --ip 10.9.0.9 --network-alias www --mac-address 02:42:0a:09:00:99 -p 8080:80 -p 53/udp";
    let run: Vec<&str> = run.split(' ').chain([IMAGE, "sleep", "1000"]).collect();
    daemon.docker(&run).ok();
    assert_eq!(daemon.docker(&["port", "web", "80"]).ok().lines()[0], "0.0.0.0:8080");
    let ports = daemon.docker(&["ps", "--format", "{{.Ports}} {{.Networks}}"]).ok().out();
    assert!(
        ports.contains("0.0.0.0:8080->80/tcp") && ports.contains("->53/udp") && ports.ends_with(" front"),
        "{ports}"
    );
    let own = "{{with .NetworkSettings.Networks.front}}{{.IPAddress}} {{.IPPrefixLen}} {{.Gateway}} {{.MacAddress}} {{.Aliases}}{{end}}";
    let own = daemon.docker(&["inspect", "--format", own, "web"]).ok().out();
    assert_eq!(own, "10.9.0.9 24 10.9.0.1 02:42:0a:09:00:99 [www]");
    daemon.docker(&["network", "create", "back"]).ok();
    daemon.docker(&["network", "connect", "--alias", "second", "back", "web"]).ok();
    let members = "{{range .Containers}}{{.Name}} {{end}}";
    assert_eq!(daemon.docker(&["network", "inspect", "--format", members, "front", "back"]).ok().out(), "web \nweb ");
    daemon.docker(&["network", "disconnect", "front", "web"]).ok();
    daemon.docker(&["network", "rm", "back"]).code(1).says("has active endpoints");
    daemon.docker(&["network", "create", "front"]).code(1).says("already exists");
    daemon.docker(&["network", "inspect", "nowhere"]).code(1).says("nowhere");
    assert_eq!(daemon.docker(&["network", "prune", "-f"]).ok().out(), "Deleted Networks:\nfront");
    daemon.docker(&["rm", "-f", "web"]).ok();
    daemon.docker(&["network", "rm", "back"]).ok();
}

#[test]
fn dockers_client_gets_a_terminal() {
    let host = Host::with_image();
    let daemon = Daemon::start(&host);
    let line = format!("{} -H {} run --rm -it --network none {IMAGE} sh", docker().display(), address(&host));
    // `script` is a terminal for its command.
    let mut command = Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", host.path("home"));
    let mut terminal = Background::start(&mut command);
    terminal.read_until("#");
    terminal.write(b"tty; exit 5\n");
    terminal.read_until("/dev/pts/0");
    terminal.finish().code(5);
    drop(daemon);
}

#[test]
fn a_connection_is_taken_over_with_and_without_being_asked() {
    let host = Host::with_image();
    let daemon = Daemon::start(&host);
    for (fields, status) in [("", "HTTP/1.1 200"), ("Connection: Upgrade\r\nUpgrade: tcp\r\n", "HTTP/1.1 101")] {
        // Made like this, its input ends with that of the first client; started by `run -d -i` it would stay open.
        host.berth(["create", "-i", "--name", "web", IMAGE, "sh", "-c", "cat; echo closed"]).ok();
        host.berth(["start", "web"]).ok();
        let target = "/v1.41/containers/web/attach?stream=1&stdin=1&stdout=1&stderr=1";
        // The first input comes with the head, before any answer.
        let mut stream = daemon.raw(&format!("POST {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\nearly\n"));
        stream.write_all(b"late\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with(status), "{text}");
        assert!(text.to_ascii_lowercase().contains("content-type: application/vnd.docker.raw-stream\r\n"), "{text}");
        // Frames end wherever the process happened to write.
        let mut frames = &answer[text.find("\r\n\r\n").unwrap() + 4..];
        let mut output = Vec::new();
        while let [1, 0, 0, 0, size @ ..] = frames {
            let (size, rest) = size.split_first_chunk().unwrap();
            let (content, rest) = rest.split_at(u32::from_be_bytes(*size) as usize);
            output.extend(content);
            frames = rest;
        }
        assert_eq!((String::from_utf8_lossy(&output), frames), ("early\nlate\nclosed\n".into(), &[][..]), "{text}");
        host.berth(["rm", "-f", "web"]).ok();
    }
}

#[test]
fn a_client_that_vanishes_leaves_its_container_alone() {
    let host = Host::with_image();
    let daemon = Daemon::start(&host);
    host.berth(["run", "-d", "-i", "--name", "web", IMAGE, "cat"]).ok();
    for _ in 0..20 {
        let stream = daemon.raw("POST /containers/web/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
        drop(stream);
        drop(daemon.raw("POST /containers/web/wait HTTP/1.1\r\nHost: x\r\n\r\n"));
        drop(daemon.raw("GET /containers/web/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    assert_eq!(host.inspect("web", "{{.State.Status}}"), "running");
    // What served them goes with them.
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", daemon.process.pid())).unwrap().count();
    assert!(eventually(|| descriptors() < 30), "{} descriptors stay open", descriptors());
    host.berth(["rm", "-f", "web"]).ok();
}

#[test]
fn layers_survive_a_power_cut_once_a_daemon_has_begun() {
    let host = Host::with_image();
    let markers = || {
        let layers = std::fs::read_dir(host.root().join("layers")).unwrap();
        let markers = layers.filter_map(|layer| std::fs::read_to_string(layer.unwrap().path().join("layer.json")).ok());
        markers.collect::<Vec<_>>()
    };
    let is_synced = |marker: &String| marker.contains(r#""written":"synced""#);
    assert!(!markers().is_empty() && !markers().iter().any(is_synced), "{:?}", markers());
    let _daemon = Daemon::start(&host);
    assert!(eventually(|| markers().iter().all(is_synced)), "{:?}", markers());
}

#[test]
fn a_daemon_that_is_killed_takes_nothing_with_it() {
    let host = Host::with_image();
    let daemon = Daemon::start(&host);
    let id = daemon
        .berth(&[
            "run",
            "-d",
            "--name",
            "web",
            "--restart",
            "always",
            IMAGE,
            "sh",
            "-c",
            "while sleep 0.1; do echo tick; done",
        ])
        .ok()
        .out();
    let pid = host.inspect("web", "{{.State.Pid}}");
    let following = Background::start(&mut daemon.client(&["logs", "-f", "web"]));
    daemon.process.signal("KILL");
    // The client sees its stream break, and says so.
    assert_ne!(following.finish().code, 0);
    assert_eq!(host.inspect("web", "{{.State.Status}} {{.State.Pid}}"), format!("running {pid}"));
    let daemon = Daemon::start(&host);
    assert_eq!(daemon.berth(&["ps", "-q", "--no-trunc"]).ok().out(), id);
    assert_eq!(daemon.berth(&["exec", "web", "echo", "alive"]).ok().stdout, "alive\n");
    daemon.process.signal("TERM");
    daemon.process.finish().ok();
    assert!(!socket(&host).exists(), "the socket stays behind");
    assert_eq!(host.inspect("web", "{{.State.Status}} {{.State.Pid}}"), format!("running {pid}"));
    host.berth(["--host", &address(&host), "ps"]).code(1).says("is berth daemon running?");
    host.berth(["rm", "-f", "web"]).ok();
}

#[test]
fn a_daemon_reaps_and_stays_small() {
    let host = Host::with_image();
    let daemon = Daemon::start(&host);
    for _ in 0..5 {
        daemon.berth(&["run", "--rm", IMAGE, "true"]).ok();
    }
    let daemons = daemon.process.pid();
    let children = || std::fs::read_to_string(format!("/proc/{daemons}/task/{daemons}/children")).unwrap();
    assert!(eventually(|| children().trim().is_empty()), "not reaped: {}", children());
    let status = std::fs::read_to_string(format!("/proc/{daemons}/status")).unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let own: u64 = own.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(own < MEMORY_LIMIT_KIB, "{own} KiB");
}

#[test]
fn a_socket_is_for_one_daemon() {
    let host = Host::with_image();
    let _daemon = Daemon::start(&host);
    host.berth(["daemon", "-H", &address(&host)]).code(1).says("another daemon listens on unix://");
    host.berth(["daemon", "-H", "tcp://127.0.0.1:2375"]).code(1).says("not supported: the host tcp://127.0.0.1:2375");
    host.berth(["--host", "ssh://somewhere", "ps"]).code(1).says("not supported: the host ssh://somewhere");
}

#[test]
fn a_daemon_listens_where_it_is_told_or_in_the_run_root() {
    let host = Host::with_image();
    let usual = host.path("run/berth.sock");
    let (one, two) = (host.path("one.sock"), host.path("two.sock"));
    let address = |path: &Path| format!("unix://{}", path.display());
    for (flags, paths) in [
        (vec![], vec![&usual]),
        (vec!["-H".to_owned(), address(&one), "-H".to_owned(), address(&two)], vec![&one, &two]),
    ] {
        let daemon = host.spawn([vec!["daemon".to_owned()], flags].concat());
        for path in &paths {
            assert!(eventually(|| UnixStream::connect(path).is_ok()), "{}", path.display());
            let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
            command.args(["--root", "/nonexistent", "--host", &address(path), "images", "-q"]);
            assert_eq!(finish(command, b"").ok().lines().len(), 1);
        }
        assert_eq!(usual.exists(), paths.contains(&&usual));
        daemon.signal("TERM");
        daemon.finish().ok();
        assert!(paths.iter().all(|path| !path.exists()));
    }
}
