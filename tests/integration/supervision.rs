//! What goes on when nobody looks: restart policies, crash recovery, immediate stop where it is certain.

use crate::harness::{Background, Host, IMAGE, eventually, finish};
use std::time::{Duration, Instant};

#[test]
fn detached_containers_outlive_the_command() {
    let host = Host::with_image();
    let id = host.berth(["run", "-d", "--name", "c1", IMAGE, "sh", "-c", "echo hello; sleep 1000"]).ok().out();
    assert_eq!(id.len(), 64);
    assert_eq!(host.inspect("c1", "{{.State.Running}}"), "true");
    assert!(eventually(|| host.berth(["logs", "c1"]).ok().stdout == "hello\n"));
}

#[test]
fn automatic_removal_happens_without_anybody_waiting() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--rm", "-v", "/anonymous", IMAGE, "sleep", "0.2"]).ok();
    assert!(eventually(|| host.containers().is_empty()));
    assert!(eventually(|| host.berth(["volume", "ls", "-q"]).ok().stdout.is_empty()));
}

/// Its end waits for nobody's writes: the kernel syncs no overlay that is mounted so.
#[test]
fn what_goes_with_its_exit_is_never_synced() {
    let host = Host::with_image();
    let is_volatile = |name: &str| {
        let path = format!("/proc/{}/mountinfo", host.inspect(name, "{{.State.Pid}}"));
        let mounts = std::fs::read_to_string(path).unwrap();
        mounts.lines().find(|line| line.contains(" / / ")).unwrap().contains("volatile")
    };
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    assert!(!is_volatile("c1"));
    host.berth(["run", "-d", "--rm", "--name", "d1", IMAGE, "sleep", "1000"]).ok();
    assert!(is_volatile("d1"));
    host.berth(["exec", "d1", "touch", "/written"]).ok();
    host.berth(["restart", "-t", "1", "d1"]).ok();
    assert!(is_volatile("d1"));
    host.berth(["exec", "d1", "test", "-e", "/written"]).ok();
}

#[test]
fn what_was_never_synced_does_not_outlive_its_boot() {
    let host = Host::with_image();
    for boot in ["this", "another"] {
        let id = host.berth(["run", "-d", "--rm", "--name", "c1", IMAGE, "sleep", "1000"]).ok().out();
        kill(&supervisor_of(&host, "c1"));
        host.wait_for("c1", "{{.State.Status}}", "dead");
        let path = host.root().join("containers").join(&id).join("sandbox.json");
        let mut sandbox: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if boot == "another" {
            sandbox["boot"] = boot.into();
            std::fs::write(&path, sandbox.to_string()).unwrap();
            host.berth(["start", "c1"]).code(1).says("ended with the machine");
            assert!(host.containers().is_empty());
        } else {
            host.berth(["start", "c1"]).ok();
            host.berth(["rm", "-f", "c1"]).ok();
        }
    }
}

#[test]
fn on_failure_counts_and_gives_up() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", "--restart", "on-failure:2", IMAGE, "sh", "-c", "echo again; exit 3"])
        .ok();
    host.wait_for("c1", "{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}", "exited 2 3");
    assert_eq!(host.berth(["logs", "c1"]).ok().stdout, "again\nagain\nagain\n");
    host.berth(["run", "-d", "--name", "d1", "--restart", "on-failure", IMAGE, "true"]).ok();
    host.wait_for("d1", "{{.State.Status}} {{.RestartCount}}", "exited 0");
}

#[test]
fn always_comes_back_until_it_is_stopped() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", "--restart", "always", IMAGE, "sh", "-c", "sleep 0.1"]).ok();
    assert!(eventually(|| host.inspect("c1", "{{.RestartCount}}").parse::<u32>().unwrap() >= 2));
    host.berth(["stop", "c1"]).ok();
    assert_eq!(host.inspect("c1", "{{.State.Status}}"), "exited");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(host.inspect("c1", "{{.State.Status}}"), "exited");
}

