//! `kill -9` at every named point: what it leaves is told truly, mended by the next changing command, and gone in the end.
//!
//! The points are read from the sources: one without a scenario fails the test, and so does one that its scenario does not reach.

use crate::harness::{Host, IMAGE, eventually};
use std::collections::BTreeSet;
use std::path::Path;

/// How a point is reached.
#[derive(Clone, Copy)]
enum Way {
    /// The command itself passes it, after these.
    Command { before: &'static [&'static str], command: &'static str },
    /// A supervisor or a helper passes it that the first command starts and the others make move. The commands may fail: their
    /// supervisor dies.
    Background(&'static [&'static str]),
    /// The supervisor of `c1`, which the first command starts, is killed; what follows passes it.
    AfterKill { start: &'static str, command: Option<&'static str> },
    /// The command passes it because the record of `c1` is damaged.
    Damaged { command: &'static str },
    /// A test elsewhere, by the file that names the point.
    Elsewhere(&'static str),
}

use Way::{AfterKill, Background, Command, Damaged, Elsewhere};

const SLEEP: &str = "run -d --name c1 busybox sleep 1000";
const ALWAYS: &str = "run -d --name c1 --restart always busybox sleep 1000";
const TRAP: &str = "run -d --name c1 busybox sh -c trap_exit";
const CREATE: Way =
    Command { before: &[], command: "create --name c1 -v fresh:/data -v /anonymous busybox sleep 1000" };
const START: Way = Command { before: &[], command: SLEEP };
const STARTED: Way = Background(&[SLEEP]);
const STOP: Way = Command { before: &[SLEEP], command: "stop -t 1 c1" };
const STOPPED: Way = Background(&[SLEEP, "stop -t 1 c1"]);
const PAUSED: Way = Background(&[SLEEP, "pause c1", "unpause c1"]);
const REMOVE: Way = Command { before: &["run --name c1 -v /anonymous busybox true"], command: "rm -v c1" };
const EXITED: Way = Background(&["run -d --name c1 busybox true"]);
const RESTARTED: Way = Background(&["run -d --name c1 --restart always busybox sleep 0.1"]);
const HELPER: Way = Background(&["run -d --rm --name c1 busybox true"]);
const MEND: Way = AfterKill { start: SLEEP, command: Some("stop c1") };
const LOGS: Way = Background(&[
    "run -d --name c1 --log-opt max-size=10k --log-opt max-file=3 --log-opt compress=true busybox sh -c write_log",
]);
const UPDATE: Way = Command { before: &[SLEEP], command: "update --restart unless-stopped c1" };
const RENAME: Way = Command {
    before: &["network create n1", "run -d --name c1 --network n1 busybox sleep 1000"],
    command: "rename c1 d1",
};
const RESTART: Way = Command { before: &[TRAP], command: "restart -t 1 c1" };

const NETWORK: &str = "network create n1";
const NAMED: &str = "run -d --name c1 --network n1 -p 8080:80 busybox sleep 1000";
const PUBLISHED: &str = "run -d --name c1 -p 8080:80 busybox sleep 1000";
const ON_NETWORK: Way = Command { before: &[NETWORK], command: NAMED };
const ON_NETWORK_BEHIND: Way = Background(&[NETWORK, NAMED]);
const OFF_NETWORK: Way = Background(&["network create n1", "run -d --name c1 --network n1 -p 8080:80 busybox true"]);
const CREATE_NETWORK: Way = Command { before: &[], command: NETWORK };
const REMOVE_NETWORK: Way = Command { before: &[NETWORK], command: "network rm n1" };
const CONNECT: Way = Command { before: &[NETWORK, SLEEP], command: "network connect n1 c1" };
const DISCONNECT: Way =
    Command { before: &[NETWORK, SLEEP, "network connect n1 c1"], command: "network disconnect n1 c1" };

const SCENARIOS: &[(&str, Way)] = &[
    ("boot.next", Command { before: &["create --name c1 busybox sleep 1000"], command: "system boot" }),
    ("collect.blobs-removed", Elsewhere("tests/integration/images.rs")),
    ("collect.layers-removed", Elsewhere("tests/integration/images.rs")),
    ("create.directory", CREATE),
    ("create.mounts", CREATE),
    ("create.named", CREATE),
    ("create.noted", CREATE),
    ("create.volume-filling", CREATE),
    ("create.whole", CREATE),
    ("exec.before-prepared", Elsewhere("tests/integration/execs.rs")),
    ("exec.begun", Elsewhere("tests/integration/execs.rs")),
    ("exec.claimed", Elsewhere("tests/integration/execs.rs")),
    ("exec.executed", Elsewhere("tests/integration/execs.rs")),
    ("exec.prepared", Elsewhere("tests/integration/execs.rs")),
    ("exec.reaped", Elsewhere("tests/integration/execs.rs")),
    ("exec.recorded", Elsewhere("tests/integration/execs.rs")),
    ("exec.started", Elsewhere("tests/integration/execs.rs")),
    ("exit.exited-written", EXITED),
    ("exit.killed-rest", EXITED),
    ("exit.lock-free", HELPER),
    ("exit.reaped", EXITED),
    ("exit.torn-down", EXITED),
    ("exited.locked", HELPER),
    ("exited.torn-down", HELPER),
    ("exited.undertaken", Command { before: &[], command: "run --rm --name c1 busybox true" }),
    ("file.before-rename", CREATE),
    ("import.before-name", Elsewhere("tests/integration/images.rs")),
    ("import.blob-linked", Elsewhere("tests/integration/images.rs")),
    ("import.config-stored", Elsewhere("tests/integration/images.rs")),
    ("import.extracted", Elsewhere("tests/integration/images.rs")),
    ("import.named", Elsewhere("tests/integration/images.rs")),
    ("keeper.forked", Background(&[ALWAYS])),
    ("kill.intent-written", Command { before: &[SLEEP], command: "kill c1" }),
    ("logs.before-rotation", LOGS),
    ("logs.compressed", LOGS),
    ("logs.rotated", LOGS),
    ("mend.alive", MEND),
    ("mend.group-gone", MEND),
    ("mend.recorded", MEND),
    ("mend.torn-down", MEND),
    ("network.address-noted", ON_NETWORK),
    ("network.address-taken", ON_NETWORK),
    ("network.bridge-made", CREATE_NETWORK),
    ("network.configured", ON_NETWORK),
    ("network.connect-noted", CONNECT),
    ("network.connected", CONNECT),
    ("network.disconnected", DISCONNECT),
    ("network.down", REMOVE_NETWORK),
    ("network.ensured", ON_NETWORK),
    ("network.filled", CREATE_NETWORK),
    ("network.foreign-opened", CREATE_NETWORK),
    ("network.link-down", OFF_NETWORK),
    ("network.link-made", ON_NETWORK),
    ("network.named", ON_NETWORK),
    ("network.names-served", ON_NETWORK_BEHIND),
    ("network.placed", CREATE_NETWORK),
    ("network.ports-held", ON_NETWORK_BEHIND),
    ("network.ports-known", ON_NETWORK),
    ("network.rules-attached", ON_NETWORK),
    ("network.rules-detached", AfterKill { start: PUBLISHED, command: Some("stop c1") }),
    ("network.rules-made", CREATE_NETWORK),
    ("network.rules-withdrawn", OFF_NETWORK),
    ("network.unnamed", REMOVE_NETWORK),
    ("network.unnamed-endpoint", OFF_NETWORK),
    ("network.written", CREATE_NETWORK),
    ("pause.frozen", PAUSED),
    ("pause.thawed", PAUSED),
    ("pull.after-document", Elsewhere("tests/integration/registry.rs")),
    ("pull.after-name", Elsewhere("tests/integration/registry.rs")),
    ("pull.before-blob", Elsewhere("tests/integration/registry.rs")),
    ("pull.before-name", Elsewhere("tests/integration/registry.rs")),
    ("pull.blob-linked", Elsewhere("tests/integration/registry.rs")),
    ("pull.blob-synced", Elsewhere("tests/integration/registry.rs")),
    ("pull.extracted", Elsewhere("tests/integration/images.rs")),
    ("pull.extracting", Elsewhere("tests/integration/images.rs")),
    ("pull.layer-published", Elsewhere("tests/integration/images.rs")),
    ("push.after-blob", Elsewhere("tests/integration/registry.rs")),
    ("push.after-inner-manifest", Elsewhere("tests/integration/registry.rs")),
    ("push.after-name", Elsewhere("tests/integration/registry.rs")),
    ("push.before-blob", Elsewhere("tests/integration/registry.rs")),
    ("push.before-manifest", Elsewhere("tests/integration/registry.rs")),
    ("push.before-name", Elsewhere("tests/integration/registry.rs")),
    ("rename.name-taken", RENAME),
    ("rename.record-written", RENAME),
    ("restart.intent-written", RESTART),
    ("restart.starting-written", RESTARTED),
    ("restart.stopped", RESTART),
    ("restart.waiting", RESTARTED),
    ("revive.mended", AfterKill { start: ALWAYS, command: None }),
    ("rm.config-gone", REMOVE),
    ("rm.damaged-config-gone", Damaged { command: "rm -f c1" }),
    ("rm.directory-gone", REMOVE),
    ("rm.files-gone", REMOVE),
    ("rm.killed", Command { before: &[SLEEP], command: "rm -f c1" }),
    ("rm.name-gone", REMOVE),
    ("rm.noted", REMOVE),
    ("rm.volumes-gone", REMOVE),
    ("shutdown.listed", Command { before: &[TRAP], command: "system shutdown" }),
    ("start.clients-attached", START),
    ("start.connected", START),
    ("start.created", STARTED),
    ("start.executed", STARTED),
    ("start.failure-recorded", Command { before: &[], command: "run -d --name c1 busybox no-such-command" }),
    ("start.intent-written", START),
    ("start.released", STARTED),
    ("start.running-written", STARTED),
    ("start.runs", START),
    ("start.sandbox-written", START),
    ("start.starting-written", STARTED),
    ("start.supervisor-forked", START),
    ("start.supervisor-ready", START),
    ("stop.intent-written", STOP),
    ("stop.killed", STOPPED),
    ("stop.signalled", STOPPED),
    ("stop.stopped", STOP),
    ("stop.stopping-written", STOPPED),
    ("supervisor.alive", STARTED),
    ("supervisor.reset", STARTED),
    ("tag.before-name", Elsewhere("tests/integration/images.rs")),
    ("tag.kept", Elsewhere("tests/integration/images.rs")),
    ("tag.named", Elsewhere("tests/integration/images.rs")),
    ("untag.forgotten", Elsewhere("tests/integration/images.rs")),
    ("untag.kept", Elsewhere("tests/integration/images.rs")),
    ("untag.name-removed", Elsewhere("tests/integration/images.rs")),
    ("update.intent-written", UPDATE),
    ("update.limits-applied", Command { before: &[SLEEP], command: "update --memory 64m c1" }),
    ("update.record-written", UPDATE),
    ("volume.filled", Command { before: &[], command: "volume create data" }),
    ("volume.put-aside", Command { before: &["volume create data"], command: "volume rm data" }),
];

fn points_in(folder: &Path, found: &mut BTreeSet<String>) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            points_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let names = text.split("crash_point!(\"").skip(1).filter_map(|rest| rest.split_once('"'));
            found.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn every_point_has_a_scenario() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = BTreeSet::new();
    for folder in std::fs::read_dir(root.join("crates")).unwrap() {
        points_in(&folder.unwrap().path().join("src"), &mut found);
    }
    let known: BTreeSet<String> = SCENARIOS.iter().map(|(point, _)| (*point).to_owned()).collect();
    assert_eq!(known.len(), SCENARIOS.len(), "a point stands there twice");
    let missing: Vec<_> = found.difference(&known).collect();
    let stale: Vec<_> = known.difference(&found).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "without a scenario: {missing:?}; no longer in the sources: {stale:?}"
    );
    for (point, way) in SCENARIOS {
        if let Elsewhere(module) = way {
            let text = std::fs::read_to_string(root.join(module)).unwrap();
            assert!(text.contains(&format!("\"{point}\"")), "{module} does not kill at {point}");
        }
    }
}

