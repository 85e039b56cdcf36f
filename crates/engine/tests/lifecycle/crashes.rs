//! `kill -9` at each point of each verb: what is left is told truly, and the next command that changes something mends it.

use engine::containers::Status;

use crate::host::{Host, wait_until};

pub const CASES: &[(&str, fn())] = &[
    ("crashes_of_create", crashes_of_create),
    ("crashes_of_start", crashes_of_start),
    ("crashes_of_stop", crashes_of_stop),
    ("crashes_of_restart", crashes_of_restart),
    ("crashes_of_rm", crashes_of_rm),
    ("crashes_of_rename", crashes_of_rename),
    ("crashes_of_mending", crashes_of_mending),
    ("crashes_after_an_exit", crashes_after_an_exit),
    ("crashes_of_the_supervisor", crashes_of_the_supervisor),
];

fn crashes_of_create() {
    let host = Host::new();
    for point in
        ["create.noted", "create.directory", "create.named", "create.mounts", "create.whole", "file.before-rename"]
    {
        assert!(host.crash(point, "create", "web"), "{point} was not reached");
        let done = host.operation("create", "web").output().unwrap();
        if point == "create.whole" {
            assert!(!done.status.success());
            assert_eq!(host.status("web"), Status::Created);
        } else {
            assert!(done.status.success(), "{point}: {done:?}");
        }
        host.check_nothing_is_left();
    }
}

fn crashes_of_start() {
    let host = Host::new();
    for point in [
        "start.sandbox-written",
        "start.intent-written",
        "start.supervisor-forked",
        "start.supervisor-ready",
        "start.clients-attached",
        "start.runs",
        "file.before-rename",
    ] {
        host.create("web", "sleep 1000");
        assert!(host.crash(point, "start", "web"), "{point} was not reached");
        let runs = point == "start.runs";
        if runs {
            assert_eq!(host.status("web"), Status::Running);
        } else {
            assert!(wait_until(|| (!host.status("web").is_alive()).then_some(())).is_some(), "{point}");
            host.start("web").unwrap();
        }
        host.check_nothing_is_left();
    }
}

fn crashes_of_stop() {
    let host = Host::new();
    for point in ["stop.intent-written", "stop.stopped"] {
        host.create("web", "sleep 1000");
        host.start("web").unwrap();
        assert!(host.crash(point, "stop", "web"), "{point} was not reached");
        assert_eq!(host.status("web"), if point == "stop.stopped" { Status::Exited } else { Status::Running });
        let _ = host.stop("web");
        assert_eq!(host.status("web"), Status::Exited, "{point}");
        host.check_nothing_is_left();
    }
}

fn crashes_of_restart() {
    let host = Host::new();
    for point in ["restart.intent-written", "restart.stopped", "start.supervisor-ready"] {
        host.create("web", "sleep 1000");
        host.start("web").unwrap();
        assert!(host.crash(point, "restart", "web"), "{point} was not reached");
        assert!(host.operation("restart", "web").status().unwrap().success(), "{point}");
        assert_eq!(host.status("web"), Status::Running, "{point}");
        host.check_nothing_is_left();
    }
}

fn crashes_of_rm() {
    let host = Host::new();
    for point in [
        "rm.killed",
        "rm.noted",
        "rm.config-gone",
        "rm.volumes-gone",
        "rm.name-gone",
        "rm.files-gone",
        "rm.directory-gone",
    ] {
        host.create_with("web", "sleep 1000", |settings| settings.volumes = ["/data".to_owned()].into());
        host.start("web").unwrap();
        assert!(host.crash(point, "rm", "web"), "{point} was not reached");
        let is_there = ["rm.killed", "rm.noted"].contains(&point);
        assert_eq!(host.names().len(), usize::from(is_there), "{point}");
        if is_there {
            host.remove("web").unwrap();
        } else {
            // Any command that changes something.
            host.create("web", "true");
        }
        host.check_nothing_is_left();
    }
}

fn crashes_of_rename() {
    let host = Host::new();
    for point in ["rename.name-taken", "rename.record-written", "file.before-rename"] {
        host.create("web", "true");
        assert!(host.crash(point, "rename", "web"), "{point} was not reached");
        let (now, free) = if point == "rename.record-written" { ("web2", "web") } else { ("web", "web2") };
        assert_eq!(host.names(), [now], "{point}");
        host.create(free, "true");
        host.remove(free).unwrap();
        host.check_nothing_is_left();
    }
}

fn crashes_of_mending() {
    let host = Host::new();
    for point in ["mend.alive", "mend.group-gone", "mend.torn-down", "mend.recorded"] {
        let id = host.create("web", "sleep 1000");
        host.start("web").unwrap();
        host.kill_supervisor(&id);
        host.await_status("web", Status::Dead);
        assert!(host.crash(point, "stop", "web"), "{point} was not reached");
        let expected = if point == "mend.recorded" { Status::Exited } else { Status::Dead };
        assert_eq!(host.status("web"), expected, "{point}");
        host.start("web").unwrap();
        assert_eq!(host.status("web"), Status::Running, "{point}");
        host.check_nothing_is_left();
    }
}

/// The helper is killed where it removes a container: the point travels with the start.
fn crashes_after_an_exit() {
    let host = Host::new();
    for point in ["exited.locked", "exited.torn-down", "rm.noted", "rm.config-gone", "rm.volumes-gone", "rm.name-gone"]
    {
        host.create_with("web", "true", |settings| {
            settings.auto_remove = true;
            settings.volumes = ["/data".to_owned()].into();
        });
        assert!(host.operation("start", "web").env("BERTH_CRASH_AT", point).status().unwrap().success());
        let reached = || match point {
            "exited.locked" | "exited.torn-down" | "rm.noted" => host.status("web") == Status::Exited,
            _ => host.names().is_empty(),
        };
        assert!(wait_until(|| reached().then_some(())).is_some(), "{point}");
        std::thread::sleep(std::time::Duration::from_millis(100));
        host.engine.boot(&host.caller).unwrap();
        assert_eq!(host.names(), [""; 0], "{point}");
        host.check_nothing_is_left();
    }
}

fn crashes_of_the_supervisor() {
    let host = Host::new();
    let start = [
        "supervisor.reset",
        "supervisor.alive",
        "start.starting-written",
        "start.created",
        "start.released",
        "start.executed",
        "start.running-written",
    ];
    let exit = ["exit.reaped", "exit.killed-rest", "exit.torn-down", "exit.exited-written", "exit.lock-free"];
    let stop = ["stop.stopping-written", "stop.signalled", "stop.killed"];
    for point in start.into_iter().chain(exit).chain(stop) {
        host.create("web", if exit.contains(&point) { "true" } else { "sleep 1000" });
        let started = host.operation("start", "web").env("BERTH_CRASH_AT", point).output().unwrap();
        if start.contains(&point) {
            assert!(!started.status.success(), "{point}: {started:?}");
        }
        if stop.contains(&point) {
            host.stop("web").unwrap();
        }
        let down = wait_until(|| (!host.status("web").is_alive()).then_some(()));
        assert!(down.is_some(), "{point}: {:?}", host.status("web"));
        std::thread::sleep(std::time::Duration::from_millis(20));
        host.start("web").unwrap_or_else(|error| panic!("{point}: {error}"));
        host.check_nothing_is_left();
    }
}