#[test]
fn a_restart_keeps_the_files_and_takes_a_new_process() {
    let host = Host::with_image();
    host.berth([
        "run",
        "-d",
        "--name",
        "c1",
        "--restart",
        "unless-stopped",
        IMAGE,
        "sh",
        "-c",
        "echo $$ >> /count; sleep 1000",
    ])
    .ok();
    let first = host.inspect("c1", "{{.State.Pid}}");
    assert!(std::process::Command::new("kill").args(["-9", &first]).status().unwrap().success());
    assert!(eventually(
        || host.inspect("c1", "{{.State.Status}}") == "running" && host.inspect("c1", "{{.State.Pid}}") != first
    ));
    assert!(eventually(|| host.berth(["exec", "c1", "cat", "/count"]).stdout == "1\n1\n"));
}

#[test]
fn policies_that_cannot_be_are_refused() {
    let host = Host::with_image();
    for policy in ["sometimes", "always:3", "on-failure:x", "on-failure:-1"] {
        host.berth(["run", "-d", "--restart", policy, IMAGE, "true"]).code(125);
    }
    host.berth(["run", "-d", "--rm", "--restart", "always", IMAGE, "true"]).code(125).says("--rm");
}

fn supervisor_of(host: &Host, container: &str) -> String {
    parent_of(&host.inspect(container, "{{.State.Pid}}"))
}

fn parent_of(pid: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned()
}

fn kill(pid: &str) {
    assert!(std::process::Command::new("kill").args(["-9", pid]).status().unwrap().success());
}

#[test]
fn a_killed_supervisor_costs_no_restart_policy() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", "--restart", "always", IMAGE, "sleep", "1000"]).ok();
    let first = host.inspect("c1", "{{.State.Pid}}");
    kill(&supervisor_of(&host, "c1"));
    assert!(eventually(
        || host.inspect("c1", "{{.State.Status}}") == "running" && host.inspect("c1", "{{.State.Pid}}") != first
    ));
}

#[test]
fn a_named_configuration_outlives_its_command() {
    let host = Host::with_image();
    let file = host.file("engine.json", r#"{"no-new-privileges": true}"#);
    let script = "grep NoNewPrivs /proc/self/status; exec sleep 1000";
    let mut command = host.command();
    command.current_dir(file.parent().unwrap()).args(["--config-file", "engine.json"]);
    command.args(["run", "-d", "--name", "c1", "--restart", "always", IMAGE, "sh", "-c", script]);
    finish(command, b"").ok();
    assert_eq!(host.berth(["logs", "c1"]).ok().lines(), ["NoNewPrivs:\t1"]);
    // Once from the supervisor of the command, once from that of a helper.
    for starts in [2, 3] {
        kill(&supervisor_of(&host, "c1"));
        assert!(eventually(|| host.berth(["logs", "c1"]).ok().lines().len() == starts));
    }
    assert_eq!(host.berth(["logs", "c1"]).ok().lines(), ["NoNewPrivs:\t1"; 3]);
}

#[test]
fn a_policy_that_comes_by_update_outlives_the_supervisor() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    let first = host.inspect("c1", "{{.State.Pid}}");
    host.berth(["update", "--restart", "always", "c1"]).ok();
    kill(&supervisor_of(&host, "c1"));
    assert!(eventually(
        || host.inspect("c1", "{{.State.Status}}") == "running" && host.inspect("c1", "{{.State.Pid}}") != first
    ));
}

#[test]
fn a_killed_keeper_harms_nothing() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", "--restart", "always", IMAGE, "sleep", "1000"]).ok();
    let supervisor = supervisor_of(&host, "c1");
    let keeper = parent_of(&supervisor);
    assert_ne!(keeper, "1");
    kill(&keeper);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(host.inspect("c1", "{{.State.Status}}"), "running");
    assert_eq!(host.berth(["exec", "c1", "echo", "fine"]).ok().out(), "fine");
}

