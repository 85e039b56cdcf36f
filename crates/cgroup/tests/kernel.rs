//! Groups of our own on this machine's kernel; as root.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what they expect by panicking")]

use cgroup::{DeviceRule, Group, Host, MOUNT_ROOT, Mode, Resources};
use rustix::process::{Pid, Signal};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

fn host() -> Host {
    Host::detect(Path::new(MOUNT_ROOT)).unwrap()
}

fn parent(name: &str) -> String {
    format!("/berth-test-{name}-{}", std::process::id())
}

/// Removes its group with all that is in it.
struct Scratch(Group);

impl Drop for Scratch {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.remove().unwrap();
        let parent = self.0.path().split('/').nth(1).unwrap();
        for hierarchy in host().hierarchies() {
            assert!(!hierarchy.mount_point().join(parent).exists(), "{} in {}", parent, hierarchy.name());
        }
    }
}

fn scratch(name: &str, resources: &Resources) -> Scratch {
    Scratch(Group::create(&host(), &format!("{}/container", parent(name)), resources).unwrap())
}

fn shell(group: &Group, script: &str) -> Child {
    let mut child = Command::new("/bin/sh")
        .args(["-c", &format!("read start; {script}")])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    for place in group.places() {
        let directory = place.hierarchy.mount_point().join(&group.path()[1..]);
        std::fs::write(directory.join("cgroup.procs"), child.id().to_string()).unwrap();
    }
    drop(child.stdin.take());
    child
}

fn is_frozen(group: &Group) -> bool {
    match host().unified() {
        Some(_) => read(group, "", "cgroup.events").contains("frozen 1"),
        None => read(group, "freezer", "freezer.state") == "FROZEN",
    }
}

