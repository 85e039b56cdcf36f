//! Namespaces: new, the host's, another container's; and processes that enter.

use crate::Case;
use crate::machine::{Machine, apart, end, exec, shell, wait_until};
use runtime::spec::{Namespace, Namespaces};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, kill_process, test_kill_process};
use std::collections::BTreeMap;
use std::io::{Read, Write};

pub const CASES: &[Case] = &[
    ("new_namespaces_differ_from_the_hosts", new_namespaces_differ_from_the_hosts),
    ("host_namespaces_are_the_hosts", host_namespaces_are_the_hosts),
    ("joined_namespaces_are_the_others", joined_namespaces_are_the_others),
    ("names_and_loopback_are_set", names_and_loopback_are_set),
    ("nothing_of_it_is_mounted_on_the_host", nothing_of_it_is_mounted_on_the_host),
    ("an_exec_enters_everything", an_exec_enters_everything),
    ("control_groups_are_its_own", control_groups_are_its_own),
    ("kernel_parameters_are_set_inside", kernel_parameters_are_set_inside),
    ("a_shared_pid_namespace_is_cleared_by_the_group", a_shared_pid_namespace_is_cleared_by_the_group),
    ("whoever_loses_its_parent_dies", whoever_loses_its_parent_dies),
    ("an_end_before_the_release_leaves_nothing", an_end_before_the_release_leaves_nothing),
];

const FILES: [&str; 6] = ["pid", "net", "ipc", "uts", "cgroup", "mnt"];
const SHOW: &str = "for n in pid net ipc uts cgroup mnt; do readlink /proc/self/ns/$n; done";

fn ours() -> Vec<String> {
    let link = |name: &&str| std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap().display().to_string();
    FILES.iter().map(link).collect()
}

fn seen(machine: &Machine) -> Vec<String> {
    machine.output().lines().map(str::to_owned).collect()
}

fn new_namespaces_differ_from_the_hosts() {
    let seen = seen(&Machine::new(SHOW));
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().zip(ours()).all(|(inside, outside)| *inside != outside), "{seen:?}");
}

fn host_namespaces_are_the_hosts() {
    let mut machine = Machine::new(SHOW);
    let host = Namespace::Host;
    machine.spec.namespaces = Namespaces { pid: host, network: host, ipc: host, uts: host, cgroup: host };
    let before = rustix::system::uname().nodename().to_owned();
    let (seen, ours) = (seen(&machine), ours());
    assert_eq!(seen[..5], ours[..5]);
    assert_ne!(seen[5], ours[5]);
    assert_eq!(rustix::system::uname().nodename(), before.as_c_str());
}

fn joined_namespaces_are_the_others() {
    let other = Machine::new("sleep 1000");
    let (container, _ends) = other.start();
    let pid = container.init().pid().as_raw_nonzero();
    let mut machine = Machine::new(&format!("{SHOW}; hostname; ls /proc | grep -c '^[0-9]'"));
    let join = Namespace::Join;
    machine.spec.namespaces = Namespaces { pid: join, network: join, ipc: join, uts: join, cgroup: join };
    let error = machine.refusal();
    assert!(error.contains("was not handed over"), "{error}");
    for (name, file) in [("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup")] {
        let path = format!("/proc/{pid}/ns/{file}");
        let descriptor = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        machine.joined.insert(name.to_owned(), descriptor);
    }
    let theirs: Vec<String> = FILES[..5]
        .iter()
        .map(|file| std::fs::read_link(format!("/proc/{pid}/ns/{file}")).unwrap().display().to_string())
        .collect();
    let seen = seen(&machine);
    assert_eq!(seen[..5], theirs);
    assert_eq!(seen[6], "inside");
    // The other's first process is seen, and we are still in our own namespace.
    assert!(seen[7].parse::<u32>().unwrap() >= 3, "{seen:?}");
    assert_eq!(
        std::fs::read_link("/proc/self/ns/pid_for_children").unwrap(),
        std::fs::read_link("/proc/self/ns/pid").unwrap()
    );
    end(container);
}

