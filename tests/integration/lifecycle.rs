//! Containers from create to rm, and what the commands between them say.

use crate::harness::{Host, IMAGE, eventually};

#[test]
fn create_start_wait_remove() {
    let host = Host::with_image();
    let id = host.berth(["create", "--name", "c1", IMAGE, "sh", "-c", "sleep 0.2; exit 3"]).ok().out();
    assert_eq!(id.len(), 64);
    assert_eq!(host.inspect("c1", "{{.State.Status}}"), "created");
    assert_eq!(host.berth(["start", "c1"]).ok().out(), "c1");
    assert_eq!(host.berth(["wait", "c1"]).ok().out(), "3");
    assert_eq!(
        host.inspect("c1", "{{.State.Status}} {{.State.ExitCode}} {{.State.Running}} {{.State.Pid}}"),
        "exited 3 false 0"
    );
    assert_eq!(host.berth(["rm", "c1"]).ok().out(), "c1");
    host.berth(["inspect", "--type", "container", "c1"]).code(1).says("No such container: c1");
}

#[test]
fn ids_prefixes_and_names_find_a_container() {
    let host = Host::with_image();
    let id = host.berth(["create", "--name", "web", IMAGE, "true"]).ok().out();
    for handle in [id.as_str(), &id[..12], &id[..5], "web", "/web"] {
        assert_eq!(host.inspect(handle, "{{.Id}}"), id, "{handle}");
    }
    host.berth(["start", "nobody"]).code(1).says("No such container: nobody");
    let many: Vec<String> = (0..18).map(|_| host.berth(["create", IMAGE, "true"]).ok().out()).collect();
    let first = many.iter().find(|one| many.iter().any(|two| one != &two && one[..1] == two[..1])).unwrap();
    host.berth(["inspect", &first[..1]]).code(1);
}

#[test]
fn a_running_container_is_not_removed_without_force() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    host.berth(["rm", "c1"]).code(1).says("running");
    assert_eq!(host.berth(["rm", "-f", "c1"]).ok().out(), "c1");
    assert!(host.containers().is_empty());
    host.berth(["rm", "c1"]).code(1).says("No such container: c");
    host.berth(["rm", "-f", "c1"]).says("No such container: c");
}

#[test]
fn stop_sends_the_signal_and_kill_ends() {
    let host = Host::with_image();
    let trap = "trap 'exit 5' TERM; trap 'exit 6' USR1; echo ready; while :; do sleep 0.05; done";
    // Before its handlers stand, process 1 notices no signal.
    let ready = |name: &str| assert!(eventually(|| host.berth(["logs", name]).stdout == "ready\n"));
    host.berth(["run", "-d", "--name", "a1", IMAGE, "sh", "-c", trap]).ok();
    ready("a1");
    assert_eq!(host.berth(["stop", "a1"]).ok().out(), "a1");
    assert_eq!(host.inspect("a1", "{{.State.ExitCode}}"), "5");
    host.berth(["run", "-d", "--name", "b1", "--stop-signal", "USR1", IMAGE, "sh", "-c", trap]).ok();
    ready("b1");
    host.berth(["stop", "b1"]).ok();
    assert_eq!(host.inspect("b1", "{{.State.ExitCode}}"), "6");
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sh", "-c", trap]).ok();
    ready("c1");
    host.berth(["kill", "-s", "USR1", "c1"]).ok();
    assert_eq!(host.berth(["wait", "c1"]).ok().out(), "6");
    host.berth(["run", "-d", "--name", "d1", IMAGE, "sh", "-c", trap]).ok();
    host.berth(["kill", "d1"]).ok();
    assert_eq!(host.berth(["wait", "d1"]).ok().out(), "137");
    host.berth(["kill", "d1"]).code(1).says("is not running");
    host.berth(["stop", "d1"]).ok();
    host.berth(["kill", "-s", "NONSENSE", "d1"]).code(1);
}

#[test]
fn a_process_that_ignores_its_signal_is_killed_after_the_timeout() {
    let host = Host::with_image();
    // The flag wins, or nobody would see the end of this.
    let script = "trap '' TERM; while :; do sleep 0.05; done";
    host.berth(["run", "-d", "--name", "c1", "--stop-timeout", "3600", IMAGE, "sh", "-c", script]).ok();
    let started = std::time::Instant::now();
    host.berth(["stop", "-t", "1", "c1"]).ok();
    assert!(started.elapsed().as_secs_f64() >= 1.0, "{:?}", started.elapsed());
    assert_eq!(host.inspect("c1", "{{.State.ExitCode}}"), "137");
}

