//! Whom a registry trusts and who trusts a registry: passwords, tokens, credential helpers, certificates, and a look-alike of Docker Hub.

use crate::harness::{Finished, Host, IMAGE, finish};
use crate::registry::certificates::{certificates, tls_server};
use crate::registry::debian_registry::DebianRegistry;
use crate::registry::server::{Server, reply};
use crate::registry::{Contents, Registry, answer, token_server};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// `u:p`, as `docker login` writes it.
const LOGIN: &str = "dTpw";

fn log_in(host: &Host, registry: &str, auth: &str) {
    host.file("client/config.json", format!(r#"{{"auths":{{"{registry}":{{"auth":"{auth}"}}}}}}"#));
}

/// Runs a command with this configuration of the engine.
fn configured(host: &Host, configuration: &str, arguments: &[&str]) -> Finished {
    let file = host.file("engine.json", configuration);
    let mut command = host.command();
    command.arg("--config-file").arg(file).args(arguments);
    finish(command, b"")
}

fn registry_of(name: &str) -> &str {
    name.split('/').next().unwrap()
}

#[test]
fn a_wrong_password_is_said() {
    let debian = with_password("wrong-password");
    let host = Host::with_image();
    let name = debian.name("app:1");
    host.berth(["tag", IMAGE, &name]).ok();
    // dTp4 is u:x.
    log_in(&host, registry_of(&name), "dTp4");
    for verb in ["push", "pull"] {
        let refused = host.berth([verb, &name]).code(1);
        assert!(refused.stderr.contains("denied") || refused.stderr.contains("password"), "{refused:?}");
        assert!(!refused.stderr.contains("dTp4") && !refused.stdout.contains("dTp4"), "{refused:?}");
    }
    log_in(&host, registry_of(&name), "%%%");
    host.berth(["pull", &name]).code(1).says("are not base64 of user:password");
}

fn with_password(name: &str) -> DebianRegistry {
    crate::harness::enter_network();
    DebianRegistry::start(name, |folder| {
        let output = Command::new("htpasswd").args(["-Bbn", "u", "p"]).output().unwrap();
        std::fs::write(folder.join("htpasswd"), output.stdout).unwrap();
        format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", folder.join("htpasswd").display())
    })
}

#[test]
fn credential_helpers_are_asked() {
    let debian = with_password("helper");
    let host = Host::with_image();
    let name = debian.name("app:1");
    let registry = registry_of(&name);
    host.berth(["tag", IMAGE, &name]).ok();
    let script = format!(
        "#!/bin/sh\nread server\n[ \"$1 $server\" = 'get {registry}' ] || {{ echo credentials not found in native keychain; exit 1; }}\n\
         echo '{{\"Username\":\"u\",\"Secret\":\"p\"}}'\n"
    );
    let helper = host.file("bin/docker-credential-test", script);
    std::fs::set_permissions(helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = |arguments: [&str; 2]| {
        let mut command = host.command();
        command.env("PATH", format!("{}:/usr/bin:/bin", host.path("bin").display())).args(arguments);
        finish(command, b"")
    };
    for configuration in
        [r#"{"credsStore":"test"}"#.to_owned(), format!(r#"{{"credHelpers":{{"{registry}":"test"}}}}"#)]
    {
        host.file("client/config.json", configuration);
        run(["push", &name]).ok();
        run(["pull", &name]).ok();
    }
    host.file("client/config.json", r#"{"credsStore":"absent"}"#);
    run(["push", &name]).code(1).says("docker-credential-absent: not found in PATH");
}

#[test]
fn tokens_are_fetched_from_the_server_that_the_registry_names() {
    let host = Host::with_image();
    let folder = host.path("signer");
    std::fs::create_dir_all(&folder).unwrap();
    let tokens = token_server::start(&folder);
    let debian = DebianRegistry::start("tokens", |_| {
        format!(
            "auth:\n  token:\n    realm: http://{}/token\n    service: {}\n    issuer: {}\n    rootcertbundle: {}\n",
            tokens.authority(),
            token_server::SERVICE,
            token_server::ISSUER,
            folder.join("signer.pem").display()
        )
    });
    let name = debian.name("team/app:1");
    host.berth(["tag", IMAGE, &name]).ok();
    host.berth(["push", &name]).code(1).says("denied");
    log_in(&host, registry_of(&name), LOGIN);
    host.berth(["push", &name]).ok();
    host.berth(["rmi", &name]).ok();
    host.berth(["pull", &name]).ok();
    log_in(&host, registry_of(&name), "dTp4");
    host.berth(["pull", &name]).code(1).says("incorrect username or password");
}

#[test]
fn certificates_count_where_an_authority_is_named() {
    let host = Host::with_image();
    let folder = &certificates().folder;
    let debian = DebianRegistry::start("certificates", |_| {
        let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
        format!("  tls:\n    certificate: {}\n    key: {}\n", certificate.display(), key.display())
    });
    let name = debian.name("app:1");
    host.berth(["tag", IMAGE, &name]).ok();
    let with = |authority: &str| {
        format!(r#"{{"registries":{{"{}":{{"ca":["{}"]}}}}}}"#, registry_of(&name), folder.join(authority).display())
    };
    configured(&host, &with("other.pem"), &["push", &name]).code(1).says("not trusted");
    configured(&host, &with("ca.pem"), &["push", &name]).ok();
    configured(&host, &with("ca.pem"), &["pull", &name]).ok();
    configured(&host, &with("absent.pem"), &["pull", &name]).code(1).says("absent.pem");
}

#[test]
fn plain_http_is_spoken_where_the_configuration_says_so() {
    const NAME: &str = "registry.example:5000";
    let (host, registry) = (Host::new(), Registry::start());
    let proxy = proxy(HashMap::from([(NAME.to_owned(), registry.server.address)]));
    let pull = |more: &str| {
        let proxies = format!(r#""proxies":{{"http-proxy":"{proxy}","https-proxy":"{proxy}"}}"#);
        configured(&host, &format!("{{{proxies}{more}}}"), &["pull", &format!("{NAME}/app:1")])
    };
    let advice = format!("if plain http is meant, add {NAME:?} to insecure-registries in engine.json");
    pull("").code(1).says(&advice);
    pull(r#","insecure-registries":["other.example"]"#).code(1).says(&advice);
    pull(r#","insecure-registires":[]"#).code(1).says("insecure-registries");
    pull(&format!(r#","registries":{{"{NAME}":{{"plain_http":true}}}}"#)).code(1).says("plain-http");
    assert!(registry.server.seen().is_empty());
    for more in [
        format!(r#","insecure-registries":["{NAME}"]"#),
        format!(r#","registries":{{"{NAME}":{{"plain-http":true}}}}"#),
    ] {
        pull(&more).ok();
    }
    assert!(registry.server.count("/v2/app/manifests/1") > 0);
}

/// A look-alike of Docker Hub behind a proxy that leads the names of the real one to servers of the test.
struct Hub {
    registry: Server,
    tokens: Server,
    storage: Server,
    proxy: String,
    contents: Arc<Mutex<Contents>>,
}

const TOKEN: &str = "token-of-the-hub";

impl Hub {
    fn start() -> Self {
        crate::harness::enter_network();
        let mut contents = Contents::default();
        let layers = contents.layers();
        let manifest = contents.image("amd64", &layers);
        contents.tags.insert("latest".to_owned(), manifest);
        let contents = Arc::new(Mutex::new(contents));
        let (stored, held) = (contents.clone(), contents.clone());
        let storage = tls_server("127.0.0.3", move |seen| answer(seen, &stored.lock().unwrap()));
        let token = format!(r#"{{"token":"{TOKEN}","expires_in":300}}"#);
        let tokens = tls_server("127.0.0.2", move |_| reply(200).body(token.as_str()));
        let registry = tls_server("127.0.0.1", move |seen| {
            if seen.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
                let realm = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#;
                return reply(401).with("www-authenticate", realm);
            }
            match seen.path().strip_prefix("/v2/library/app/blobs/") {
                Some(digest) => reply(307).with("location", &format!("https://cdn.example/blobs/{digest}?signature=1")),
                None => answer(seen, &held.lock().unwrap()),
            }
        });
        let names = [("registry-1.docker.io", &registry), ("auth.docker.io", &tokens), ("cdn.example", &storage)];
        let proxy = proxy(names.map(|(name, server)| (format!("{name}:443"), server.address)).into());
        Self { registry, tokens, storage, proxy, contents }
    }

    fn configuration(&self) -> String {
        self.configuration_with("")
    }

    fn configuration_with(&self, more: &str) -> String {
        let authority = certificates().folder.join("ca.pem");
        format!(
            r#"{{{more}"proxies":{{"https-proxy":"{}"}},"registries":{{"docker.io":{{"ca":["{}"]}}}}}}"#,
            self.proxy,
            authority.display()
        )
    }
}

/// A proxy that connects (RFC 9110 section 9.3.6) to these servers and to no others. It ends with the process.
fn proxy(servers: HashMap<String, SocketAddr>) -> String {
    crate::harness::enter_network();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let servers = servers.clone();
            std::thread::spawn(move || relay(&mut client, &servers));
        }
    });
    address
}

fn relay(client: &mut TcpStream, servers: &HashMap<String, SocketAddr>) -> Option<()> {
    let (mut head, mut byte) = (Vec::new(), [0_u8]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let Some(server) = head.strip_prefix("CONNECT ").and_then(|rest| servers.get(rest.split(' ').next()?)) else {
        client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").ok()?;
        return None;
    };
    let server = TcpStream::connect(server).ok()?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut from_client, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut &server, client);
    let _ = client.shutdown(std::net::Shutdown::Write);
    Some(())
}

#[test]
fn docker_hub_is_meant_by_a_short_name() {
    let (host, hub) = (Host::new(), Hub::start());
    log_in(&host, "https://index.docker.io/v1/", LOGIN);
    let pulled = configured(&host, &hub.configuration(), &["pull", "app"]).ok().lines();
    assert_eq!(pulled[..2], ["Using default tag: latest", "latest: Pulling from library/app"]);
    let end = ["Status: Downloaded newer image for app:latest", "docker.io/library/app:latest"];
    assert_eq!(pulled[pulled.len() - 2..], end);
    assert_eq!(host.berth(["images", "--format", "{{.Repository}}:{{.Tag}}"]).ok().out(), "app:latest");
    let tokens = hub.tokens.seen();
    assert!(tokens.iter().any(|seen| seen.target.contains("scope=repository%3Alibrary%2Fapp%3Apull")), "{tokens:?}");
    assert!(tokens.iter().all(|seen| seen.header("authorization") == Some("Basic dTpw")), "{tokens:?}");
    let registry = hub.registry.seen();
    assert!(registry.iter().all(|seen| !seen.header("authorization").unwrap_or_default().contains("Basic")));
    let storage = hub.storage.seen();
    assert!(storage.len() >= 4 && storage.iter().all(|seen| seen.header("authorization").is_none()), "{storage:?}");
}

#[test]
fn nobody_needs_to_log_in_to_pull_from_docker_hub() {
    let (host, hub) = (Host::new(), Hub::start());
    configured(&host, &hub.configuration(), &["pull", "docker.io/library/app:latest"]).ok();
    assert!(hub.tokens.seen().iter().all(|seen| seen.header("authorization").is_none()));
    let absent = configured(&host, &hub.configuration(), &["pull", "app:absent"]).code(1);
    assert!(absent.stderr.contains("app:absent"), "{absent:?}");
}

#[test]
fn a_mirror_is_asked_first_and_one_that_fails_is_passed_over() {
    let hub = Hub::start();
    let contents = hub.contents.clone();
    let working = Server::plain(move |seen| answer(seen, &contents.lock().unwrap()));
    let (lacking, broken) = (Server::plain(|_| reply(404)), Server::plain(|_| reply(500)));
    let pull = |mirrors: &[String]| {
        let host = Host::new();
        log_in(&host, "https://index.docker.io/v1/", LOGIN);
        let mirrors = format!(r#""registry-mirrors":["http://{}"],"#, mirrors.join(r#"","http://"#));
        configured(&host, &hub.configuration_with(&mirrors), &["pull", "app"]).ok();
        assert_eq!(host.berth(["run", "--rm", "app", "cat", "/one"]).ok().out(), "this is one");
    };
    pull(&[lacking.authority(), working.authority()]);
    assert!(hub.registry.seen().is_empty() && hub.storage.seen().is_empty());
    assert!(working.seen().len() >= 6, "{:?}", working.seen());
    pull(&["127.0.0.1:1".to_owned(), broken.authority(), lacking.authority()]);
    assert!(hub.registry.seen().iter().any(|seen| seen.path() == "/v2/library/app/manifests/latest"));
    for mirror in [&working, &lacking, &broken] {
        let asked = mirror.seen();
        assert!(!asked.is_empty() && asked.iter().all(|seen| seen.header("authorization").is_none()), "{asked:?}");
    }
}

#[test]
fn what_docker_and_podman_know_of_registries_counts() {
    let (host, registry) = (Host::new(), Registry::start());
    let address = registry.server.authority();
    host.file("etc/docker/daemon.json", format!(r#"{{"registry-mirrors": ["http://{address}"]}}"#));
    let text = format!("[[registry]]\nprefix = \"reg.invalid\"\nlocation = \"{address}/team\"\ninsecure = true\n");
    host.file("etc/containers/registries.conf", text);
    // For one command alone, these stand before the host's own.
    let script = "mkdir \"$0/work\"; mount -t overlay overlay -o \"lowerdir=/etc,upperdir=$0/etc,workdir=$0/work\" /etc; exec \"$@\"";
    for (name, repository) in [("app:1", "library/app"), ("reg.invalid/app:1", "team/app")] {
        let berth = host.command();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-ec", script]).arg(host.path(""));
        command.arg(berth.get_program()).args(berth.get_args()).args(["pull", "-q", name]);
        finish(command, b"").ok();
        let asked = registry.server.seen();
        assert!(asked.iter().any(|seen| seen.path().starts_with(&format!("/v2/{repository}/"))), "{asked:?}");
        std::fs::remove_dir_all(host.path("work")).unwrap();
    }
}