/// The words of a command; two of them stand for scripts, which have spaces.
fn words(command: &str) -> Vec<&str> {
    let script = |word| match word {
        "write_log" => "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; sleep 1000",
        "trap_exit" => "trap 'exit 0' TERM; while :; do sleep 0.05; done",
        word => word,
    };
    command.split(' ').map(script).collect()
}

/// Walks every point of a verb.
fn walk(verb: &str) {
    let points = SCENARIOS.iter().filter(|(point, _)| point.split('.').next() == Some(verb));
    let points: Vec<_> = points.filter(|(_, way)| !matches!(way, Elsewhere(_))).collect();
    assert!(!points.is_empty());
    for (point, way) in points {
        println!("{point}");
        let host = Host::with_image();
        die(&host, point, *way);
        let reached = eventually(|| host.has_crashed_at(point));
        assert!(reached, "{point} was not reached");
        read(&host, point);
        mend(&host, point);
    }
}

fn die(host: &Host, point: &str, way: Way) {
    match way {
        Command { before, command } => {
            for command in before {
                host.berth(words(command)).ok();
            }
            host.berth_crashing_once(point, words(command)).code(-9);
        }
        Background(commands) => {
            for command in commands {
                host.berth_crashing_once(point, words(command));
            }
        }
        AfterKill { start, command } => {
            host.berth_crashing_once(point, words(start)).ok();
            let pid = host.inspect("c1", "{{.State.Pid}}");
            kill(&parent(&pid));
            assert!(
                eventually(|| !Path::new(&format!("/proc/{pid}")).exists()),
                "{point}: the process outlived its supervisor"
            );
            if let Some(command) = command {
                host.berth_crashing_once(point, words(command)).code(-9);
            }
        }
        Damaged { command } => {
            host.berth(words("create --name c1 busybox true")).ok();
            let record = host.root().join("containers").join(&host.containers()[0]).join("config.json");
            std::fs::write(record, "").unwrap();
            host.berth_crashing_once(point, words(command)).code(-9);
        }
        Elsewhere(_) => unreachable!(),
    }
}