#[test]
fn the_container_says_how_long_a_stop_waits() {
    let host = Host::with_image();
    let script = "trap '' TERM; while :; do sleep 0.05; done";
    host.berth(["run", "-d", "--name", "box", "--stop-timeout", "1", IMAGE, "sh", "-c", script]).ok();
    host.berth(["run", "-d", "--name", "other", IMAGE, "sh", "-c", script]).ok();
    let started = std::time::Instant::now();
    let others_stop = host.spawn(["stop", "other"]);
    host.berth(["stop", "box"]).ok();
    assert!(started.elapsed().as_secs_f64() >= 1.0, "{:?}", started.elapsed());
    assert_eq!(host.inspect("box", "{{.Config.StopTimeout}} {{.State.ExitCode}}"), "1 137");
    // One that says nothing has ten seconds.
    assert_eq!(host.inspect("other", "{{.State.Running}}"), "true");
    host.berth(["kill", "other"]).ok();
    others_stop.finish().ok();
}

#[test]
fn several_are_stopped_at_once_and_a_missing_one_hinders_no_other() {
    let host = Host::with_image();
    let script = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done";
    for name in ["one", "two", "three"] {
        host.berth(["run", "-d", "--name", name, IMAGE, "sh", "-c", script]).ok();
        assert!(eventually(|| host.berth(["logs", name]).stdout == "ready\n"));
    }
    let finished =
        host.berth(["stop", "-t", "2", "one", "nobody", "two", "three"]).code(1).says("No such container: nobody");
    assert_eq!(finished.stdout, "one\ntwo\nthree\n");
    // Whoever was asked last was asked before the first ended.
    let asked = host.berth(["logs", "-t", "--tail", "1", "three"]).ok().out();
    let ended = host.inspect("one", "{{.State.FinishedAt}}");
    assert!(asked.ends_with(" asked") && asked[..19] <= ended[..19], "{asked}, {ended}");
    let finished = host.berth(["rm", "one", "nobody", "two"]).code(1);
    assert_eq!(
        (finished.stdout.as_str(), finished.stderr.as_str()),
        ("one\ntwo\n", "berth: No such container: nobody\n")
    );
    assert_eq!(host.berth(["container", "prune", "-f"]).ok().stdout.lines().next(), Some("Deleted Containers:"));
    assert!(host.containers().is_empty());
}

#[test]
fn inspect_finds_whatever_has_the_name() {
    let host = Host::with_image();
    host.berth(["create", "--name", "box", IMAGE, "true"]).ok();
    host.berth(["volume", "create", "data"]).ok();
    let finished = host.berth(["inspect", "--format", "{{json .Id}}{{json .Name}}", "box"]).ok();
    assert!(finished.stdout.ends_with("\"/box\"\n"), "{}", finished.stdout);
    let finished = host.berth(["inspect", "box", "nobody", IMAGE, "data"]).code(1);
    assert_eq!(finished.stderr, "berth: No such object: nobody\n");
    let text = finished.stdout.as_str();
    assert!(
        text.starts_with("[\n    {\n")
            && text.contains("\"/box\"")
            && text.contains("RepoTags")
            && text.contains("Mountpoint"),
        "{text}"
    );
    assert_eq!(host.berth(["inspect", "nobody"]).code(1).stdout, "[]\n");
    host.berth(["inspect", "--type", "image", "box"]).code(1).says("No such image: box");
    host.berth(["inspect", "--type", "secret", "box"]).code(1).says("not supported: --type secret");
    host.berth(["inspect", "--type", "network", "box"]).code(1).says("No such network: box");
    assert!(host.berth(["inspect", "-s", "box"]).ok().stdout.contains("SizeRootFs"));
    host.berth(["volume", "rm", "data"]).ok();
}

#[test]
fn restart_pause_and_rename() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"])
        .ok();
    let first = host.inspect("c1", "{{.State.Pid}}");
    assert_eq!(host.berth(["restart", "c1"]).ok().out(), "c1");
    assert_ne!(host.inspect("c1", "{{.State.Pid}}"), first);
    let is_frozen = || {
        let pid = host.inspect("c1", "{{.State.Pid}}");
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let group = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
        // The hierarchy of version 2, alone or beside those of version 1.
        let mut places = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].iter();
        let events = places.find_map(|place| std::fs::read_to_string(format!("{place}{group}/cgroup.events")).ok());
        events.unwrap().contains("frozen 1")
    };
    assert!(!is_frozen());
    host.berth(["pause", "c1"]).ok();
    assert!(is_frozen());
    assert_eq!(host.inspect("c1", "{{.State.Status}} {{.State.Paused}}"), "paused true");
    host.berth(["pause", "c1"]).code(1).says("is already paused");
    host.berth(["exec", "c1", "true"]).code(1).says("paused");
    host.berth(["unpause", "c1"]).ok();
    assert!(!is_frozen());
    assert_eq!(host.inspect("c1", "{{.State.Status}}"), "running");
    host.berth(["unpause", "c1"]).code(1).says("is not paused");
    host.berth(["rename", "c1", "d1"]).ok();
    assert_eq!(host.inspect("d1", "{{.Name}}"), "/d1");
    host.berth(["inspect", "--type", "container", "c1"]).code(1);
    host.berth(["create", "--name", "other", IMAGE, "true"]).ok();
    host.berth(["rename", "other", "d1"]).code(1).says("already in use");
    host.berth(["pause", "d1"]).ok();
    host.berth(["rm", "-f", "d1"]).ok();
}