fn names_and_loopback_are_set() {
    let machine =
        Machine::new("hostname; cat /proc/sys/kernel/domainname /sys/class/net/lo/flags; ip addr | grep -c 'inet 127'");
    assert_eq!(machine.output(), "inside\nexample\n0x9\n1\n");
}

fn nothing_of_it_is_mounted_on_the_host() {
    let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    for machine in [Machine::new("sleep 1000"), Machine::new("sleep 1000").with_overlay()] {
        let (container, _ends) = machine.start();
        assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
        // And nothing of the host's stays in the container.
        let seen = exec(&container, &shell("cat /proc/self/mountinfo")).unwrap().out;
        assert!(seen.lines().count() < 20 && !seen.contains("/sys/fs/cgroup"), "{seen}");
        end(container);
    }
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
}

fn an_exec_enters_everything() {
    let machine = Machine::new("echo $$; sleep 1000").with_overlay();
    let (container, _ends) = machine.start();
    let pid = container.init().pid().as_raw_nonzero();
    let seen = exec(&container, &shell(&format!("{SHOW}; cat /proc/self/cgroup; echo $$"))).unwrap();
    assert_eq!((seen.code, seen.err.as_str()), (0, ""));
    let lines: Vec<&str> = seen.out.lines().collect();
    for (line, file) in lines.iter().zip(FILES) {
        assert_eq!(*line, std::fs::read_link(format!("/proc/{pid}/ns/{file}")).unwrap().display().to_string());
    }
    assert!(lines.iter().any(|line| line.contains("memory:/") || *line == "0::/"), "{lines:?}");
    // The view's top is the group: whoever is outside of it sees "..".
    assert!(!seen.out.contains(".."), "{}", seen.out);
    assert!(lines[lines.len() - 1].parse::<i32>().unwrap() < 20);
    let mut process = shell("id -u; id -G; pwd; echo $HOME; exit 7");
    process.user = "web".to_owned();
    process.working_directory = "/tmp".to_owned();
    let seen = exec(&container, &process).unwrap();
    assert_eq!((seen.code, seen.out.as_str()), (7, "33\n44 4 9\n/tmp\n/var/www\n"));
    process.working_directory = "/missing".to_owned();
    let error = exec(&container, &process).unwrap_err();
    assert_eq!(error.exit_code(), 127, "{error}");
    end(container);
}

fn control_groups_are_its_own() {
    // On v2 the group's directory is the mount itself, otherwise there is one for each hierarchy.
    const MAKE: &str = "for d in /sys/fs/cgroup /sys/fs/cgroup/pids; do \
                        test -e $d/cgroup.procs && mkdir $d/x 2>&1 && echo made; done; true";
    let mut machine = Machine::new(&format!("cat /proc/1/cgroup; {MAKE}"));
    machine.spec.mounts.push(crate::machine::mount(runtime::spec::MountSource::Cgroup, "/sys/fs/cgroup"));
    let seen = machine.output();
    assert!(seen.contains("Read-only file system") && !seen.contains("berth-runtime"), "{seen}");
    machine.spec.cgroup.writable = true;
    machine.spec.process = shell(MAKE);
    assert_eq!(machine.output(), "made\n");
    // With the host's view of v1 it still is shown its own.
    let host = cgroup::Host::detect(std::path::Path::new(cgroup::MOUNT_ROOT)).unwrap();
    if host.mode() != cgroup::Mode::V2 {
        machine.spec.namespaces.cgroup = Namespace::Host;
        machine.spec.process = shell("ls /sys/fs/cgroup/pids; cat /proc/1/cgroup");
        let seen = machine.output();
        assert!(seen.contains("berth-runtime") && seen.contains("cgroup.procs"), "{seen}");
        assert!(!seen.contains("release_agent"), "{seen}");
    }
}

