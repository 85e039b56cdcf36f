//! `pull` and `push` against Debian's `docker-registry`, and against a registry of the tests' own that can misbehave.

// The servers are those of the protocol's tests; each of the tests here needs a part of what they can do.
#[allow(dead_code)]
#[path = "../../crates/registry/tests/protocol/certificates.rs"]
pub(crate) mod certificates;
#[path = "../../crates/registry/tests/protocol/debian_registry.rs"]
pub(crate) mod debian_registry;
#[allow(dead_code)]
#[path = "../../crates/registry/tests/protocol/server.rs"]
pub(crate) mod server;
#[path = "../../crates/registry/tests/protocol/token_server.rs"]
pub(crate) mod token_server;

use self::debian_registry::DebianRegistry;
use self::server::{Body, Reply, Seen, Server, reply};
use crate::harness::{Host, eventually, finish, rootfs_archive};
use base::digest::Digest;
use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The media types of a registry's documents.
struct Dialect {
    index: &'static str,
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
    /// What stands between a layer's type and its compression.
    joint: char,
}

/// The OCI image specification's.
const OCI: Dialect = Dialect {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: MANIFEST,
    config: "application/vnd.oci.image.config.v1+json",
    layer: LAYER,
    joint: '+',
};

/// Those of Docker's image manifest version 2, schema 2.
const DOCKER: Dialect = Dialect {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar",
    joint: '.',
};

/// What a test does to answers; `None` leaves one as it is.
type Mischief = dyn Fn(&Seen, &Contents) -> Option<Reply> + Send + Sync;

/// What a registry of the tests holds.
#[derive(Default)]
pub(crate) struct Contents {
    /// By digest: media type and bytes.
    pub(crate) things: HashMap<String, (String, Vec<u8>)>,
    /// By tag: digest.
    pub(crate) tags: HashMap<String, String>,
}

/// A registry with one repository, `app`.
pub(crate) struct Registry {
    pub(crate) server: Server,
    pub(crate) contents: Arc<Mutex<Contents>>,
}

impl Contents {
    pub(crate) fn add(&mut self, media_type: &str, bytes: Vec<u8>) -> String {
        let digest = Digest::sha256(&bytes).to_string();
        self.things.insert(digest.clone(), (media_type.to_owned(), bytes));
        digest
    }

    fn descriptor(&self, digest: &str) -> serde_json::Value {
        let (media_type, bytes) = &self.things[digest];
        serde_json::json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// Adds an image and gives the digest of its manifest.
    pub(crate) fn image(&mut self, architecture: &str, layers: &[(String, Digest)]) -> String {
        self.image_in(&OCI, architecture, layers)
    }

    fn image_in(&mut self, dialect: &Dialect, architecture: &str, layers: &[(String, Digest)]) -> String {
        let contents: Vec<String> = layers.iter().map(|(_, content)| content.to_string()).collect();
        let config = serde_json::json!({
            "os": "linux", "architecture": architecture, "config": {"Cmd": ["cat", "/one", "/two", "/three"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": contents}
        });
        let config = self.add(dialect.config, config.to_string().into_bytes());
        let blobs: Vec<_> = layers.iter().map(|(blob, _)| self.descriptor(blob)).collect();
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": dialect.manifest, "config": self.descriptor(&config), "layers": blobs
        });
        self.add(dialect.manifest, manifest.to_string().into_bytes())
    }

    /// The busybox layer and three small ones, one of each compression.
    pub(crate) fn layers(&mut self) -> Vec<(String, Digest)> {
        self.layers_in(&OCI)
    }

    fn layers_in(&mut self, dialect: &Dialect) -> Vec<(String, Digest)> {
        let base = std::fs::read(rootfs_archive()).unwrap();
        let mut layers = vec![("gzip", base)];
        for (name, program) in [("one", "cat"), ("two", "gzip"), ("three", "zstd")] {
            layers.push((program, archive_of(name, format!("this is {name}\n").as_bytes())));
        }
        let mut add = |(program, archive): (&str, Vec<u8>)| {
            let media_type = match program {
                "cat" => dialect.layer.to_owned(),
                _ => format!("{}{}{program}", dialect.layer, dialect.joint),
            };
            (self.add(&media_type, piped(program, &archive)), Digest::sha256(&archive))
        };
        layers.into_iter().map(&mut add).collect()
    }
}

impl Registry {
    /// With the image `app:1`.
    pub(crate) fn start() -> Self {
        Self::with(|_, _| None)
    }

