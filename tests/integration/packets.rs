//! Packets: who reaches whom, by which address and name, and who does not.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Finished, Host, IMAGE, eventually, finish};

/// How long a packet that nobody answers is waited for.
const SILENCE: Duration = Duration::from_millis(700);

/// A container that serves `/data` on port 80.
fn web(host: &Host, flags: &[&str]) {
    let arguments =
        [&["run", "-d", "--name", "web"], flags, &[IMAGE, "httpd", "-f", "-p", "80", "-h", "/data"]].concat();
    host.berth(arguments).ok();
    let answers =
        || host.berth(["exec", "web", "wget", "-q", "-O-", "http://127.0.0.1/seed"]).out() == "from the image";
    assert!(eventually(answers), "the web server does not come up");
}

/// What a program of the host gets from there; `None` without an answer.
fn fetch(address: &str) -> Option<String> {
    let address: SocketAddr = address.parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&address, SILENCE).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET /seed HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.rsplit_once("\r\n\r\n").map(|(_, body)| body.trim_end().to_owned())
}

fn is_served(address: &str) -> bool {
    fetch(address).as_deref() == Some("from the image")
}

/// A request for the page, and where `url` says it is.
fn request(url: &str) -> (&'static [u8], &str, &str) {
    let place = url.strip_prefix("http://").unwrap().strip_suffix("/seed").unwrap();
    let (name, port) = place.split_once(':').unwrap_or((place, "80"));
    (b"GET /seed HTTP/1.0\r\n\r\n", name, port)
}

/// What a container gets from there; fails where it gets nothing.
fn fetch_from(host: &Host, container: &str, url: &str) -> Finished {
    let (request, name, port) = request(url);
    let script = format!("nc -w 2 {name} {port} | grep -v : | tail -n 1 | grep .");
    host.berth_with_input(["exec", "-i", container, "sh", "-c", &script], request)
}

/// Answers every datagram to port 53 of a container with `text`, from inside of its network namespace, for five seconds.
fn answer_datagrams(host: &Host, container: &str, text: &'static str) {
    let namespace = File::open(format!("/proc/{}/ns/net", host.inspect(container, "{{.State.Pid}}"))).unwrap();
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(rustix::thread::LinkNameSpaceType::Network))
            .unwrap();
        drop(namespace);
        let socket = UdpSocket::bind("0.0.0.0:53").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        ready.send(()).unwrap();
        let mut buffer = [0; 100];
        // As long as this thread is inside, the namespace lives.
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if let Ok((_, client)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(text.as_bytes(), client);
            }
        }
    });
    is_ready.recv().unwrap();
}

