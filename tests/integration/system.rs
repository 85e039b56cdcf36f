//! `version`, `info`, `events` and what they share: layout, templates, JSON.

use crate::harness::{Host, IMAGE};

/// Lines whose values belong to the host or to the build.
const OF_THE_HOST: &[&str] = &[
    "Version",
    "Server Version",
    "OS/Arch",
    "Kernel version",
    "Storage Driver",
    "Backing Filesystem",
    "Supports d_type",
    "Using metacopy",
    "Cgroup Driver",
    "Cgroup Version",
    "Kernel Version",
    "Operating System",
    "Architecture",
    "CPUs",
    "Total Memory",
    "Name",
    "ID",
    "Docker Root Dir",
    "HTTP Proxy",
    "HTTPS Proxy",
    "No Proxy",
];

/// The text with a star for each such value.
fn without_the_host(text: &str) -> String {
    let mut shown = String::new();
    for line in text.lines() {
        let name = line.trim_start().split_once(':').map_or("", |(name, _)| name);
        match OF_THE_HOST.contains(&name) {
            true => shown.push_str(&format!("{}{name}: *\n", &line[..line.len() - line.trim_start().len()])),
            false => shown.push_str(&format!("{line}\n")),
        }
    }
    shown
}

#[test]
fn version_and_info_read_like_dockers() {
    let host = Host::new();
    assert_eq!(without_the_host(&host.berth(["version"]).ok().stdout), include_str!("../golden/version.txt"));
    assert_eq!(without_the_host(&host.berth(["info"]).ok().stdout), include_str!("../golden/info.txt"));
}

#[test]
fn templates_and_json() {
    let host = Host::with_image();
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(
        host.berth(["version", "--format", "{{.Client.Version}} {{.Server.Version}}"]).ok().out(),
        format!("{own} {own}")
    );
    assert_eq!(host.berth(["version", "-f", "{{.Server.APIVersion}} {{.Server.Os}}"]).ok().out(), "1.51 linux");
    assert_eq!(
        host.berth(["info", "--format", "{{.Images}} {{.OSType}} {{len .Plugins.Volume}}"]).ok().out(),
        "1 linux 1"
    );
    let json = host.berth(["info", "--format", "json"]).ok().out();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["DockerRootDir"].as_str(), host.root().to_str());
    assert_eq!(value["ClientInfo"]["Context"], "default");
    assert!(value.get("HTTPProxy").is_none() && value.get("HttpProxy").is_some());
    host.berth(["info", "--format", "{{.Nothing}}"]).code(1).says("Nothing");
    host.berth(["version", "--format", "{{"]).code(1).says("template parsing error");
}

#[test]
fn an_engine_that_is_not_there_is_named() {
    let host = Host::new();
    let nobody = format!("unix://{}", host.path("nobody.sock").display());
    let finished = host.berth(["-H", &nobody, "version"]).code(1).says("nobody.sock");
    assert!(finished.stdout.starts_with("Client:\n") && !finished.stdout.contains("Server"), "{finished:?}");
    assert!(host.berth(["-H", &nobody, "info"]).code(1).stdout.starts_with("Client:\n"));
    host.berth(["-H", &nobody, "system", "boot"]).code(1).says("leave out --host");
}

#[test]
fn events_are_read_afterwards_and_as_they_happen() {
    let host = Host::new();
    let mut follower = host.spawn(["events", "--filter", "type=volume", "--format", "{{.Action}} {{.Actor.ID}}"]);
    let mut number = 0;
    // The first ones may come before it listens.
    std::thread::scope(|scope| {
        let seen = scope.spawn(|| follower.read_until("create later"));
        while !seen.is_finished() {
            number += 1;
            host.berth(["volume", "create", &format!("later{number}")]).ok();
        }
        seen.join().unwrap();
    });
    let past = host.berth(["events", "--since", "1h", "--until", "0s", "--filter", "volume=later1"]).ok().lines();
    assert_eq!(past.len(), 1, "{past:?}");
    let words: Vec<&str> = past[0].split(' ').collect();
    assert_eq!(words[1..], ["volume", "create", "later1", "(driver=local)"]);
    assert!(words[0].len() == "2023-11-14T22:13:20.000000005Z".len(), "{past:?}");
    let json = host.berth(["events", "--since", "1h", "--until", "0s", "--format", "{{json .}}"]).ok().lines();
    let event: serde_json::Value = serde_json::from_str(&json[0]).unwrap();
    assert_eq!((&event["Type"], &event["Action"]), (&"volume".into(), &"create".into()));
    host.berth(["events", "--filter", "nonsense=1", "--until", "0s"]).code(1).says("nonsense");
}

#[test]
fn prunes_ask_first() {
    let host = Host::new();
    host.berth(["volume", "create", "kept"]).ok();
    for (command, warning) in [
        (
            &["volume", "prune", "-a"][..],
            "WARNING! This will remove all local volumes not used by at least one container.",
        ),
        (&["image", "prune"][..], "WARNING! This will remove all dangling images."),
        (
            &["network", "prune"][..],
            "WARNING! This will remove all custom networks not used by at least one container.",
        ),
        (
            &["system", "prune"][..],
            "  - all stopped containers\n  - all networks not used by at least one container\n  - all dangling images",
        ),
    ] {
        let finished = host.berth_with_input(command, b"n\n").code(1).says("has been cancelled");
        assert!(finished.stdout.contains(warning), "{finished:?}");
    }
    assert_eq!(host.berth(["volume", "ls", "-q"]).ok().out(), "kept");
    let pruned = host.berth_with_input(["volume", "prune", "-a"], b"y\n").ok();
    assert!(pruned.stdout.ends_with("Deleted Volumes:\nkept\n\nTotal reclaimed space: 0B\n"), "{pruned:?}");
    let host = Host::with_image();
    host.berth(["run", "--name", "ended", IMAGE, "true"]).ok();
    host.berth(["run", "-d", "--name", "runs", "-v", "named:/n", IMAGE, "sleep", "1000"]).ok();
    host.berth(["import", "-c", "USER user", crate::harness::rootfs_archive().to_str().unwrap()]).ok();
    host.berth(["system", "prune", "-f"]).ok();
    assert_eq!(host.berth(["ps", "-a", "--format", "{{.Names}}"]).ok().out(), "runs");
    assert_eq!(host.berth(["images", "-a", "--format", "{{.Repository}}"]).ok().out(), IMAGE);
    host.berth(["rm", "-f", "runs"]).ok();
    assert_eq!(host.berth(["volume", "ls", "-q"]).ok().out(), "named");
    host.berth(["image", "tag", IMAGE, "unused"]).ok();
    host.berth(["system", "prune", "-af", "--volumes"]).ok();
    assert!(host.berth(["images", "-aq"]).ok().lines().is_empty());
    // What has a name is only taken by `volume prune -a`.
    assert_eq!(host.berth(["volume", "ls", "-q"]).ok().out(), "named");
    host.berth(["volume", "rm", "named"]).ok();
}
