//! What separates a container from its host: namespaces, capabilities, system calls, devices, masks.

use crate::harness::{Host, IMAGE, eventually};
use crate::kernel;

fn observe(host: &Host, flags: &[&str], script: &str) -> String {
    let mut arguments = vec!["run", "--rm"];
    arguments.extend(flags);
    arguments.extend([IMAGE, "sh", "-c", script]);
    host.berth(arguments).ok().out()
}

/// The capability mask that this process may hand on.
fn own_bounding_set() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

fn mask(text: &str) -> u64 {
    u64::from_str_radix(text.trim(), 16).unwrap()
}

#[test]
fn every_namespace_is_its_own() {
    let host = Host::with_image();
    let seen = observe(&host, &[], "for n in mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done");
    for line in seen.lines() {
        let name = line.split(':').next().unwrap();
        let own = std::fs::read_link(format!("/proc/thread-self/ns/{name}")).unwrap();
        assert_ne!(line, own.to_str().unwrap());
    }
    assert_eq!(seen.lines().count(), 6);
    assert_eq!(observe(&host, &[], "echo $$; cd /proc; echo [0-9]*"), "1\n1");
}

#[test]
fn namespaces_of_the_host_and_of_others() {
    let host = Host::with_image();
    let own = |name: &str| std::fs::read_link(format!("/proc/thread-self/ns/{name}")).unwrap().display().to_string();
    for (flags, name) in [
        (["--network", "host"], "net"),
        (["--pid", "host"], "pid"),
        (["--ipc", "host"], "ipc"),
        (["--uts", "host"], "uts"),
        (["--cgroupns", "host"], "cgroup"),
    ] {
        assert_eq!(observe(&host, &flags, &format!("readlink /proc/self/ns/{name}")), own(name), "{flags:?}");
    }
    host.berth(["run", "-d", "--name", "first", "--ipc", "shareable", IMAGE, "sleep", "1000"]).ok();
    for (flag, name) in
        [("--network=container:first", "net"), ("--pid=container:first", "pid"), ("--ipc=container:first", "ipc")]
    {
        let theirs = host.berth(["exec", "first", "readlink", &format!("/proc/self/ns/{name}")]).ok().out();
        assert_eq!(observe(&host, &[flag], &format!("readlink /proc/self/ns/{name}")), theirs, "{flag}");
    }
    host.berth(["run", "--rm", "--network=container:nobody", IMAGE, "true"]).code(125).says("nobody");
}

#[test]
fn loopback_is_up_with_and_without_a_network() {
    let host = Host::with_image();
    for (flags, devices) in [(&[][..], "eth0\nlo"), (&["--network", "none"], "lo")] {
        let seen = observe(&host, flags, "ls /sys/class/net; cat /sys/class/net/lo/operstate");
        assert_eq!(seen, format!("{devices}\nunknown"));
    }
    host.berth(["create", "--name", "c1", IMAGE, "true"]).ok();
    assert_eq!(host.inspect("c1", "{{.HostConfig.NetworkMode}}"), "default");
}

#[test]
fn capabilities_are_dockers_and_never_inheritable() {
    let host = Host::with_image();
    const DOCKER: u64 = 0x0000_0000_a804_25fb;
    let script = "grep Cap /proc/self/status | awk '{print $2}'";
    let seen: Vec<u64> = observe(&host, &[], script).lines().map(mask).collect();
    let expected = DOCKER & own_bounding_set();
    assert_eq!(seen, [0, expected, expected, expected, 0], "inheritable, permitted, effective, bounding, ambient");
    let seen: Vec<u64> = observe(&host, &["-u", "user"], script).lines().map(mask).collect();
    assert_eq!(seen, [0, 0, 0, expected, 0]);
    let seen: Vec<u64> =
        observe(&host, &["--cap-drop", "ALL", "--cap-add", "chown"], script).lines().map(mask).collect();
    assert_eq!(seen[3], 1);
    let seen: Vec<u64> =
        observe(&host, &["--cap-drop", "NET_RAW", "--cap-add", "CAP_SYS_PTRACE"], script).lines().map(mask).collect();
    assert_eq!(seen[3], (DOCKER & !(1 << 13) | 1 << 19) & own_bounding_set());
    let seen: Vec<u64> = observe(&host, &["--privileged"], script).lines().map(mask).collect();
    assert_eq!(seen[3], own_bounding_set());
    host.berth(["run", "--rm", "--cap-add", "NOTHING", IMAGE, "true"]).code(125).says("NOTHING");
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    let seen = host.berth(["exec", "c1", "sh", "-c", script]).ok().lines();
    assert_eq!((mask(&seen[0]), mask(&seen[3])), (0, expected));
}

