//! What each verb does, and what it refuses.

use base::Kind;
use engine::containers::{
    IpcMode, NetworkMode, PidMode, RemoveRequest, RestartPolicy, Settings, Status, UtsMode, WaitCondition,
};

use crate::host::{AT_ONCE, Host, finish, wait_until};

pub const CASES: &[(&str, fn())] = &[
    ("runs_to_its_exit", runs_to_its_exit),
    ("a_stop_is_the_users_wish", a_stop_is_the_users_wish),
    ("a_kill_ends_or_tells", a_kill_ends_or_tells),
    ("rm_refuses_what_runs", rm_refuses_what_runs),
    ("one_run_leaves_nothing", one_run_leaves_nothing),
    ("a_failed_start_leaves_its_reason", a_failed_start_leaves_its_reason),
    ("restart_makes_a_new_process", restart_makes_a_new_process),
    ("rename_moves_the_name", rename_moves_the_name),
    ("pause_freezes", pause_freezes),
    ("what_lost_its_supervisor_is_dead_and_mended", what_lost_its_supervisor_is_dead_and_mended),
    ("a_keeper_brings_it_back", a_keeper_brings_it_back),
    ("shutdown_and_boot", shutdown_and_boot),
    ("prune_takes_what_is_down", prune_takes_what_is_down),
    ("updates_reach_the_supervisor", updates_reach_the_supervisor),
    ("many_at_once", many_at_once),
    ("namespaces_are_shared", namespaces_are_shared),
    ("what_it_sees_of_its_host", what_it_sees_of_its_host),
    ("what_is_damaged_can_be_removed", what_is_damaged_can_be_removed),
];

fn runs_to_its_exit() {
    let host = Host::new();
    let id = host.create("web", "exit 3");
    assert_eq!((host.status("web"), host.wait("web")), (Status::Created, 0));
    host.start("web").unwrap();
    assert_eq!(host.wait("web"), 3);
    let details = host.inspect(&id[..12]);
    assert_eq!((details.state.status, details.state.exit_code, details.state.pid), (Status::Exited, 3, 0));
    assert!(!details.state.started.is_zero() && details.state.finished >= details.state.started);
    let hosts = std::fs::read_to_string(host.directory(&id).join("hosts")).unwrap();
    assert!(hosts.contains("localhost"), "{hosts}");
    assert_eq!(std::fs::read_to_string(host.directory(&id).join("hostname")).unwrap(), format!("{}\n", &id[..12]));
    // And once more.
    assert_eq!(host.actions(&id), ["create", "start", "die 3"]);
    host.start("web").unwrap();
    assert_eq!(host.wait("web"), 3);
}

fn a_stop_is_the_users_wish() {
    let host = Host::new();
    let id = host.create_with("web", "trap 'exit 7' TERM; touch /ready; while :; do sleep 0.05; done", |settings| {
        settings.restart = RestartPolicy::UnlessStopped;
    });
    assert_eq!(host.stop("web").unwrap_err().kind(), Kind::Unchanged);
    host.start("web").unwrap();
    assert_eq!(host.start("web").unwrap_err().kind(), Kind::Unchanged);
    wait_until(|| host.directory(&id).join("upper/ready").exists().then_some(())).unwrap();
    host.engine.stop_container(&host.caller, "web", &Default::default()).unwrap();
    let state = host.inspect("web").state;
    assert_eq!((state.status, state.exit_code), (Status::Exited, 7));
    assert_eq!(host.stop("web").unwrap_err().kind(), Kind::Unchanged);
    assert!(host.engine.boot(&host.caller).unwrap().started.is_empty());
}

fn a_kill_ends_or_tells() {
    let host = Host::new();
    let id =
        host.create_with("web", "trap 'touch /told' HUP; touch /ready; while :; do sleep 0.05; done", |settings| {
            settings.restart = RestartPolicy::Always;
        });
    let kill = |signal: &str| host.engine.kill_container(&host.caller, "web", signal);
    let error = kill("").unwrap_err();
    assert_eq!(error.to_string(), format!("Cannot kill container: web: Container {id} is not running"));
    host.start("web").unwrap();
    wait_until(|| host.directory(&id).join("upper/ready").exists().then_some(())).unwrap();
    kill("HUP").unwrap();
    assert!(wait_until(|| host.directory(&id).join("upper/told").exists().then_some(())).is_some());
    assert_eq!(kill("NONE").unwrap_err().kind(), Kind::Invalid);
    kill("").unwrap();
    let state = host.inspect("web").state;
    assert_eq!((state.status, state.exit_code), (Status::Exited, 137));
}