/// What answers a datagram that is sent there; empty without an answer.
fn ask_for_datagram(client: &UdpSocket, server: &str) -> String {
    let mut answer = [0; 100];
    client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let _ = client.send_to(b"hello", server);
    let length = client.recv(&mut answer).unwrap_or_default();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

fn address(host: &Host, container: &str, network: &str) -> String {
    host.inspect(container, &format!("{{{{(index .NetworkSettings.Networks {network:?}).IPAddress}}}}"))
}

fn gateway(host: &Host, network: &str) -> String {
    host.berth(["network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network]).ok().out()
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

/// Another host on a link of this one: 192.0.2.2, where this one is 192.0.2.1.
struct Neighbour(Child);

impl Neighbour {
    fn new() -> Self {
        let holder = Command::new("unshare").args(["--net", "sleep", "1000"]).spawn().unwrap();
        let pid = holder.id().to_string();
        let own = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        assert!(eventually(|| std::fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|theirs| theirs != own)
            && std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")));
        run("ip", &["link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", &pid]);
        run("ip", &["addr", "add", "192.0.2.1/24", "dev", "uplink"]);
        run("ip", &["link", "set", "uplink", "up"]);
        let neighbour = Self(holder);
        neighbour.run(&["ip", "addr", "add", "192.0.2.2/24", "dev", "eth0"]);
        neighbour.run(&["ip", "link", "set", "eth0", "up"]);
        neighbour
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.0.id().to_string(), "-n"]).args(words);
        command
    }

    fn run(&self, words: &[&str]) {
        assert!(self.command(words).status().unwrap().success(), "{words:?}");
    }

    /// What it gets from there; fails where it gets nothing.
    fn fetch(&self, url: &str) -> Finished {
        let (request, name, port) = request(url);
        let script = format!("busybox nc -w 1 {name} {port} | grep -v : | tail -n 1 | grep .");
        finish(self.command(&["sh", "-c", &script]), request)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = Command::new("ip").args(["link", "del", "uplink"]).stderr(Stdio::null()).status();
    }
}

#[test]
fn a_published_port_is_reached_from_everywhere() {
    let host = Host::with_image();
    let neighbour = Neighbour::new();
    host.berth(["network", "create", "shop"]).ok();
    web(&host, &["--network", "shop", "-p", "8080:80"]);
    let own = gateway(&host, "shop");
    for address in ["127.0.0.1:8080", "[::1]:8080", "192.0.2.1:8080", &format!("{own}:8080")] {
        assert!(is_served(address), "{address}");
    }
    assert_eq!(neighbour.fetch("http://192.0.2.1:8080/seed").ok().out(), "from the image");
    host.berth(["run", "-d", "--name", "same", "--network", "shop", IMAGE, "sleep", "1000"]).ok();
    host.berth(["run", "-d", "--name", "other", IMAGE, "sleep", "1000"]).ok();
    for container in ["same", "other", "web"] {
        assert_eq!(
            fetch_from(&host, container, "http://192.0.2.1:8080/seed").ok().out(),
            "from the image",
            "{container}"
        );
    }
}

#[test]
fn the_source_of_a_connection_is_kept() {
    let host = Host::with_image();
    let neighbour = Neighbour::new();
    host.berth(["run", "-d", "--name", "web", "-p", "8080:80", IMAGE, "httpd", "-f", "-vv", "-p", "80", "-h", "/data"])
        .ok();
    assert!(eventually(|| neighbour.fetch("http://192.0.2.1:8080/seed").code == 0));
    let said = host.berth(["logs", "web"]).ok();
    assert!(said.stderr.contains("192.0.2.2"), "{said:?}");
}

#[test]
fn a_neighbour_reaches_published_ports_and_nothing_more() {
    let host = Host::with_image();
    let neighbour = Neighbour::new();
    host.berth(["network", "create", "--subnet", "10.77.0.0/24", "shop"]).ok();
    web(&host, &["--network", "shop", "-p", "127.0.0.1:9090:80"]);
    assert!(is_served("127.0.0.1:9090"));
    let own = address(&host, "web", "shop");
    neighbour.run(&["ip", "route", "add", "10.77.0.0/24", "via", "192.0.2.1"]);
    neighbour.run(&["ip", "link", "set", "lo", "down"]);
    neighbour.run(&["ip", "route", "add", "127.0.0.1/32", "via", "192.0.2.1", "dev", "eth0"]);
    for url in
        [format!("http://{own}/seed"), "http://192.0.2.1:9090/seed".to_owned(), "http://127.0.0.1:9090/seed".to_owned()]
    {
        assert_ne!(neighbour.fetch(&url).code, 0, "{url}");
    }
}

#[test]
fn networks_are_separated() {
    let host = Host::with_image();
    host.berth(["network", "create", "one"]).ok();
    host.berth(["network", "create", "two"]).ok();
    web(&host, &["--network", "one"]);
    host.berth(["run", "-d", "--name", "same", "--network", "one", IMAGE, "sleep", "1000"]).ok();
    host.berth(["run", "-d", "--name", "other", "--network", "two", IMAGE, "sleep", "1000"]).ok();
    let url = format!("http://{}/seed", address(&host, "web", "one"));
    fetch_from(&host, "same", &url).ok();
    assert_ne!(fetch_from(&host, "other", &url).code, 0);
    assert_ne!(fetch_from(&host, "other", "http://web/seed").code, 0, "a name of another network");
    host.berth(["network", "connect", "one", "other"]).ok();
    fetch_from(&host, "other", "http://web/seed").ok();
}

#[test]
fn containers_of_a_network_without_icc_do_not_reach_each_other() {
    let host = Host::with_image();
    host.berth(["network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "quiet"]).ok();
    web(&host, &["--network", "quiet"]);
    host.berth([
        "run",
        "-d",
        "--name",
        "other",
        "--cap-add",
        "NET_ADMIN",
        "--network",
        "quiet",
        IMAGE,
        "sleep",
        "1000",
    ])
    .ok();
    let own = address(&host, "web", "quiet");
    let url = format!("http://{own}/seed");
    assert_ne!(fetch_from(&host, "other", &url).code, 0);
    // Not by the host either.
    let router = gateway(&host, "quiet");
    host.berth(["exec", "other", "ip", "route", "add", &format!("{own}/32"), "via", &router]).ok();
    assert_ne!(fetch_from(&host, "other", &url).code, 0);
}

#[test]
fn an_internal_network_reaches_nothing_outside() {
    let host = Host::with_image();
    let neighbour = Neighbour::new();
    neighbour.run(&["ip", "route", "add", "default", "via", "192.0.2.1"]);
    host.berth(["network", "create", "--internal", "inside"]).ok();
    web(&host, &["--network", "inside"]);
    for (name, network) in [("same", "inside"), ("outer", "bridge")] {
        host.berth(["run", "-d", "--name", name, "--network", network, IMAGE, "sleep", "1000"]).ok();
    }
    fetch_from(&host, "same", "http://web/seed").ok();
    let ping = |container| host.berth(["exec", container, "ping", "-c", "1", "-W", "1", "192.0.2.2"]).code;
    assert_eq!(ping("outer"), 0);
    assert_ne!(ping("same"), 0);
    assert!(!host.berth(["exec", "same", "ip", "route"]).ok().out().contains("default"));
    assert_ne!(host.berth(["exec", "same", "nslookup", "outside.example"]).code, 0);
}

#[test]
fn names_of_containers() {
    let host = Host::with_image();
    host.berth(["network", "create", "shop"]).ok();
    web(&host, &["--network", "shop", "--network-alias", "www", "--hostname", "front"]);
    host.berth(["run", "-d", "--name", "client", "--network", "shop", IMAGE, "sleep", "1000"]).ok();
    let id = host.inspect("web", "{{.Id}}");
    for name in ["web", "WEB", "www", "front", "web.shop", &id[..12]] {
        assert_eq!(fetch_from(&host, "client", &format!("http://{name}/seed")).ok().out(), "from the image", "{name}");
    }
    let resolver = host.berth(["exec", "client", "cat", "/etc/resolv.conf"]).ok().out();
    assert!(resolver.contains("nameserver 127.0.0.11"), "{resolver}");
    let own = host.berth(["exec", "client", "cat", "/etc/hosts"]).ok().out();
    assert!(own.contains(&address(&host, "client", "shop")), "{own}");
    let router = gateway(&host, "shop");
    let found = host.berth(["exec", "client", "nslookup", "host.docker.internal"]).ok().out();
    assert!(found.contains(&router), "{found}");
    // A name is where its container is.
    host.berth(["rename", "web", "shop1"]).ok();
    fetch_from(&host, "client", "http://shop1/seed").ok();
    assert_ne!(fetch_from(&host, "client", "http://web/seed").code, 0);
    host.berth(["rename", "shop1", "web"]).ok();
    host.berth(["stop", "-t", "0", "web"]).ok();
    assert_ne!(fetch_from(&host, "client", "http://web/seed").code, 0);
    host.berth(["start", "web"]).ok();
    assert!(eventually(|| fetch_from(&host, "client", "http://www/seed").code == 0));
}

#[test]
fn a_container_that_serves_names_itself_is_not_disturbed() {
    let host = Host::with_image();
    host.berth(["network", "create", "shop"]).ok();
    host.berth(["run", "-d", "--name", "names", "--network", "shop", IMAGE, "sleep", "1000"]).ok();
    host.berth(["run", "-d", "--name", "client", "--network", "shop", IMAGE, "sleep", "1000"]).ok();
    answer_datagrams(&host, "names", "mine");
    let server = address(&host, "names", "shop");
    assert_eq!(ask_for_datagram(&UdpSocket::bind("0.0.0.0:0").unwrap(), &format!("{server}:53")), "mine");
    let resolved = host.berth(["exec", "names", "nslookup", "client"]).ok().out();
    assert!(resolved.contains(&address(&host, "client", "shop")), "{resolved}");
}

#[test]
fn a_policys_restart_keeps_addresses_ports_and_who_joined() {
    let host = Host::with_image();
    host.berth(["network", "create", "shop"]).ok();
    web(&host, &["--network", "shop", "-p", "8080:80", "--restart", "always"]);
    host.berth(["run", "-d", "--name", "member", "--network", "container:web", IMAGE, "sleep", "1000"]).ok();
    let before = (address(&host, "web", "shop"), host.inspect("web", "{{.State.Pid}}"));
    host.berth(["exec", "web", "kill", "1"]);
    host.berth(["exec", "web", "kill", "-9", "-1"]);
    let pid = host.inspect("web", "{{.State.Pid}}");
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    assert!(eventually(|| host.inspect("web", "{{.State.Status}} {{.RestartCount}}") != "running 0"
        && host.inspect("web", "{{.State.Status}}") == "running"));
    assert_ne!(host.inspect("web", "{{.State.Pid}}"), before.1);
    assert_eq!(address(&host, "web", "shop"), before.0);
    assert!(eventually(|| is_served("127.0.0.1:8080")));
    assert_eq!(fetch_from(&host, "member", "http://127.0.0.1/seed").ok().out(), "from the image");
    // A restart by the user makes a new sandbox; who joins again finds it.
    host.berth(["restart", "-t", "0", "web"]).ok();
    host.berth(["restart", "-t", "0", "member"]).ok();
    assert!(eventually(|| fetch_from(&host, "member", "http://127.0.0.1/seed").code == 0));
}

#[test]
fn a_taken_port_names_its_holder() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "first", "-p", "8080:80", IMAGE, "sleep", "1000"]).ok();
    host.berth(["run", "--rm", "-p", "8080:81", IMAGE, "true"])
        .code(125)
        .says("port is already allocated")
        .says("container first has it");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    host.berth(["run", "--rm", "-p", &format!("{port}:80"), IMAGE, "true"])
        .code(125)
        .says(&format!("pid {}", std::process::id()));
    // One of several that is free.
    host.berth(["run", "-d", "--name", "second", "-p", "8080-8090:80", IMAGE, "sleep", "1000"]).ok();
    assert_eq!(host.berth(["port", "second", "80"]).ok().lines()[0], "0.0.0.0:8081");
    host.berth(["rm", "-f", "first"]).ok();
    host.berth(["run", "--rm", "-p", "8080:80", IMAGE, "true"]).ok();
}

#[test]
fn ten_thousand_ports() {
    let host = Host::with_image();
    host.berth([
        "run",
        "-d",
        "--name",
        "web",
        "-p",
        "20000-29999:20000-29999",
        "-p",
        "30000-30099:30000-30099/udp",
        IMAGE,
        "httpd",
        "-f",
        "-p",
        "29999",
        "-h",
        "/data",
    ])
    .ok();
    assert!(eventually(|| is_served("127.0.0.1:29999")));
    host.berth(["run", "--rm", "-p", "25000:80", IMAGE, "true"]).code(125).says("container web has it");
}

#[test]
fn a_udp_client_of_a_removed_container_does_not_reach_the_next() {
    let host = Host::with_image();
    let serve = |name: &'static str| {
        host.berth(["run", "-d", "--name", name, "-p", "5300:53/udp", IMAGE, "sleep", "1000"]).ok();
        answer_datagrams(&host, name, name);
    };
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ask = || ask_for_datagram(&client, "127.0.0.1:5300");
    serve("first");
    assert!(eventually(|| ask() == "first"));
    host.berth(["rm", "-f", "first"]).ok();
    serve("second");
    // The very same socket: the flow that was tracked is forgotten.
    assert!(eventually(|| ask() == "second"));
}

#[test]
fn what_others_take_away_is_put_back() {
    let host = Host::with_image();
    host.berth(["network", "create", "shop"]).ok();
    web(&host, &["--network", "shop", "-p", "8080:80"]);
    run("nft", &["flush", "ruleset"]);
    assert!(!is_served("127.0.0.1:8080"));
    host.berth(["network", "reload"]).ok();
    assert!(is_served("127.0.0.1:8080"));
    // The next command that needs a network notices it by itself.
    run("nft", &["flush", "ruleset"]);
    host.berth(["run", "--rm", IMAGE, "true"]).ok();
    assert!(is_served("127.0.0.1:8080"));
    let id = host.berth(["network", "inspect", "--format", "{{.Id}}", "shop"]).ok().out();
    run("ip", &["link", "del", &format!("br-{}", &id[..12])]);
    host.berth(["run", "--rm", "--network", "shop", IMAGE, "wget", "-q", "-O-", "http://web/seed"]).ok();
    assert!(is_served("127.0.0.1:8080"));
}

#[test]
fn a_killed_supervisor_leaves_addresses_and_ports_for_the_next() {
    let host = Host::with_image();
    host.berth(["network", "create", "--subnet", "10.77.0.0/24", "shop"]).ok();
    let flags = ["--network", "shop", "--ip", "10.77.0.9", "-p", "8080:80"];
    web(&host, &flags);
    let pid = host.inspect("web", "{{.State.Pid}}");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let supervisor = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned();
    run("kill", &["-9", &supervisor]);
    assert!(eventually(|| !std::path::Path::new(&format!("/proc/{pid}")).exists()));
    host.berth([
        "run",
        "-d",
        "--name",
        "next",
        "--network",
        "shop",
        "--ip",
        "10.77.0.9",
        "-p",
        "8080:80",
        IMAGE,
        "httpd",
        "-f",
        "-p",
        "80",
        "-h",
        "/data",
    ])
    .ok();
    assert!(eventually(|| is_served("127.0.0.1:8080")));
    host.berth(["rm", "-f", "web"]).ok();
    assert!(is_served("127.0.0.1:8080"), "removing the dead one took the rules of the living");
}

#[test]
fn the_mtu_is_the_uplinks() {
    let host = Host::with_image();
    let _neighbour = Neighbour::new();
    run("ip", &["link", "set", "uplink", "mtu", "1400"]);
    run("ip", &["route", "add", "default", "via", "192.0.2.2"]);
    let mtu = |network: &str| {
        host.berth(["run", "--rm", "--network", network, IMAGE, "cat", "/sys/class/net/eth0/mtu"]).ok().out()
    };
    assert_eq!(mtu("bridge"), "1400");
    host.berth(["network", "create", "-o", "com.docker.network.driver.mtu=1300", "small"]).ok();
    assert_eq!(mtu("small"), "1300");
}

#[test]
fn a_subnet_avoids_the_hosts_routes() {
    let host = Host::with_image();
    let _neighbour = Neighbour::new();
    run("ip", &["route", "add", "172.17.0.0/16", "via", "192.0.2.2"]);
    let seen = host.berth(["run", "--rm", IMAGE, "ip", "-4", "-o", "addr", "show", "eth0"]).ok().out();
    assert!(seen.contains("172.18."), "{seen}");
    for block in ["172.16.0.0/12", "192.168.0.0/16"] {
        run("ip", &["route", "add", block, "via", "192.0.2.2"]);
    }
    host.berth(["network", "create", "full"]).code(1).says("172.16.0.0/12").says("--subnet");
    host.berth(["network", "create", "--subnet", "10.5.0.0/24", "fine"]).ok();
}

#[test]
fn macvlan_is_on_the_parents_link() {
    let host = Host::with_image();
    let neighbour = Neighbour::new();
    host.berth([
        "network",
        "create",
        "-d",
        "macvlan",
        "--subnet",
        "192.0.2.0/24",
        "--ip-range",
        "192.0.2.128/25",
        "-o",
        "parent=uplink",
        "lan",
    ])
    .ok();
    host.berth(["run", "-d", "--name", "web", "--network", "lan", IMAGE, "httpd", "-f", "-p", "80", "-h", "/data"])
        .ok();
    let url = format!("http://{}/seed", address(&host, "web", "lan"));
    assert!(eventually(|| neighbour.fetch(&url).out() == "from the image"));
    host.berth(["network", "create", "-d", "macvlan", "lost"]).code(1).says("parent");
    host.berth(["network", "create", "-d", "ipvlan", "-o", "parent=uplink", "vlan"]).code(1).says("ipvlan");
}