    pub(crate) fn with(mischief: impl Fn(&Seen, &Contents) -> Option<Reply> + Send + Sync + 'static) -> Self {
        crate::harness::enter_network();
        let mut contents = Contents::default();
        let layers = contents.layers();
        let manifest = contents.image("amd64", &layers);
        contents.tags.insert("1".to_owned(), manifest);
        let contents = Arc::new(Mutex::new(contents));
        let (held, mischief): (_, Box<Mischief>) = (contents.clone(), Box::new(mischief));
        let server = Server::plain(move |seen| {
            let contents = held.lock().unwrap();
            mischief(seen, &contents).unwrap_or_else(|| answer(seen, &contents))
        });
        Self { server, contents }
    }

    /// Adds `app:both`, an index of two platforms, and gives its digest.
    fn add_index(&self, dialect: &Dialect) -> String {
        let mut contents = self.contents.lock().unwrap();
        let archive = archive_of("foreign", b"arm");
        let layer = contents.add(dialect.layer, archive.clone());
        let arm = contents.image_in(dialect, "arm64", &[(layer, Digest::sha256(&archive))]);
        let layers = contents.layers_in(dialect);
        let amd = contents.image_in(dialect, "amd64", &layers);
        let entry = |contents: &Contents, digest: &str, architecture: &str| {
            let mut entry = contents.descriptor(digest);
            entry["platform"] = serde_json::json!({"os": "linux", "architecture": architecture});
            entry
        };
        let entries = [entry(&contents, &arm, "arm64"), entry(&contents, &amd, "amd64")];
        let index = serde_json::json!({"schemaVersion": 2, "mediaType": dialect.index, "manifests": entries});
        let index = contents.add(dialect.index, index.to_string().into_bytes());
        contents.tags.insert("both".to_owned(), index.clone());
        index
    }

    pub(crate) fn name(&self, tag: &str) -> String {
        format!("{}/app:{tag}", self.server.authority())
    }