fn parent(pid: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned()
}

fn kill(pid: &str) {
    assert!(std::process::Command::new("kill").args(["-9", pid]).status().unwrap().success());
}

/// Reading commands work, change nothing, and what they say is so: whatever is said to run has a process.
fn read(host: &Host, point: &str) {
    host.berth(["images"]).ok();
    host.berth(["volume", "ls"]).ok();
    host.berth(["ps", "-a"]).ok();
    for id in host.containers() {
        let said = host.berth(["inspect", "--format", "{{.State.Status}} {{.State.Running}} {{.State.Pid}}", &id]);
        // A helper may just be removing it.
        if said.code != 0 {
            assert!(said.stderr.contains("No such"), "{point}: {said:?}");
            continue;
        }
        let words: Vec<String> = said.out().split(' ').map(str::to_owned).collect();
        let known = ["created", "running", "paused", "restarting", "exited", "dead", "removing"];
        assert!(known.contains(&&*words[0]), "{point}: {words:?}");
        let settled = || {
            let now = host.berth(["inspect", "--format", "{{.State.Status}} {{.State.Pid}}", &id]).out();
            let pid = now.strip_prefix("running ").map(str::to_owned);
            pid.is_none_or(|pid| pid != "0" && Path::new(&format!("/proc/{pid}")).exists())
        };
        assert!(eventually(settled), "{point}: it is said to run, and nothing does");
    }
}