fn rm_refuses_what_runs() {
    let host = Host::new();
    let id = host.create("web", "sleep 1000");
    host.start("web").unwrap();
    let error = host.engine.remove_container(&host.caller, "web", RemoveRequest::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.to_string().starts_with(&format!("You cannot remove a running container {id}.")), "{error}");
    host.remove("web").unwrap();
    assert_eq!(host.names(), [""; 0]);
    let error = host.remove("web").unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::NotFound, "No such container: web"));
}

fn one_run_leaves_nothing() {
    let host = Host::new();
    for script in ["exit 5", "sleep 1000"] {
        host.create_with("web", script, |settings| {
            settings.auto_remove = true;
            settings.volumes = ["/data".to_owned()].into();
        });
        let wait = host.engine.wait_container(&host.caller, "web", WaitCondition::Removed).unwrap();
        host.start("web").unwrap();
        if script == "exit 5" {
            assert_eq!(finish(wait), 5);
        } else {
            host.engine.restart_container(&host.caller, "web", &AT_ONCE).unwrap();
            assert_eq!(host.status("web"), Status::Running);
            host.stop("web").unwrap();
        }
        assert!(wait_until(|| host.names().is_empty().then_some(())).is_some());
    }
}

fn a_failed_start_leaves_its_reason() {
    let host = Host::new();
    for (command, code) in [("/bin/missing", 127), ("/tmp", 126)] {
        let run = |name: &str, change: &dyn Fn(&mut Settings)| {
            host.create_with(name, "", |settings| {
                settings.command = Some(vec![command.to_owned()]);
                change(settings);
            });
            host.start(name).unwrap_err()
        };
        let error = run("web", &|_| {});
        assert_eq!(i32::from(error.exit_code()), code, "{error}");
        let state = host.inspect("web").state;
        assert_eq!((state.status, state.exit_code), (Status::Created, code));
        assert!(!state.error.is_empty() && state.started.is_zero());
        run("gone", &|settings| settings.auto_remove = true);
        assert_eq!(host.names(), ["web"]);
        host.remove("web").unwrap();
    }
    // What fails before there is a supervisor is told as well.
    host.create_with("web", "", |settings| {
        settings.mounts = vec![engine::containers::MountRequest {
            target: "/data".to_owned(),
            read_only: false,
            kind: engine::containers::MountKind::Bind {
                source: host.path.join("system").display().to_string(),
                propagation: String::new(),
                non_recursive: false,
                create_source: false,
                read_only_reach: Default::default(),
            },
        }];
    });
    std::fs::remove_dir_all(host.path.join("system")).unwrap();
    let error = host.start("web").unwrap_err();
    let state = host.inspect("web").state;
    assert_eq!((state.status, state.exit_code, state.error), (Status::Created, 128, error.to_string()));
}

fn restart_makes_a_new_process() {
    let host = Host::new();
    host.create("web", "sleep 1000");
    host.engine.restart_container(&host.caller, "web", &AT_ONCE).unwrap();
    let before = host.inspect("web").state.pid;
    host.engine.restart_container(&host.caller, "web", &AT_ONCE).unwrap();
    let after = host.inspect("web").state;
    assert!(after.status == Status::Running && after.pid != before);
}

fn rename_moves_the_name() {
    let host = Host::new();
    let (web, _db) = (host.create("web", "sleep 1000"), host.create("db", "true"));
    let rename = |name: &str, new: &str| host.engine.rename_container(&host.caller, name, new);
    assert_eq!(rename("web", "db").unwrap_err().kind(), Kind::Conflict);
    assert_eq!(rename("web", "a b").unwrap_err().kind(), Kind::Invalid);
    assert_eq!(rename("web", "web").unwrap_err().kind(), Kind::Invalid);
    host.start("web").unwrap();
    rename("web", "front").unwrap();
    assert_eq!(host.inspect("front").id.as_str(), web);
    // What runs already hears of it.
    host.stop("front").unwrap();
    assert_eq!(host.named(&web, "die"), "front");
    host.create("web", "true");
    assert_eq!(host.names().len(), 3);
}

fn pause_freezes() {
    let host = Host::new();
    host.create("web", "sleep 1000");
    let pause = || host.engine.pause_container(&host.caller, "web");
    let unpause = || host.engine.unpause_container(&host.caller, "web");
    assert_eq!(pause().unwrap_err().kind(), Kind::Conflict);
    host.start("web").unwrap();
    assert_eq!(unpause().unwrap_err().kind(), Kind::Conflict);
    pause().unwrap();
    assert_eq!(host.status("web"), Status::Paused);
    assert_eq!(pause().unwrap_err().kind(), Kind::Conflict);
    assert_eq!(host.start("web").unwrap_err().kind(), Kind::Conflict);
    unpause().unwrap();
    assert_eq!(host.status("web"), Status::Running);
    pause().unwrap();
    host.stop("web").unwrap();
}