    /// The largest layer of `app:1`.
    pub(crate) fn base_layer(&self) -> String {
        let contents = self.contents.lock().unwrap();
        let layers = contents.things.iter().filter(|(_, (media_type, _))| media_type.starts_with(LAYER));
        layers.max_by_key(|(_, (_, bytes))| bytes.len()).unwrap().0.clone()
    }
}

pub(crate) fn answer(seen: &Seen, contents: &Contents) -> Reply {
    let path = seen.path();
    if path == "/v2/app/tags/list" {
        let tags: Vec<&String> = contents.tags.keys().collect();
        return reply(200).body(serde_json::json!({"name": "app", "tags": tags}).to_string().as_str());
    }
    let name = path.rsplit('/').next().unwrap();
    let digest = contents.tags.get(name).map_or(name, String::as_str);
    let Some((media_type, bytes)) = contents.things.get(digest) else { return reply(404) };
    let offset = seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match offset {
        Some(offset) => {
            let range = format!("bytes {offset}-{}/{}", bytes.len() - 1, bytes.len());
            reply(206).with("content-range", &range).body(bytes[offset..].to_vec())
        }
        None => reply(200).with("content-type", media_type).with("docker-content-digest", digest).body(bytes.clone()),
    }
}

/// What `program` makes of `bytes`.
fn piped(program: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program);
    if program != "cat" {
        child.arg("-c");
    }
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writing = std::thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// An archive of one file (POSIX ustar).
fn archive_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[108..115].copy_from_slice(b"0000000");
    header[116..123].copy_from_slice(b"0000000");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[136..147].copy_from_slice(b"00000000000");
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    header[263..265].copy_from_slice(b"00");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut archive = header.to_vec();
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

const ALL: &str = "this is one\nthis is two\nthis is three";

#[test]
fn pulls_layers_of_every_compression_and_says_what_it_does() {
    let (host, registry) = (Host::new(), Registry::start());
    let name = registry.name("1");
    let pulled = host.berth(["pull", &name]).ok();
    let digest = registry.contents.lock().unwrap().tags["1"].clone();
    let lines = pulled.lines();
    assert_eq!(lines[0], "1: Pulling from app");
    assert_eq!(lines.iter().filter(|line| line.ends_with(": Pulling fs layer")).count(), 4);
    assert_eq!(lines.iter().filter(|line| line.ends_with(": Pull complete")).count(), 4);
    let end = [format!("Digest: {digest}"), format!("Status: Downloaded newer image for {name}"), name.clone()];
    assert_eq!(lines[lines.len() - 3..], end);
    assert_eq!(host.berth(["run", "--rm", &name]).ok().out(), ALL);
    let again = host.berth(["pull", &name]).ok().lines();
    assert!(again.contains(&format!("Status: Image is up to date for {name}")), "{again:?}");
    assert_eq!(host.berth(["pull", "-q", &name]).ok().out(), name);
    let by_digest = format!("{}/app@{digest}", registry.server.authority());
    host.berth(["pull", &by_digest]).ok();
    assert_eq!(host.berth(["run", "--rm", &by_digest]).ok().out(), ALL);
}

#[test]
fn run_pulls_what_is_missing() {
    let (host, registry) = (Host::new(), Registry::start());
    let name = registry.name("1");
    let finished = host.berth(["run", "--rm", &name]).ok();
    assert_eq!(finished.out(), ALL);
    assert!(finished.stderr.contains(&format!("Unable to find image '{name}' locally")), "{finished:?}");
    // Meanwhile the name means another image, without two of the files.
    let mut contents = registry.contents.lock().unwrap();
    let layers = contents.layers();
    let manifest = contents.image("amd64", &layers[..2]);
    contents.tags.insert("1".to_owned(), manifest);
    drop(contents);
    let asked = registry.server.seen().len();
    for flags in [&[][..], &["--pull", "missing"], &["--pull", "never"]] {
        assert_eq!(host.berth([&["run", "--rm"], flags, &[&name]].concat()).ok().out(), ALL);
    }
    assert_eq!(registry.server.seen().len(), asked);
    assert_eq!(host.berth(["run", "--rm", "--pull", "always", &name]).code(1).out(), "this is one");
}

#[test]
fn pushes_and_pulls_back() {
    let (one, other) = (Host::with_image(), Host::new());
    let debian = DebianRegistry::start("push", |_| String::new());
    let name = debian.name("team/app:v1");
    one.berth(["tag", crate::harness::IMAGE, &name]).ok();
    let pushed = one.berth(["push", &name]).ok().lines();
    assert_eq!(pushed[0], format!("The push refers to repository [{}]", debian.name("team/app")));
    assert!(pushed.iter().any(|line| line.ends_with(": Pushed")), "{pushed:?}");
    assert!(pushed.last().unwrap().starts_with("v1: digest: sha256:"), "{pushed:?}");
    let again = one.berth(["push", &name]).ok().lines();
    assert!(again.iter().any(|line| line.ends_with(": Layer already exists")), "{again:?}");
    let second = debian.name("team/other:v1");
    one.berth(["tag", &name, &second]).ok();
    let mounted = one.berth(["push", &second]).ok().lines();
    assert!(mounted.iter().any(|line| line.ends_with(": Mounted from team/app")), "{mounted:?}");
    assert_eq!(other.berth(["run", "--rm", &name, "cat", "/data/seed"]).ok().out(), "from the image");
    let ids = |host: &Host| host.berth(["image", "inspect", "--format", "{{.Id}}", &name]).ok().out();
    assert_eq!(ids(&one), ids(&other));
    other.berth(["push", &debian.name("absent:x")]).code(1).says("An image does not exist locally with the tag");
}

#[test]
fn all_tags_are_pulled_and_pushed() {
    let (host, registry) = (Host::new(), Registry::start());
    let first = registry.contents.lock().unwrap().tags["1"].clone();
    registry.contents.lock().unwrap().tags.insert("2".to_owned(), first);
    let repository = format!("{}/app", registry.server.authority());
    host.berth(["pull", "-a", &repository]).ok();
    for tag in ["1", "2"] {
        host.berth(["image", "inspect", &format!("{repository}:{tag}")]).ok();
    }
    let debian = DebianRegistry::start("all", |_| String::new());
    for tag in ["1", "2"] {
        host.berth(["tag", &registry.name(tag), &debian.name(&format!("app:{tag}"))]).ok();
    }
    let pushed = host.berth(["push", "-a", &debian.name("app")]).ok().lines();
    assert_eq!(pushed.iter().filter(|line| line.contains(": digest: sha256:")).count(), 2, "{pushed:?}");
}

#[test]
fn the_platform_is_chosen_from_an_index() {
    let (host, registry) = (Host::new(), Registry::start());
    registry.add_index(&OCI);
    let name = registry.name("both");
    let architecture = || host.berth(["image", "inspect", "--format", "{{.Architecture}}", &name]).ok().out();
    host.berth(["pull", &name]).ok();
    assert_eq!(architecture(), "amd64");
    host.berth(["pull", "--platform", "linux/riscv64", &name]).code(1).says("linux/arm64");
    host.berth(["pull", "--platform", "linux/arm64", &name]).ok();
    assert_eq!(architecture(), "arm64");
    let host = Host::new();
    // In the other one there is no program at all.
    host.berth(["run", "--rm", "--platform", "linux/arm64", &name]).code(127);
    assert_eq!(host.berth(["run", "--rm", "--platform", "linux/amd64", &name]).ok().out(), ALL);
    host.berth(["run", "--rm", "--platform", "linux/riscv64", &name]).code(125).says("linux/arm64");
}

#[test]
fn images_of_dockers_schema_2_are_run_and_stay_what_they_are() {
    let (host, registry) = (Host::new(), Registry::start());
    let digest = registry.add_index(&DOCKER);
    let name = registry.name("both");
    assert_eq!(host.berth(["run", "--rm", &name]).ok().out(), ALL);
    let pulled = host.berth(["pull", "--platform", "linux/arm64", &name]).ok().lines();
    assert!(pulled.contains(&format!("Digest: {digest}")), "{pulled:?}");
    let debian = DebianRegistry::start("schema2", |_| String::new());
    let copy = debian.name("app:both");
    host.berth(["tag", &name, &copy]).ok();
    let pushed = host.berth(["push", &copy]).ok().lines();
    assert!(pushed.last().unwrap().contains(&digest), "{pushed:?}");
    let contents = registry.contents.lock().unwrap();
    let index: serde_json::Value = serde_json::from_slice(&contents.things[&digest].1).unwrap();
    let manifests = index["manifests"].as_array().unwrap().iter().map(|entry| entry["digest"].as_str().unwrap());
    for (reference, digest, media_type) in std::iter::once(("both", digest.as_str(), DOCKER.index))
        .chain(manifests.map(|digest| (digest, digest, DOCKER.manifest)))
    {
        let (head, body) = debian.get(&format!("/v2/app/manifests/{reference}"), media_type);
        assert!(head.contains(&format!("Content-Type: {media_type}\r\n")), "{head}");
        assert_eq!(body, contents.things[digest].1, "{reference}");
    }
    let other = Host::new();
    assert_eq!(other.berth(["run", "--rm", &copy]).ok().out(), ALL);
}

#[test]
fn an_interrupted_pull_goes_on_by_range() {
    let host = Host::new();
    let registry = Registry::with(|seen, contents| {
        let (_, bytes) = contents.things.get(seen.path().rsplit('/').next()?)?;
        let is_first = seen.path().contains("/blobs/") && seen.header("range").is_none() && bytes.len() > 500_000;
        is_first.then(|| reply(200).body(Body::Stuck(bytes.clone(), 400_000)))
    });
    let name = registry.name("1");
    let pull = host.spawn(["pull", &name]);
    let path = format!("/v2/app/blobs/{}", registry.base_layer());
    assert!(eventually(|| registry.server.count(&path) == 1));
    std::thread::sleep(std::time::Duration::from_millis(700));
    pull.signal("KILL");
    drop(pull);
    host.berth(["pull", &name]).ok();
    let asked = registry.server.seen();
    let last = asked.iter().rfind(|seen| seen.path() == path).unwrap();
    assert_eq!(last.header("range"), Some("bytes=400000-"));
    assert_eq!(host.berth(["run", "--rm", &name]).ok().out(), ALL);
}

#[test]
fn two_pulls_at_once_share_the_work() {
    let (host, registry) = (Host::new(), Registry::start());
    let name = registry.name("1");
    let pulls: Vec<_> = (0..3).map(|_| host.spawn(["pull", &name])).collect();
    for pull in pulls {
        pull.finish().ok();
    }
    let seen = registry.server.seen();
    let mut blobs: Vec<&str> = seen.iter().map(Seen::path).filter(|path| path.contains("/blobs/")).collect();
    let all = blobs.len();
    blobs.sort_unstable();
    blobs.dedup();
    // Four layers once; the configuration is small enough to be fetched by each.
    assert!(all <= blobs.len() + 2, "{all} requests for {} blobs", blobs.len());
    assert_eq!(host.berth(["run", "--rm", &name]).ok().out(), ALL);
}

#[test]
fn content_that_lies_is_refused_and_nothing_stays() {
    for what in ["bytes", "size", "content"] {
        let host = Host::new();
        let registry = Registry::with(move |seen, contents| {
            let (media_type, bytes) = contents.things.get(seen.path().rsplit('/').next()?)?;
            let is_layer = media_type.starts_with(LAYER) && bytes.len() > 500_000;
            match what {
                "bytes" if is_layer => {
                    let mut bytes = bytes.clone();
                    bytes[300_000] ^= 1;
                    Some(reply(200).body(bytes))
                }
                "size" if is_layer => Some(reply(200).body(bytes[..300_000].to_vec())),
                _ => None,
            }
        });
        if what == "content" {
            let mut contents = registry.contents.lock().unwrap();
            let archive = archive_of("x", b"x");
            let layer = contents.add(LAYER, archive);
            let manifest = contents.image("amd64", &[(layer, Digest::sha256(b"something else"))]);
            contents.tags.insert("1".to_owned(), manifest);
        }
        let failed = host.berth(["pull", &registry.name("1")]).code(1);
        assert!(failed.stderr.contains("layer "), "{what}: {failed:?}");
        assert!(host.berth(["images", "-q"]).ok().lines().is_empty());
        let names = |folder: &str| {
            let entries = std::fs::read_dir(host.root().join(folder)).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        let lying = registry.base_layer().replace("sha256:", "");
        assert!(!names("blobs/sha256").contains(&lying), "{what}");
        // The other three layers are what they claim to be.
        let most = if what == "content" { 0 } else { 3 };
        assert!(names("layers").len() <= most, "{what}: {:?}", names("layers"));
    }
}

#[test]
fn registries_that_fail_are_named() {
    let host = Host::new();
    let absent = Registry::start();
    host.berth(["pull", &absent.name("none")]).code(1).says("not found");
    let closed = Registry::with(|_, _| Some(reply(401).with("www-authenticate", "Basic realm=\"x\"")));
    host.berth(["pull", &closed.name("1")]).code(1).says("pull access denied");
    host.berth(["pull", "127.0.0.1:1/app"]).code(1).says("connection refused");
    host.berth(["pull", "upper/CASE"]).code(1).says("invalid reference format");
}

#[test]
fn credentials_come_from_the_clients_folder() {
    crate::harness::enter_network();
    let debian = DebianRegistry::start("login", |folder| {
        let output = Command::new("htpasswd").args(["-Bbn", "u", "p"]).output().unwrap();
        std::fs::write(folder.join("htpasswd"), output.stdout).unwrap();
        format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", folder.join("htpasswd").display())
    });
    let host = Host::with_image();
    let name = debian.name("app:1");
    host.berth(["tag", crate::harness::IMAGE, &name]).ok();
    host.berth(["push", &name]).code(1);
    let registry = name.split('/').next().unwrap();
    // dTpw is u:p.
    host.file("client/config.json", format!(r#"{{"auths":{{"{registry}":{{"auth":"dTpw"}}}}}}"#));
    host.berth(["push", &name]).ok();
    host.berth(["rmi", &name]).ok();
    host.berth(["pull", &name]).ok();
    // Without the flag, it is the folder that the environment names, or the one at home.
    let elsewhere = |folder: &str, variables: &[(&str, std::path::PathBuf)]| {
        std::fs::create_dir_all(host.path(folder)).unwrap();
        std::fs::rename(host.path("client/config.json"), host.path(folder).join("config.json")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.arg("--root").arg(host.root()).arg("--runroot").arg(host.path("run")).args(["push", &name]);
        command.env_clear().envs(variables.iter().cloned());
        finish(command, b"").ok();
        host.berth(["push", &name]).code(1);
        std::fs::rename(host.path(folder).join("config.json"), host.path("client/config.json")).unwrap();
    };
    elsewhere("home/.docker", &[("HOME", host.path("home"))]);
    elsewhere("other", &[("HOME", host.path("home")), ("DOCKER_CONFIG", host.path("other"))]);
}

#[test]
fn a_pull_that_is_killed_anywhere_is_completed_by_the_next() {
    let registry = Registry::start();
    let name = registry.name("1");
    for point in [
        "pull.after-document",
        "pull.before-blob",
        "pull.blob-synced",
        "pull.blob-linked",
        "pull.extracting",
        "pull.extracted",
        "pull.layer-published",
        "pull.before-name",
        "tag.kept",
        "tag.named",
        "pull.after-name",
    ] {
        let host = Host::new();
        host.berth_crashing(point, ["pull", &name]).code(-9);
        let is_named = matches!(point, "tag.named" | "pull.after-name");
        assert_eq!(host.berth(["images", "-q"]).ok().lines().is_empty(), !is_named, "{point}");
        host.berth(["pull", &name]).ok();
        assert_eq!(host.berth(["run", "--rm", &name]).ok().out(), ALL, "{point}");
    }
}

#[test]
fn a_push_that_is_killed_anywhere_is_completed_by_the_next() {
    crate::harness::enter_network();
    let debian = DebianRegistry::start("killed", |_| String::new());
    let points = ["push.before-blob", "push.after-blob", "push.before-manifest", "push.before-name", "push.after-name"];
    for point in points {
        let host = Host::with_image();
        let name = debian.name(&format!("{}:1", point.replace('.', "-")));
        host.berth(["tag", crate::harness::IMAGE, &name]).ok();
        host.berth_crashing(point, ["push", &name]).code(-9);
        let is_whole = matches!(point, "push.before-name" | "push.after-name");
        Host::new().berth(["pull", &name]).code(i32::from(!is_whole));
        host.berth(["push", &name]).ok();
        Host::new().berth(["pull", &name]).ok();
    }
}

#[test]
fn a_push_of_an_index_that_is_killed_is_completed_by_the_next() {
    let (host, registry) = (Host::new(), Registry::start());
    registry.add_index(&OCI);
    let debian = DebianRegistry::start("index", |_| String::new());
    for platform in ["linux/arm64", "linux/amd64"] {
        host.berth(["pull", "--platform", platform, &registry.name("both")]).ok();
    }
    let name = debian.name("both:1");
    host.berth(["tag", &registry.name("both"), &name]).ok();
    host.berth_crashing("push.after-inner-manifest", ["push", &name]).code(-9);
    Host::new().berth(["pull", &name]).code(1);
    host.berth(["push", &name]).ok();
    Host::new().berth(["pull", "--platform", "linux/arm64", &name]).ok();
}