/// The next changing command mends: what is there can be started and entered, or removed; its name can be taken again.
fn mend(host: &Host, point: &str) {
    for name in ["c1", "d1"] {
        if host.berth(["inspect", "--type", "container", name]).code != 0 {
            continue;
        }
        let stopped = host.berth(["stop", "-t", "1", name]);
        // One that removes itself may be gone by now.
        assert!(stopped.code == 0 || stopped.stderr.contains("No such container"), "{point}: {stopped:?}");
        if stopped.code == 0 && host.berth(["inspect", "--format", "{{.HostConfig.AutoRemove}}", name]).out() != "true"
        {
            let status = host.inspect(name, "{{.State.Status}}");
            assert!(["created", "exited"].contains(&&*status), "{point}: {status} after stop");
            if host.inspect(name, "{{join .Config.Cmd \" \"}}") == "sleep 1000" {
                host.berth(["start", name]).ok();
                assert_eq!(host.berth(["exec", name, "echo", "fine"]).ok().out(), "fine", "{point}");
            }
        }
        let removed = host.berth(["rm", "-f", "-v", name]);
        assert!(removed.code == 0 || removed.stderr.contains("No such container"), "{point}: {removed:?}");
    }
    assert_eq!(host.berth(["run", "--rm", "--name", "c1", IMAGE, "echo", "fine"]).ok().out(), "fine", "{point}");
    host.berth(["volume", "create", "data"]).ok();
    host.berth(["volume", "rm", "data"]).ok();
    // One that a killed command was making, or was removing, is there as a whole or not at all.
    let networks = host.berth(["network", "ls", "--filter", "type=custom", "-q"]).ok().lines();
    for network in &networks {
        host.berth(["network", "rm", network]).ok();
    }
    host.berth(["network", "create", "n1"]).ok();
    host.berth(["network", "rm", "n1"]).ok();
    let left = host.leftovers();
    assert!(left.is_empty(), "{point} left {left:#?}");
    let unfinished = host.unfinished();
    assert!(unfinished.is_empty(), "{point} left {unfinished:?}");
}