#[test]
fn system_calls_are_filtered() {
    let host = Host::with_image();
    assert_eq!(observe(&host, &[], "grep Seccomp: /proc/self/status | awk '{print $2}'"), "2");
    assert_eq!(
        observe(&host, &["--security-opt", "seccomp=unconfined"], "grep Seccomp: /proc/self/status | awk '{print $2}'"),
        "0"
    );
    assert_eq!(observe(&host, &["--privileged"], "grep Seccomp: /proc/self/status | awk '{print $2}'"), "0");
    assert_eq!(observe(&host, &[], "unshare -U true 2>/dev/null || echo refused"), "refused");
    let profile = host.file("profile.json", r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}"#);
    let seen = observe(&host, &["--security-opt", &format!("seccomp={}", profile.display())], "mkdir /x 2>&1 || true");
    assert!(seen.contains("No space left"), "{seen}");
    let broken = host.file("broken.json", "{");
    host.berth(["run", "--rm", "--security-opt", &format!("seccomp={}", broken.display()), IMAGE, "true"]).code(125);
}

#[test]
fn no_new_privileges() {
    let host = Host::with_image();
    let script = "grep NoNewPrivs /proc/self/status | awk '{print $2}'";
    assert_eq!(observe(&host, &[], script), "0");
    assert_eq!(observe(&host, &["--security-opt", "no-new-privileges"], script), "1");
    host.berth(["run", "--rm", "--security-opt", "nonsense", IMAGE, "true"]).code(125).says("nonsense");
}

#[test]
fn labels_need_a_security_module() {
    let host = Host::with_image();
    for none in ["label=disable", "label:disable", "apparmor=unconfined"] {
        assert_eq!(observe(&host, &["--security-opt", none], "echo runs"), "runs");
    }
    // With the module, nobody has loaded this profile or knows this type.
    for (option, facility, lacks) in [
        (
            "apparmor=berth-test-absent",
            kernel::APPARMOR,
            "--security-opt apparmor=berth-test-absent: AppArmor is not enabled",
        ),
        (
            "label=type:berth_test_absent_t",
            kernel::SELINUX,
            "--security-opt label=type:berth_test_absent_t: SELinux is not enabled",
        ),
    ] {
        let says = if facility.is_there() { "berth" } else { lacks };
        host.berth(["run", "--name", "box", "--security-opt", option, IMAGE, "true"]).code(125).says(says);
        host.berth(["rm", "box"]).ok();
        host.berth(["run", "--rm", "--security-opt", option, IMAGE, "true"]).code(125);
    }
    assert!(host.containers().is_empty());
    let labelled_files = "label=filetype:berth_test_absent_t";
    host.berth(["run", "--rm", "--security-opt", labelled_files, IMAGE, "true"]).code(125).says("not supported");
    for wrong in ["label=type", "label=kind:x", "apparmor=", "label"] {
        host.berth(["run", "--rm", "--security-opt", wrong, IMAGE, "true"]).code(125).says(wrong);
    }
}