fn kernel_parameters_are_set_inside() {
    let mut machine = Machine::new(
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax; echo 1 > /proc/sys/kernel/msgmax",
    );
    let outside = std::fs::read_to_string("/proc/sys/kernel/msgmax").unwrap();
    machine.spec.sysctls = [("net.ipv4.ip_unprivileged_port_start", "77"), ("kernel/msgmax", "7777")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let outcome = machine.run();
    assert_eq!(outcome.out, "77\n7777\n");
    assert!(outcome.err.contains("Read-only"), "{outcome:?}");
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/msgmax").unwrap(), outside);
    for (name, value, words) in [
        ("kernel/../../sysrq-trigger", "b", "no name of a kernel parameter"),
        ("net.no.such", "1", "this kernel has no such parameter"),
        ("net.ipv4.ip_unprivileged_port_start", "many", "the kernel does not take"),
    ] {
        machine.spec.sysctls = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let error = machine.refusal();
        assert!(error.contains(words), "{error}");
    }
}

fn a_shared_pid_namespace_is_cleared_by_the_group() {
    let mut machine = Machine::new("sleep 1000 & echo $!");
    machine.spec.namespaces.pid = Namespace::Host;
    let (container, ends) = machine.start();
    let mut text = [0; 32];
    let mut out = std::fs::File::from(ends.stdout.unwrap());
    let length = out.read(&mut text).unwrap();
    let left: i32 = std::str::from_utf8(&text[..length]).unwrap().trim().parse().unwrap();
    let left = rustix::process::Pid::from_raw(left).unwrap();
    wait_until(|| container.init().reap()).unwrap();
    assert!(test_kill_process(left).is_ok());
    container.kill_rest();
    wait_until(|| {
        std::fs::read_to_string(format!("/proc/{}/cmdline", left.as_raw_nonzero()))
            .map_or(Some(()), |line| line.is_empty().then_some(()))
    })
    .unwrap();
    container.remove().unwrap();
}

fn whoever_loses_its_parent_dies() {
    for released in [true, false] {
        for user in ["", "web"] {
            let mut machine = Machine::new("sleep 1000");
            machine.spec.process.user = user.to_owned();
            let (reader, writer) = rustix::pipe::pipe().unwrap();
            // The parent that will be killed; it says whom it has made.
            let parent = match sys::clone::fork(sys::clone::Namespaces::default(), None).unwrap() {
                sys::clone::Side::Child => {
                    let (mut container, _ends) = machine.create().unwrap();
                    if released {
                        container.start().unwrap();
                    }
                    let pid = container.init().pid().as_raw_nonzero().get();
                    std::fs::File::from(writer).write_all(&pid.to_ne_bytes()).unwrap();
                    std::thread::sleep(std::time::Duration::from_secs(1000));
                    sys::process::exit_now(0)
                }
                sys::clone::Side::Parent(parent, _) => parent,
            };
            let mut bytes = [0; 4];
            std::fs::File::from(reader).read_exact(&mut bytes).unwrap();
            let pid = rustix::process::Pid::from_raw(i32::from_ne_bytes(bytes)).unwrap();
            assert!(test_kill_process(pid).is_ok());
            kill_process(parent, Signal::KILL).unwrap();
            rustix::process::waitpid(Some(parent), rustix::process::WaitOptions::empty()).unwrap();
            wait_until(|| test_kill_process(pid).is_err().then_some(())).expect("it outlived its parent");
        }
    }
}

fn an_end_before_the_release_leaves_nothing() {
    let machine = Machine::new("touch /ran");
    let (mut container, _ends) = machine.create().unwrap();
    let pid = container.init().pid();
    container.end();
    container.remove().unwrap();
    assert!(test_kill_process(pid).is_err());
    assert!(!machine.root().join("ran").exists());
    assert_eq!(apart(|| {}), 0);
}