#[test]
fn network() {
    walk("network");
}

#[test]
fn boot() {
    walk("boot");
}

#[test]
fn create() {
    walk("create");
}

#[test]
fn exit() {
    walk("exit");
}

#[test]
fn exited() {
    walk("exited");
}

#[test]
fn file() {
    walk("file");
}

#[test]
fn keeper() {
    walk("keeper");
}

#[test]
fn kill_command() {
    walk("kill");
}

#[test]
fn logs() {
    walk("logs");
}

#[test]
fn mending() {
    walk("mend");
}

#[test]
fn pause() {
    walk("pause");
}

#[test]
fn rename() {
    walk("rename");
}

#[test]
fn restart() {
    walk("restart");
}

#[test]
fn revive() {
    walk("revive");
}

#[test]
fn rm() {
    walk("rm");
}

#[test]
fn shutdown() {
    walk("shutdown");
}

#[test]
fn start() {
    walk("start");
}

#[test]
fn stop() {
    walk("stop");
}

#[test]
fn supervisor() {
    walk("supervisor");
}

#[test]
fn update() {
    walk("update");
}

#[test]
fn volume() {
    walk("volume");
}

/// Nobody else does anything: its supervisor has the helper do what is left.
#[test]
fn who_undertakes_a_removal_and_is_killed_leaves_nothing() {
    let points = ["exited.undertaken", "exited.locked", "exited.torn-down", "rm.noted", "rm.config-gone"];
    for point in points.into_iter().chain(["rm.volumes-gone", "rm.name-gone", "rm.files-gone"]) {
        let host = Host::with_image();
        host.berth_crashing_once(point, ["run", "--rm", "-v", "/anonymous", IMAGE, "true"]).code(-9);
        let left = || [host.containers(), host.unfinished(), host.berth(["volume", "ls", "-q"]).lines()].concat();
        assert!(eventually(|| left().is_empty()), "{point} left {:#?}", left());
        let left = host.leftovers();
        assert!(left.is_empty(), "{point} left {left:#?}");
    }
}

/// Every verb of a scenario here has its test.
#[test]
fn every_verb_is_walked() {
    let text = include_str!("crash.rs");
    for (point, way) in SCENARIOS {
        let verb = point.split('.').next().unwrap();
        assert!(matches!(way, Elsewhere(_)) || text.contains(&format!("walk(\"{verb}\")")), "{verb}");
    }
}