#[test]
fn masked_and_read_only_paths() {
    let host = Host::with_image();
    assert_eq!(observe(&host, &[], "cat /proc/kcore | wc -c; ls /sys/firmware | wc -l"), "0\n0");
    assert_eq!(observe(&host, &[], "echo x > /proc/sysrq-trigger || echo refused"), "refused");
    assert_eq!(
        observe(
            &host,
            &[],
            "(echo 1 > /proc/sys/vm/swappiness) 2>/dev/null || echo refused; (mkdir /sys/fs/cgroup/x) 2>/dev/null || echo refused"
        ),
        "refused\nrefused"
    );
    let open =
        observe(&host, &["--security-opt", "systempaths=unconfined"], "grep -c ' /proc/' /proc/self/mountinfo || true");
    assert_eq!(open, "0");
}

#[test]
fn devices() {
    let host = Host::with_image();
    let seen = observe(&host, &[], "ls /dev");
    for name in [
        "null", "zero", "full", "tty", "random", "urandom", "fd", "stdin", "stdout", "stderr", "pts", "ptmx", "shm",
        "mqueue",
    ] {
        assert!(seen.split_whitespace().any(|entry| entry == name), "{name} in {seen}");
    }
    assert_eq!(
        observe(
            &host,
            &["--cap-add", "SYSLOG"],
            "mknod /kmsg c 1 11; (head -c1 /kmsg > /dev/null) 2>/dev/null || echo refused"
        ),
        "refused"
    );
    assert_eq!(
        observe(
            &host,
            &["--cap-add", "SYSLOG", "--device", "/dev/kmsg:/dev/log0:r"],
            "dd if=/dev/log0 of=/dev/null bs=8k count=1 2>/dev/null && echo read; (echo x > /dev/log0) 2>&1 || true"
        ),
        "read\nsh: can't create /dev/log0: Operation not permitted"
    );
    assert_eq!(
        observe(
            &host,
            &["--cap-add", "SYSLOG", "--device-cgroup-rule", "c 1:11 r"],
            "mknod /kmsg c 1 11; dd if=/kmsg of=/dev/null bs=8k count=1 2>/dev/null && echo read"
        ),
        "read"
    );
    host.berth(["run", "--rm", "--device", "/dev/nothing", IMAGE, "true"]).code(125).says("/dev/nothing");
    assert_eq!(observe(&host, &["--privileged"], "[ -e /dev/kmsg ] && echo there"), "there");
}

#[test]
fn no_descriptor_of_the_engine_reaches_the_process() {
    let host = Host::with_image();
    assert_eq!(observe(&host, &[], "ls /proc/self/fd | tr '\\n' ' '"), "0 1 2 3 ");
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    assert_eq!(
        host.berth(["exec", "c1", "sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; ls /proc/1/fd | tr '\\n' ' '"])
            .ok()
            .out(),
        "0 1 2 3 0 1 2 "
    );
}

#[test]
fn no_mount_of_a_container_is_seen_on_the_host() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(host.root().to_str().unwrap()), "{mounts}");
}

#[test]
fn an_out_of_memory_kill_is_said() {
    let host = Host::with_image();
    let script = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x$x$x; done";
    host.berth(["run", "--name", "c1", "--memory", "16m", IMAGE, "sh", "-c", script]).code(137);
    assert_eq!(host.inspect("c1", "{{.State.OOMKilled}} {{.State.ExitCode}}"), "true 137");
    host.berth(["run", "--name", "d1", "--memory", "16m", IMAGE, "true"]).ok();
    assert_eq!(host.inspect("d1", "{{.State.OOMKilled}}"), "false");
}

#[test]
fn the_container_dies_with_its_supervisor() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    let pid = host.inspect("c1", "{{.State.Pid}}");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned();
    assert!(std::process::Command::new("kill").args(["-9", &parent]).status().unwrap().success());
    assert!(eventually(|| !std::path::Path::new(&format!("/proc/{pid}")).exists()));
    assert_eq!(host.inspect("c1", "{{.State.Status}}"), "dead");
    host.berth(["start", "c1"]).ok();
    host.wait_for("c1", "{{.State.Status}}", "running");
}