fn what_lost_its_supervisor_is_dead_and_mended() {
    let host = Host::new();
    let id = host.create("web", "sleep 1000");
    for verb in ["start", "stop", "kill", "restart", "rm"] {
        if host.status("web") != Status::Running {
            host.start("web").unwrap();
        }
        host.kill_supervisor(&id);
        host.await_status("web", Status::Dead);
        assert_eq!(host.inspect("web").state.pid, 0);
        let done = host.operation(verb, "web").output().unwrap();
        assert_eq!(done.status.code(), Some(i32::from(verb == "kill")), "{verb}: {done:?}");
        match verb {
            "start" | "restart" => assert_eq!(host.status("web"), Status::Running),
            "rm" => assert_eq!(host.names(), [""; 0]),
            _ => {
                let state = host.inspect("web").state;
                assert_eq!((state.status, state.exit_code), (Status::Exited, 137), "{verb}");
            }
        }
    }
}

fn a_keeper_brings_it_back() {
    let host = Host::new();
    let id = host.create_with("web", "sleep 1000", |settings| settings.restart = RestartPolicy::Always);
    host.start("web").unwrap();
    let before = host.state(&id).supervisor_pid;
    host.kill_supervisor(&id);
    let back = wait_until(|| {
        let state = host.state(&id);
        (state.supervisor_pid != before && state.status == supervisor::state::Status::Running).then_some(state)
    });
    assert_eq!(back.unwrap().restart_count, 1);
    wait_until(|| (host.actions(&id).last().unwrap() == "start").then_some(())).unwrap();
    assert_eq!(host.actions(&id), ["create", "start", "die 137", "start"]);
    host.stop("web").unwrap();
    assert_eq!(host.status("web"), Status::Exited);
}

fn shutdown_and_boot() {
    let host = Host::new();
    let policies = [
        ("no", RestartPolicy::No),
        ("always", RestartPolicy::Always),
        ("unless", RestartPolicy::UnlessStopped),
        ("stopped", RestartPolicy::UnlessStopped),
    ];
    for (name, restart) in policies {
        host.create_with(name, "trap 'exit 9' TERM; while :; do sleep 0.05; done", |settings| {
            settings.restart = restart
        });
        host.start(name).unwrap();
    }
    host.create_with("once", "sleep 1000", |settings| settings.auto_remove = true);
    host.start("once").unwrap();
    host.stop("stopped").unwrap();
    let shutdown = host.engine.shut_down(&host.caller).unwrap();
    assert_eq!((shutdown.stopped.len(), shutdown.failed.len()), (4, 0), "{shutdown:?}");
    wait_until(|| (!host.names().contains(&"once".to_owned())).then_some(())).unwrap();
    assert!(host.names().iter().all(|name| !host.status(name).is_alive()));
    let booted = host.engine.boot(&host.caller).unwrap();
    assert_eq!((booted.started.len(), booted.failed.len()), (2, 0), "{booted:?}");
    assert_eq!((host.status("always"), host.status("unless")), (Status::Running, Status::Running));
    assert_eq!((host.status("no"), host.status("stopped")), (Status::Exited, Status::Exited));
    assert!(host.engine.boot(&host.caller).unwrap().started.is_empty());
}

fn prune_takes_what_is_down() {
    let host = Host::new();
    host.create("up", "sleep 1000");
    host.start("up").unwrap();
    host.create("new", "true");
    host.create_with("kept", "true", |settings| {
        settings.labels.insert("keep".to_owned(), String::new());
    });
    host.create("done", "touch /file");
    host.start("done").unwrap();
    host.wait("done");
    let filter = engine::containers::Filter { values: [("label!".to_owned(), vec!["keep".to_owned()])].into() };
    assert_eq!(host.engine.prune_containers(&host.caller, &filter).unwrap().removed.len(), 2);
    let mut names = host.names();
    names.sort();
    assert_eq!(names, ["kept", "up"]);
}

fn updates_reach_the_supervisor() {
    let host = Host::new();
    let id = host.create("web", "sleep 0.3; exit 1");
    host.start("web").unwrap();
    let policy = RestartPolicy::OnFailure { maximum_retries: 1 };
    host.engine.update_restart_policy(&host.caller, "web", policy).unwrap();
    assert_eq!(host.inspect("web").settings.restart, policy);
    assert_eq!(host.wait("web"), 1);
    assert_eq!(host.state(&id).restart_count, 1);
    let limits = engine::containers::ResourceLimits { memory: 64 << 20, ..Default::default() };
    host.engine.update_resources(&host.caller, "web", &limits).unwrap();
    assert_eq!(host.inspect("web").settings.resources.memory, 64 << 20);
    host.create_with("once", "true", |settings| settings.auto_remove = true);
    assert_eq!(host.engine.update_restart_policy(&host.caller, "once", policy).unwrap_err().kind(), Kind::Conflict);
}