fn read(group: &Group, controller: &str, file: &str) -> String {
    let place = group.places().find(|place| {
        place.hierarchy.is_unified() && controller.is_empty()
            || place.hierarchy.controllers().iter().any(|own| own == controller)
    });
    let path = place.unwrap().hierarchy.mount_point().join(&group.path()[1..]).join(file);
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

#[test]
fn limits_are_written_and_changed() {
    let resources = Resources {
        memory: Some(64 << 20),
        memory_swap: Some(96 << 20),
        memory_reservation: Some(32 << 20),
        cpu_shares: Some(512),
        cpu_quota: Some(50_000),
        cpu_period: Some(100_000),
        pids: Some(20),
        ..Resources::default()
    };
    let mut group = scratch("limits", &resources);
    if host().mode() == Mode::V2 {
        assert_eq!(read(&group.0, "", "memory.max"), (64 << 20).to_string());
        assert_eq!(read(&group.0, "", "memory.swap.max"), (32 << 20).to_string());
        return;
    }
    let expected = [
        ("memory", "memory.limit_in_bytes", 64 << 20),
        ("memory", "memory.memsw.limit_in_bytes", 96 << 20),
        ("memory", "memory.soft_limit_in_bytes", 32 << 20),
        ("cpu", "cpu.shares", 512),
        ("cpu", "cpu.cfs_quota_us", 50_000),
        ("cpu", "cpu.cfs_period_us", 100_000),
        ("pids", "pids.max", 20),
    ];
    for (controller, file, value) in expected {
        assert_eq!(read(&group.0, controller, file), value.to_string(), "{file}");
    }
    // Up beyond the present bound of both, down again, and away; processors only now.
    for (memory, swap) in [(256 << 20, 512 << 20), (16 << 20, 32 << 20), (-1, -1)] {
        let resources = Resources { memory: Some(memory), memory_swap: Some(swap), ..Resources::default() };
        group.0.update(&resources).unwrap();
    }
    let too_much = Resources { memory: Some(64 << 20), memory_swap: Some(64 << 20), ..Resources::default() };
    group.0.update(&too_much).unwrap();
    let alone = Resources { memory: Some(128 << 20), ..Resources::default() };
    let error = group.0.update(&alone).unwrap_err();
    assert!(error.to_string().contains("update the memoryswap at the same time"), "{error}");
    let mut child = shell(&group.0, "exec sleep 60");
    group.0.update(&Resources { cpuset_cpus: "0".to_owned(), ..Resources::default() }).unwrap();
    assert_eq!(read(&group.0, "cpuset", "cpuset.cpus"), "0");
    assert_eq!(read(&group.0, "cpuset", "cgroup.procs"), child.id().to_string());
    group.0.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn processes_freeze_thaw_and_die_together() {
    let group = scratch("freeze", &Resources::default());
    let mut child = shell(&group.0, "sleep 60 & sleep 61 & wait");
    let deadline = Instant::now() + Duration::from_secs(5);
    while group.0.processes().unwrap().len() < 3 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(group.0.processes().unwrap().len(), 3);
    assert!(!is_frozen(&group.0));
    group.0.freeze().unwrap();
    assert!(is_frozen(&group.0));
    group.0.thaw().unwrap();
    assert!(!is_frozen(&group.0));
    group.0.freeze().unwrap();
    group.0.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    group.0.remove().unwrap();
    assert!(Group::open(&host(), group.0.path()).is_err());
}

#[test]
fn a_process_that_uses_too_much_memory_is_counted() {
    let resources = Resources { memory: Some(16 << 20), memory_swap: Some(16 << 20), ..Resources::default() };
    let group = scratch("memory", &resources);
    let mut child = shell(&group.0, "exec tail /dev/zero");
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert_eq!(group.0.oom_kills().unwrap(), 1);
}

#[test]
fn the_limit_of_processes_holds() {
    let group = scratch("pids", &Resources { pids: Some(3), ..Resources::default() });
    let mut child = shell(&group.0, "sleep 9 & sleep 9 & sleep 9 & wait");
    std::thread::sleep(Duration::from_millis(300));
    assert!(group.0.processes().unwrap().len() <= 3);
    group.0.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn devices_are_guarded() {
    let rule = |text| DeviceRule::parse(text).unwrap()[0];
    let devices = vec![DeviceRule::DENY_ALL, rule("c 1:3 rwm"), rule("c 1:5 r")];
    let script =
        "(true >/dev/null && true </dev/null && true </dev/zero && ! true >/dev/zero && ! true </dev/full) 2>/dev/null";
    // A hybrid machine's v2 hierarchy, taken by itself, guards devices as pure v2 does.
    let unified = host().unified().map(|hierarchy| hierarchy.mount_point().to_owned());
    for (name, root) in [("devices", Some(MOUNT_ROOT.into())), ("program", unified)] {
        let Some(root) = root else { continue };
        let host = Host::detect(&root).unwrap();
        let resources = Resources { devices: devices.clone(), ..Resources::default() };
        let mut group = Scratch(Group::create(&host, &format!("{}/container", parent(name)), &resources).unwrap());
        assert!(shell(&group.0, script).wait().unwrap().success(), "{name}");
        // What is denied last overrules, and rules replace those from before.
        let denied = DeviceRule { allow: false, ..rule("c 1:3 w") };
        let devices = vec![DeviceRule::DENY_ALL, rule("c 1:5 rw"), rule("c 1:3 rw"), denied];
        group.0.update(&Resources { devices, ..Resources::default() }).unwrap();
        let script = "true >/dev/zero && true </dev/null && ! true >/dev/null";
        assert!(shell(&group.0, &format!("({script}) 2>/dev/zero")).wait().unwrap().success(), "{name}");
    }
}

#[test]
fn groups_made_below_go_as_well_and_foreign_parents_stay() {
    let host = host();
    let outer = scratch("outer", &Resources::default());
    for place in outer.0.places() {
        let inner = place.hierarchy.mount_point().join(&outer.0.path()[1..]).join("a/b");
        std::fs::create_dir_all(inner).unwrap();
    }
    outer.0.remove().unwrap();
    // As deep as a container likes, under any name.
    let outer = scratch("deep", &Resources::default());
    let name = std::ffi::OsStr::from_bytes(b"g-\xff");
    for place in outer.0.places() {
        let mut inner = place.hierarchy.mount_point().join(&outer.0.path()[1..]);
        (0..100).for_each(|_| inner.push(name));
        std::fs::create_dir_all(&inner).unwrap();
    }
    let first = outer.0.places().next().unwrap().hierarchy.mount_point().join(&outer.0.path()[1..]);
    let mut child = shell(&outer.0, "exec sleep 1000");
    let deepest = (0..100).fold(first, |path, _| path.join(name));
    std::fs::write(deepest.join("cgroup.procs"), child.id().to_string()).unwrap();
    assert_eq!(outer.0.processes().unwrap(), [i32::try_from(child.id()).unwrap()]);
    outer.0.kill().unwrap();
    child.wait().unwrap();
    outer.0.remove().unwrap();
    let parent = parent("foreign");
    for hierarchy in host.hierarchies() {
        std::fs::create_dir(hierarchy.mount_point().join(&parent[1..])).unwrap();
    }
    Group::create(&host, &format!("{parent}/x"), &Resources::default()).unwrap().remove().unwrap();
    for hierarchy in host.hierarchies() {
        std::fs::remove_dir(hierarchy.mount_point().join(&parent[1..])).unwrap();
    }
}

#[test]
fn a_used_group_is_refused_and_reported() {
    let group = scratch("used", &Resources::default());
    let mut child = shell(&group.0, "exec sleep 60");
    let error = Group::create(&host(), group.0.path(), &Resources::default()).unwrap_err();
    assert_eq!(error.kind(), base::Kind::Conflict, "{error}");
    rustix::process::kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::KILL).unwrap();
    child.wait().unwrap();
}

#[test]
fn many_groups_come_and_go_at_once() {
    let host = host();
    let parent = parent("many");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (host, parent) = (&host, &parent);
            scope.spawn(move || {
                for _ in 0..25 {
                    let group = Group::create(host, &format!("{parent}/{thread}"), &Resources::default()).unwrap();
                    group.remove().unwrap();
                }
            });
        }
    });
    for hierarchy in host.hierarchies() {
        assert!(!hierarchy.mount_point().join(&parent[1..]).exists());
    }
}
