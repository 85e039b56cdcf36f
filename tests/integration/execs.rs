//! Execs: what a kill at any moment leaves, and what is kept of many.

use crate::harness::{Host, IMAGE};

#[test]
fn an_exec_whose_command_is_killed_anywhere_leaves_the_container_alone() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    for point in ["exec.before-prepared", "exec.prepared", "exec.claimed", "exec.started"] {
        host.berth_crashing(point, ["exec", "c1", "echo", "lost"]).code(-9);
        assert_eq!(host.inspect("c1", "{{.State.Status}}"), "running", "{point}");
        assert_eq!(host.berth(["exec", "c1", "echo", "fine"]).ok().out(), "fine", "{point}");
    }
}

#[test]
fn a_supervisor_that_is_killed_by_an_exec_is_mended() {
    for point in ["exec.begun", "exec.executed", "exec.recorded", "exec.reaped"] {
        let host = Host::with_image();
        host.berth_crashing(point, ["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
        assert_ne!(host.berth(["exec", "c1", "true"]).code, 0, "{point}");
        host.wait_for("c1", "{{.State.Status}}", "dead");
        host.berth(["start", "c1"]).ok();
        assert_eq!(host.inspect("c1", "{{.State.Status}}"), "running", "{point}");
        assert_eq!(host.berth(["exec", "c1", "echo", "fine"]).ok().out(), "fine", "{point}");
    }
}

#[test]
fn records_of_many_execs_are_bounded() {
    let host = Host::with_image();
    let id = host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok().out();
    let folder = host.root().join("containers").join(&id).join("execs");
    for _ in 0..120 {
        host.berth(["exec", "c1", "true"]).ok();
    }
    let names: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with(".json")).count(), 100);
    assert!(names.len() < 500, "{}", names.len());
}

#[test]
fn an_exec_that_leaves_writers_behind_holds_nobody_up() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    host.berth(["exec", "-d", "c1", "sh", "-c", "yes & yes & yes & exit 3"]).ok();
    assert_eq!(host.berth(["exec", "c1", "echo", "fine"]).ok().out(), "fine");
    host.berth(["kill", "c1"]).ok();
    host.wait_for("c1", "{{.State.Status}}", "exited");
}

#[test]
fn too_many_execs_are_refused_and_the_container_can_still_be_stopped() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    let refused = (0..400).find_map(|_| {
        let finished = host.berth(["exec", "-d", "c1", "sleep", "1000"]);
        (finished.code != 0).then_some(finished)
    });
    refused.unwrap().says("container c1 has too many execs and attached clients: end some of them first");
    host.berth(["stop", "-t", "0", "c1"]).ok();
    assert_eq!(host.berth(["start", "c1"]).ok().out(), "c1");
    assert_eq!(host.berth(["exec", "c1", "echo", "fine"]).ok().out(), "fine");
}

#[test]
fn a_container_that_stops_its_execs_cannot_stop_its_supervisor() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sh", "-c", "while :; do kill -STOP -1; done"]).ok();
    // One may come through before it is stopped; not twenty.
    let stopped = (0..20).map(|_| host.berth(["exec", "-d", "c1", "true"])).find(|finished| finished.code != 0);
    stopped.unwrap().code(1).says("its process hangs");
    let stopped = [(); 3].map(|()| host.spawn(["exec", "-d", "c1", "true"]));
    host.berth(["kill", "c1"]).ok();
    for exec in stopped {
        drop(exec.finish());
    }
    host.wait_for("c1", "{{.State.Status}}", "exited");
}