fn many_at_once() {
    let host = Host::new();
    let names: Vec<String> = (0..12).map(|number| format!("c{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let host = &host;
            scope.spawn(move || {
                host.create(name, "sleep 1000");
                host.start(name).unwrap();
                host.remove(name).unwrap();
            });
        }
    });
    // Two that want the same.
    host.create("web", "sleep 1000");
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..2).map(|_| scope.spawn(|| host.start("web").is_ok())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|started| **started).count(), 1);
}

fn what_is_damaged_can_be_removed() {
    let host = Host::new();
    for by in ["id", "name"] {
        let id = host.create("web", "sleep 1000");
        host.start("web").unwrap();
        std::fs::write(host.directory(&id).join("config.json"), "").unwrap();
        let error = host.start(&id).unwrap_err();
        assert!(error.kind() == Kind::Corrupt && error.to_string().contains("config.json is damaged"), "{error}");
        host.create("other", "true");
        host.remove(if by == "id" { &id[..12] } else { "web" }).unwrap();
        assert_eq!(host.names(), ["other"]);
        assert_eq!(host.remove("web").unwrap_err().kind(), Kind::NotFound);
        host.check_nothing_is_left();
    }
}

fn namespaces_are_shared() {
    let host = Host::new();
    let owner = host.create_with("owner", "touch /dev/shm/mine; sleep 1000", |settings| {
        settings.ipc = IpcMode::Shareable;
        settings.hostname = "box".to_owned();
        settings.extra_hosts = vec!["db:10.1.2.3".to_owned()];
    });
    let join = |name: &str| {
        host.create_with(
            name,
            "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; hostname; cat /etc/hosts; ls /dev/shm",
            |settings| {
                settings.network = NetworkMode::Container("owner".to_owned());
                settings.ipc = IpcMode::Container("owner".to_owned());
            },
        );
    };
    join("member");
    let error = host.start("member").unwrap_err();
    assert!(error.to_string().contains(&format!("cannot join network of a non running container: {owner}")), "{error}");
    host.start("owner").unwrap();
    host.start("member").unwrap();
    let link = |kind: &str| {
        let path = format!("/proc/{}/ns/{kind}", host.inspect("owner").state.pid);
        std::fs::read_link(path).unwrap().display().to_string()
    };
    let seen = host.output("member");
    for expected in [link("net"), link("ipc"), "box".to_owned(), "10.1.2.3\tdb".to_owned(), "mine".to_owned()] {
        assert!(seen.contains(&expected), "{expected}: {seen}");
    }
    host.create_with("pid", "cat /proc/1/cmdline", |settings| {
        settings.pid = PidMode::Container("owner".to_owned());
    });
    host.start("pid").unwrap();
    let first = host.output("pid").replace('\0', " ");
    assert!(first.contains("sleep 1000"), "{first:?}");
    host.stop("owner").unwrap();
    assert!(wait_until(|| (!host.directory(&owner).join("shm").exists()).then_some(())).is_some());
}

fn what_it_sees_of_its_host() {
    let host = Host::new();
    let output = |script: &str, change: &dyn Fn(&mut Settings)| {
        host.create_with("web", script, change);
        host.start("web").unwrap();
        let output = host.output("web");
        host.remove("web").unwrap();
        output
    };
    let own = |kind: &str| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string();
    let shared = output("for kind in net uts ipc; do readlink /proc/self/ns/$kind; done", &|settings| {
        settings.network = NetworkMode::Host;
        settings.uts = UtsMode::Host;
        settings.ipc = IpcMode::Host;
    });
    assert_eq!(shared, format!("{}\n{}\n{}\n", own("net"), own("uts"), own("ipc")));
    let apart = output("for kind in net uts ipc; do readlink /proc/self/ns/$kind; done", &|_| {});
    assert!(["net", "uts", "ipc"].iter().all(|kind| !apart.contains(&own(kind))), "{apart}");
    assert_eq!(output("hostname", &|settings| settings.hostname = "box".to_owned()), "box\n");
    assert_eq!(output("cat /etc/hostname", &|settings| settings.hostname = "box".to_owned()), "box\n");
    assert_eq!(
        output("cat /proc/sys/net/core/somaxconn", &|settings| {
            settings.sysctls.insert("net.core.somaxconn".to_owned(), "77".to_owned());
        }),
        "77\n"
    );
    let first = output("cat /proc/1/cmdline", &|settings| settings.init = Some(true));
    assert!(!first.starts_with("/bin/sh"), "{first}");
    let devices = output("ls /dev", &|settings| {
        settings.devices = vec![engine::containers::DeviceMapping {
            host_path: "/dev/null".to_owned(),
            container_path: "/dev/nothing".to_owned(),
            permissions: "r".to_owned(),
        }];
    });
    assert!(devices.contains("nothing\n") && devices.contains("urandom\n"), "{devices}");
}