#[test]
fn a_paused_container_can_be_stopped() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.05; done"])
        .ok();
    host.berth(["pause", "c1"]).ok();
    host.berth(["stop", "-t", "5", "c1"]).ok();
    assert_eq!(host.inspect("c1", "{{.State.Status}} {{.State.ExitCode}}"), "exited 4");
}

#[test]
fn exec_runs_beside_and_reports_its_own_code() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", "-e", "A=1", "-u", "user", "-w", "/tmp", IMAGE, "sleep", "1000"]).ok();
    assert_eq!(host.berth(["exec", "c1", "sh", "-c", "id -u; pwd; echo $A"]).ok().out(), "1000\n/tmp\n1");
    assert_eq!(
        host.berth(["exec", "-u", "0", "-w", "/", "-e", "B=2", "c1", "sh", "-c", "id -u; pwd; echo $A$B"]).ok().out(),
        "0\n/\n12"
    );
    host.berth(["exec", "c1", "sh", "-c", "exit 9"]).code(9);
    host.berth(["exec", "c1", "no-such-command"]).code(127);
    host.berth(["exec", "c1", "/etc"]).code(126);
    assert_eq!(host.berth_with_input(["exec", "-i", "c1", "cat"], b"through").ok().stdout, "through");
    host.berth(["exec", "-d", "c1", "touch", "/tmp/made"]).ok();
    assert!(crate::harness::eventually(|| host.berth(["exec", "c1", "test", "-e", "/tmp/made"]).code == 0));
    host.berth(["kill", "c1"]).ok();
    host.berth(["wait", "c1"]).ok();
    host.berth(["exec", "c1", "true"]).code(1).says("is not running");
}

#[test]
fn ps_lists_filters_and_formats() {
    let host = Host::with_image();
    let up = host.berth(["run", "-d", "--name", "up", "-l", "tier=web", IMAGE, "sleep", "1000"]).ok().out();
    host.berth(["run", "--name", "down", IMAGE, "sh", "-c", "exit 3"]).code(3);
    host.berth(["create", "--name", "new", IMAGE, "true"]).ok();
    let names = |arguments: &[&str]| {
        let mut all = vec!["ps", "--format", "{{.Names}}"];
        all.extend(arguments);
        host.berth(all).ok().lines()
    };
    assert_eq!(names(&[]), ["up"]);
    assert_eq!(names(&["-a"]), ["new", "down", "up"]);
    assert_eq!(names(&["-n", "2"]), ["new", "down"]);
    assert_eq!(names(&["-l"]), ["new"]);
    for (filter, expected) in [
        ("status=exited", vec!["down"]),
        ("status=running", vec!["up"]),
        ("exited=3", vec!["down"]),
        ("name=^/?d", vec!["down"]),
        ("label=tier", vec!["up"]),
        ("label=tier=web", vec!["up"]),
        ("label=tier=db", vec![]),
        ("ancestor=busybox", vec!["new", "down", "up"]),
        ("before=down", vec!["up"]),
        ("since=down", vec!["new"]),
    ] {
        assert_eq!(names(&["-a", "--filter", filter]), expected, "{filter}");
    }
    assert_eq!(names(&["-a", "--filter", &format!("id={}", &up[..10])]), ["up"]);
    host.berth(["ps", "--filter", "nonsense=1"]).code(1).says("nonsense");
    let table = host.berth(["ps", "-a"]).ok().stdout;
    assert!(table.starts_with("CONTAINER ID   IMAGE"), "{table}");
    assert!(table.contains("Exited (3)") && table.contains("Up ") && table.contains("Created"), "{table}");
    assert_eq!(host.berth(["ps", "-q"]).ok().out(), up[..12]);
    assert_eq!(
        host.berth(["ps", "--format", "{{.ID}} {{.Image}} {{.Command}} {{.State}}"]).ok().out(),
        format!("{} busybox \"sleep 1000\" running", &up[..12])
    );
    assert!(host.berth(["ps", "--format", "json"]).ok().out().starts_with('{'));
    host.berth(["ps", "--format", "{{.Nonsense}}"]).code(1);
}

#[test]
fn wait_ends_when_the_container_does() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sh", "-c", "sleep 0.5; exit 8"]).ok();
    assert_eq!(host.berth(["wait", "c1"]).ok().out(), "8");
    assert_eq!(host.berth(["wait", "c1"]).ok().out(), "8");
    host.berth(["wait", "nobody"]).code(1);
}