#[test]
fn reading_commands_tell_a_broken_container_and_mend_nothing() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    kill(&supervisor_of(&host, "c1"));
    assert!(eventually(|| host.inspect("c1", "{{.State.Status}}") == "dead"));
    assert!(host.berth(["ps", "-a"]).ok().stdout.contains("Dead"));
    assert_eq!(host.inspect("c1", "{{.State.Status}}"), "dead");
    host.berth(["stop", "c1"]).ok();
    assert_eq!(host.inspect("c1", "{{.State.Status}} {{.State.ExitCode}}"), "exited 137");
    host.berth(["rm", "c1"]).ok();
}

/// How long `stop` takes, with this timeout in seconds.
fn stop_seconds(host: &Host, container: &str, timeout: &str) -> f64 {
    let started = Instant::now();
    host.berth(["stop", "-t", timeout, container]).ok();
    started.elapsed().as_secs_f64()
}

#[test]
fn a_young_process_gets_its_whole_timeout() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    assert!(stop_seconds(&host, "c1", "3") >= 3.0, "it may be about to install a handler");
}

#[test]
fn stop_is_immediate_where_it_is_certain() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "plain", IMAGE, "sleep", "1000"]).ok();
    host.berth(["run", "-d", "--name", "two", IMAGE, "sh", "-c", "sleep 999 & exec sleep 1000"]).ok();
    host.berth(["run", "-d", "--name", "init", "--init", IMAGE, "sleep", "1000"]).ok();
    std::thread::sleep(Duration::from_millis(10_500));
    let at_once = |name: &str| {
        let only = [format!("container={name}"), "event=stop".to_owned()];
        let format = "{{.Actor.Attributes.immediate}}";
        let arguments = ["events", "--since", "1h", "--until", "0s", "--format", format, "--filter", &only[0]];
        host.berth(arguments.iter().copied().chain(["--filter", only[1].as_str()])).ok().out()
    };
    // Nobody waits so long.
    stop_seconds(&host, "plain", "3600");
    assert_eq!(at_once("plain"), "true");
    assert!(stop_seconds(&host, "two", "3") >= 3.0, "it is not alone");
    assert_ne!(at_once("two"), "true");
    // The init passes the signal on.
    stop_seconds(&host, "init", "3600");
    assert_eq!(host.inspect("init", "{{.State.ExitCode}}"), "143");
}

/// A program that blocks `SIGTERM` and gets it from a descriptor, or where it has an argument as `tini` does: by waiting for it, which does not show that it
/// is blocked. It needs a while to end, with 44.
const READER: &str = r#"
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>
int main(int count, char **arguments) {
    sigset_t set;
    struct signalfd_siginfo information;
    (void)arguments;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, 0);
    if (count > 1) {
        if (sigwaitinfo(&set, 0) != SIGTERM) return 1;
    } else {
        if (read(signalfd(-1, &set, 0), &information, sizeof information) != sizeof information) return 1;
    }
    usleep(300000);
    return 44;
}
"#;

#[test]
fn stop_waits_for_what_may_read_its_signals() {
    let host = Host::with_image();
    let source = host.file("reader.c", READER);
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-static", "-o"]).arg(host.path("reader")).arg(source);
    assert!(compiler.status().unwrap().success());
    let reader = format!("{}:/reader:ro", host.path("reader").display());
    let child = "trap 'sleep 0.3; exit 43' TERM; while :; do sleep 0.05; done";
    host.berth(["run", "-d", "--name", "signalfd", "-v", &reader, IMAGE, "/reader"]).ok();
    host.berth(["run", "-d", "--name", "waiting", "-v", &reader, IMAGE, "/reader", "wait"]).ok();
    let tini = "/usr/bin/tini-static:/tini:ro";
    host.berth(["run", "-d", "--name", "tini", "-v", tini, IMAGE, "/tini", "--", "sh", "-c", child]).ok();
    // From now on a process that cannot notice its signal is killed at once.
    std::thread::sleep(Duration::from_millis(10_500));
    let names = ["signalfd", "waiting", "tini"];
    host.berth(["stop", "-t", "60"].iter().chain(&names)).ok();
    let codes = names.map(|name| host.inspect(name, "{{.State.ExitCode}}"));
    assert_eq!(codes, ["44", "44", "43"]);
}

