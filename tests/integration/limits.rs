//! Resource limits, observed in the control group that the process is in.

use crate::harness::{Host, IMAGE};
use std::path::PathBuf;

/// The container's directory in the hierarchy of a v1 controller, or in the unified one.
fn directory(host: &Host, controller: &str) -> PathBuf {
    let pid = host.inspect("c1", "{{.State.Pid}}");
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    for line in groups.lines() {
        let parts: Vec<&str> = line.splitn(3, ':').collect();
        if parts[1].split(',').any(|name| name == controller) {
            return PathBuf::from(format!("/sys/fs/cgroup/{controller}{}", parts[2]));
        }
    }
    let unified = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
    PathBuf::from(format!("/sys/fs/cgroup{unified}"))
}

fn is_v2() -> bool {
    std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// Starts a container with `flags` and compares control files with what they should hold; `(controller, v1 file, v1 value, v2 file, v2 value)`.
fn check(flags: &[&str], expected: &[(&str, &str, &str, &str, &str)]) {
    let host = Host::with_image();
    let mut arguments = vec!["run", "-d", "--name", "c1"];
    arguments.extend(flags);
    arguments.extend([IMAGE, "sleep", "1000"]);
    host.berth(arguments).ok();
    holds(&host, flags, expected);
}

/// Compares control files of the container with what they should hold, after `flags`.
fn holds(host: &Host, flags: &[&str], expected: &[(&str, &str, &str, &str, &str)]) {
    for (controller, v1_file, v1_value, v2_file, v2_value) in expected {
        let (file, value) = if is_v2() { (v2_file, v2_value) } else { (v1_file, v1_value) };
        if file.is_empty() {
            continue;
        }
        let path = directory(host, controller).join(file);
        let content = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(content.trim(), *value, "{} with {flags:?}", path.display());
    }
}

#[test]
fn memory() {
    check(
        &["--memory", "64m"],
        &[
            ("memory", "memory.limit_in_bytes", "67108864", "memory.max", "67108864"),
            ("memory", "memory.memsw.limit_in_bytes", "134217728", "memory.swap.max", "67108864"),
        ],
    );
    check(
        &["-m", "64m", "--memory-swap", "96m", "--memory-reservation", "32m"],
        &[
            ("memory", "memory.memsw.limit_in_bytes", "100663296", "memory.swap.max", "33554432"),
            ("memory", "memory.soft_limit_in_bytes", "33554432", "memory.low", "33554432"),
        ],
    );
}

#[test]
fn limits_change_while_it_runs_and_stay_changed() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", "--memory", "64m", "--pids-limit", "50", IMAGE, "sleep", "1000"]).ok();
    let update = |flags: &[&str], expected: &[(&str, &str, &str, &str, &str)]| {
        assert_eq!(host.berth([&["update"], flags, &["c1"]].concat()).ok().out(), "c1");
        holds(&host, flags, expected);
    };
    // More than memory and swap were together, and then less again.
    update(
        &["--memory", "256m", "--memory-swap", "512m"],
        &[
            ("memory", "memory.limit_in_bytes", "268435456", "memory.max", "268435456"),
            ("memory", "memory.memsw.limit_in_bytes", "536870912", "memory.swap.max", "268435456"),
            ("pids", "pids.max", "50", "pids.max", "50"),
        ],
    );
    update(
        &["-m", "32m", "--memory-swap", "64m", "--cpus", "0.5", "--pids-limit", "60"],
        &[
            ("memory", "memory.limit_in_bytes", "33554432", "memory.max", "33554432"),
            ("memory", "memory.memsw.limit_in_bytes", "67108864", "memory.swap.max", "33554432"),
            ("cpu", "cpu.cfs_quota_us", "50000", "cpu.max", "50000 100000"),
            ("pids", "pids.max", "60", "pids.max", "60"),
        ],
    );
    host.berth(["update", "--memory", "1k", "c1"]).code(1);
    host.berth(["restart", "-t", "0", "c1"]).ok();
    holds(&host, &["restart"], &[("memory", "memory.limit_in_bytes", "33554432", "memory.max", "33554432")]);
    assert_eq!(
        host.inspect("c1", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}"),
        "33554432 500000000 60"
    );
    host.berth(["update", "--restart", "on-failure:3", "c1"]).ok();
    assert_eq!(
        host.inspect("c1", "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"),
        "on-failure 3"
    );
}

#[test]
fn processors() {
    check(&["--cpus", "0.5"], &[("cpu", "cpu.cfs_quota_us", "50000", "cpu.max", "50000 100000")]);
    check(
        &["--cpu-period", "50000", "--cpu-quota", "20000"],
        &[
            ("cpu", "cpu.cfs_quota_us", "20000", "cpu.max", "20000 50000"),
            ("cpu", "cpu.cfs_period_us", "50000", "", ""),
        ],
    );
    check(&["--cpu-shares", "512"], &[("cpu", "cpu.shares", "512", "", "")]);
    check(
        &["--cpuset-cpus", "0", "--cpuset-mems", "0"],
        &[("cpuset", "cpuset.cpus", "0", "cpuset.cpus", "0"), ("cpuset", "cpuset.mems", "0", "cpuset.mems", "0")],
    );
}

#[test]
fn processes() {
    check(&["--pids-limit", "42"], &[("pids", "pids.max", "42", "pids.max", "42")]);
    let host = Host::with_image();
    let seen = host.berth([
        "run",
        "--rm",
        "--pids-limit",
        "5",
        IMAGE,
        "sh",
        "-c",
        "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; true",
    ]);
    assert!(seen.stderr.contains("fork"), "{seen:?}");
}

#[test]
fn parent_of_the_group() {
    let host = Host::with_image();
    let parent = format!("/berth-test-parent-{}", std::process::id());
    host.berth(["run", "-d", "--name", "c1", "--cgroup-parent", &parent, IMAGE, "sleep", "1000"]).ok();
    assert!(directory(&host, "memory").display().to_string().contains(&parent));
    host.berth(["rm", "-f", "c1"]).ok();
    assert!(crate::harness::control_groups_named(&parent[1..]).is_empty());
}

#[test]
fn limits_that_contradict_themselves_are_refused() {
    let host = Host::with_image();
    for flags in [
        ["--memory", "1k"],
        ["--memory", "x"],
        ["--cpus", "-1"],
        ["--cpus", "1000"],
        ["--cpuset-cpus", "99999"],
        ["--cpuset-cpus", "x"],
        ["--memory-swap", "64m"],
        ["--pids-limit", "x"],
        ["--shm-size", "-1"],
    ] {
        host.berth(["run", "--rm", flags[0], flags[1], IMAGE, "true"]).code(125);
    }
    host.berth(["run", "--rm", "--memory", "64m", "--memory-swap", "32m", IMAGE, "true"]).code(125);
    host.berth(["run", "--rm", "--cpus", "1", "--cpu-quota", "1000", IMAGE, "true"]).code(125);
    assert!(host.containers().is_empty());
}