#[test]
fn the_daemon_is_not_needed_and_its_end_harms_nothing() {
    let host = Host::with_image();
    let socket = host.path("berth.sock");
    let address = format!("unix://{}", socket.display());
    let daemon: Background = host.spawn(["daemon", "-H", &address]);
    assert!(eventually(|| socket.exists()));
    let remote = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(["--host", &address]).args(arguments);
        crate::harness::finish(command, b"")
    };
    remote(&["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    assert_eq!(remote(&["exec", "c1", "echo", "hi"]).ok().out(), "hi");
    assert_eq!(remote(&["ps", "-q"]).ok().out(), host.berth(["ps", "-q"]).ok().out());
    daemon.signal("TERM");
    daemon.finish().code(0);
    assert!(!socket.exists());
    assert_eq!(host.inspect("c1", "{{.State.Status}}"), "running");
}

#[test]
fn boot_starts_what_should_run_and_shutdown_stops_with_the_containers_own_signals() {
    let host = Host::with_image();
    let script = "trap 'exit 9' TERM; trap 'exit 10' USR1; echo ready; while :; do sleep 0.05; done";
    let containers =
        [("always", "no"), ("unless-stopped", "no"), ("always", "yes"), ("unless-stopped", "yes"), ("no", "no")];
    let name = |(policy, stopped): (&str, &str)| format!("{policy}-{stopped}");
    for container in containers {
        let run = ["run", "-d", "--name", &name(container), "--restart", container.0, "--stop-signal", "USR1"];
        host.berth(run.iter().chain(&[IMAGE, "sh", "-c", script])).ok();
        assert!(eventually(|| host.berth(["logs", &name(container)]).stdout == "ready\n"));
        if container.1 == "yes" {
            host.berth(["kill", &name(container)]).ok();
            host.wait_for(&name(container), "{{.State.Status}}", "exited");
        }
    }
    let states = || containers.map(|container| host.inspect(&name(container), "{{.State.Status}} {{.State.ExitCode}}"));
    host.berth(["system", "shutdown"]).ok();
    assert_eq!(states(), ["exited 10", "exited 10", "exited 137", "exited 137", "exited 10"]);
    host.berth(["system", "boot"]).ok();
    assert_eq!(states(), ["running 0", "running 0", "running 0", "exited 137", "exited 10"]);
    // And after an end without a shutdown, which leaves everything broken.
    for container in [containers[0], containers[1], containers[2]] {
        let supervisor = supervisor_of(&host, &name(container));
        let keeper = parent_of(&supervisor);
        kill(&keeper);
        kill(&supervisor);
    }
    host.berth(["run", "-d", "--name", "plain", IMAGE, "sleep", "1000"]).ok();
    kill(&supervisor_of(&host, "plain"));
    host.wait_for("plain", "{{.State.Status}}", "dead");
    host.wait_for("always-no", "{{.State.Status}}", "dead");
    host.berth(["system", "boot"]).ok();
    assert_eq!(states(), ["running 0", "running 0", "running 0", "exited 137", "exited 10"]);
    assert_eq!(host.inspect("plain", "{{.State.Status}} {{.State.ExitCode}}"), "exited 137");
}

#[test]
fn a_restart_waits_twice_as_long_as_the_one_before() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", "--restart", "on-failure:4", IMAGE, "sh", "-c", "echo again; exit 1"])
        .ok();
    host.wait_for("c1", "{{.State.Status}} {{.RestartCount}}", "exited 4");
    let stamped = host.berth(["logs", "-t", "c1"]).ok().lines();
    let milliseconds = |line: &String| {
        let time: Vec<f64> = line[11..29].split(':').map(|part| part.parse().unwrap()).collect();
        ((time[0] * 60.0 + time[1]) * 60.0 + time[2]) * 1000.0
    };
    let times: Vec<f64> = stamped.iter().map(milliseconds).collect();
    for (pair, least) in times.windows(2).zip([100.0, 200.0, 400.0, 800.0]) {
        // Midnight may lie between.
        let waited = (pair[1] - pair[0]).rem_euclid(86_400_000.0);
        assert!(waited >= least, "{waited} ms of {least}: {stamped:?}");
    }
}
