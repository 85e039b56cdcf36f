//! The root file system, mounts, devices, covered paths, terminals.

use crate::Case;
use crate::machine::{Machine, bind, end, exec, mount, shell};
use runtime::spec::{Device, DeviceKind, Mount, MountSource, Propagation, ReadOnly};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use std::ffi::CStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

pub const CASES: &[Case] = &[
    ("an_overlay_keeps_its_layers", an_overlay_keeps_its_layers),
    ("a_read_only_root_cannot_be_written", a_read_only_root_cannot_be_written),
    ("binds_of_all_kinds", binds_of_all_kinds),
    ("read_only_reaches_as_far_as_asked", read_only_reaches_as_far_as_asked),
    ("propagation_is_as_asked", propagation_is_as_asked),
    ("file_systems_of_the_kernel", file_systems_of_the_kernel),
    ("devices_are_made", devices_are_made),
    ("kernel_paths_are_covered", kernel_paths_are_covered),
    ("a_terminal_is_the_containers_own", a_terminal_is_the_containers_own),
    ("a_working_directory_is_made_for_the_user", a_working_directory_is_made_for_the_user),
];

fn an_overlay_keeps_its_layers() {
    let machine = Machine::new("echo new > /etc/passwd; rm /etc/group; echo x > /second; ls /etc").with_overlay();
    std::fs::write(machine.top.join("second/second"), "lower").unwrap();
    assert_eq!(machine.output(), "passwd\n");
    assert!(std::fs::read_to_string(machine.root().join("etc/passwd")).unwrap().starts_with("root:"));
    assert!(machine.root().join("etc/group").exists());
    assert_eq!(std::fs::read_to_string(machine.top.join("second/second")).unwrap(), "lower");
    assert_eq!(std::fs::read_to_string(machine.top.join("upper/second")).unwrap(), "x\n");
}

fn a_read_only_root_cannot_be_written() {
    for mut machine in [Machine::new(""), Machine::new("").with_overlay()] {
        machine.spec.process = shell("touch /x 2>&1; touch /dev/shm-like && echo rest");
        machine.spec.process.working_directory = "/made/below".to_owned();
        machine.spec.read_only_root = true;
        assert_eq!(machine.output(), "touch: /x: Read-only file system\nrest\n");
    }
}

fn binds_of_all_kinds() {
    let mut machine =
        Machine::new("cat /data/f /etc/one /deep/er/sub; touch /data/new; touch /ro/x 2>&1; touch /data/exec; true");
    let source = machine.top.join("source");
    std::fs::create_dir_all(source.join("below")).unwrap();
    std::fs::write(source.join("f"), "file\n").unwrap();
    std::fs::write(source.join("below/g"), "sub\n").unwrap();
    std::os::unix::fs::symlink("below/g", source.join("link")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", source.join("out")).unwrap();
    let below = |subpath: &str, target: &str| {
        let subpath = Some(subpath.into());
        mount(MountSource::Bind { path: source.clone(), subpath, recursive: false }, target)
    };
    machine.spec.mounts.extend([
        bind(&source, "/data", ReadOnly::No),
        bind(&source.join("f"), "/etc/one", ReadOnly::No),
        bind(&source, "/ro", ReadOnly::Recursive),
        below("link", "/deep/er/sub"),
    ]);
    assert_eq!(machine.output(), "file\nfile\nsub\ntouch: /ro/x: Read-only file system\n");
    assert!(source.join("new").exists());
    for (mount, words) in [
        (below("out", "/x"), "open subpath out"),
        (below("../root", "/x"), "open subpath ../root"),
        (bind(&machine.top.join("missing"), "/x", ReadOnly::No), "bind source path does not exist: "),
        (bind(&source, "/etc/one", ReadOnly::No), "not a directory"),
        (bind(&source.join("f"), "/data", ReadOnly::No), "is a directory"),
        (bind(&source, "/", ReadOnly::No), "the root cannot be a mount's target"),
    ] {
        let mut spec = machine.spec.clone();
        std::mem::swap(&mut spec, &mut machine.spec);
        machine.spec.mounts.push(mount);
        let error = machine.refusal();
        assert!(error.contains(words), "{error}");
        machine.spec = spec;
    }
}

/// A mount on the host, in a namespace that only this case has.
fn host_mount(path: &std::path::Path) {
    let options: Option<&CStr> = None;
    rustix::mount::mount("tmpfs", path, "tmpfs", MountFlags::empty(), options).unwrap();
}

fn own_mounts() {
    #[allow(deprecated)]
    rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNS).unwrap();
    rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC).unwrap();
}

fn read_only_reaches_as_far_as_asked() {
    own_mounts();
    let mut machine = Machine::new("for d in /one /all; do touch $d/x $d/below/x; done 2>&1; true");
    let source = machine.top.join("source");
    std::fs::create_dir_all(source.join("below")).unwrap();
    host_mount(&source.join("below"));
    machine.spec.mounts.extend([bind(&source, "/one", ReadOnly::Single), bind(&source, "/all", ReadOnly::Recursive)]);
    let refused = |path: &str| format!("touch: {path}: Read-only file system\n");
    let seen = machine.output();
    assert_eq!(seen, refused("/one/x") + &refused("/all/x") + &refused("/all/below/x"));
    rustix::mount::unmount(source.join("below"), UnmountFlags::DETACH).unwrap();
}

fn propagation_is_as_asked() {
    own_mounts();
    let mut machine =
        Machine::new("mount -t tmpfs inside /shared/in; mount -t tmpfs inside /slave/in; echo ready; sleep 1000");
    machine.spec.process.capabilities |= 1 << 21;
    let source = machine.top.join("source");
    std::fs::create_dir_all(&source).unwrap();
    host_mount(&source);
    rustix::mount::mount_change(&source, MountPropagationFlags::SHARED).unwrap();
    for folder in ["in", "out"] {
        std::fs::create_dir(source.join(folder)).unwrap();
    }
    for (target, propagation) in
        [("/shared", Propagation::Rshared), ("/slave", Propagation::Rslave), ("/private", Propagation::Rprivate)]
    {
        machine.spec.mounts.push(Mount { propagation, ..bind(&source, target, ReadOnly::No) });
    }
    machine.spec.root_propagation = Propagation::Rshared;
    let (container, ends) = machine.start();
    let mut ready = [0; 6];
    std::io::Read::read_exact(&mut std::fs::File::from(ends.stdout.unwrap()), &mut ready).unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    // What the container mounted on the shared one is seen here once, and came from there.
    assert_eq!(mounts.matches(&format!("{}/in ", source.display())).count(), 1, "{mounts}");
    host_mount(&source.join("out"));
    let seen = exec(&container, &shell("cat /proc/self/mountinfo")).unwrap().out;
    for (target, seen_there) in [("/shared/out ", true), ("/slave/out ", true), ("/private/out ", false)] {
        assert_eq!(seen.contains(target), seen_there, "{target} in {seen}");
    }
    end(container);
    for path in [source.join("out"), source.join("in"), source] {
        rustix::mount::unmount(path, UnmountFlags::DETACH).unwrap();
    }
}

fn file_systems_of_the_kernel() {
    let mut machine = Machine::new("cat /proc/self/mountinfo; stat -c %a /run /tmp /new");
    machine.spec.mounts.extend([
        mount(MountSource::Mqueue, "/dev/mqueue"),
        mount(MountSource::Tmpfs { options: vec![("size".to_owned(), "64k".to_owned())] }, "/tmp"),
        mount(MountSource::Tmpfs { options: vec![("mode".to_owned(), "700".to_owned())] }, "/run"),
        mount(MountSource::Tmpfs { options: Vec::new() }, "/new"),
    ]);
    std::fs::set_permissions(machine.root().join("tmp"), std::fs::Permissions::from_mode(0o1750)).unwrap();
    let seen = machine.output();
    for (target, kind, options) in [
        ("/proc", "proc", "rw,nosuid,noexec"),
        ("/sys", "sysfs", "ro,nosuid,nodev,noexec"),
        ("/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666"),
        ("/dev/mqueue", "mqueue", "rw"),
        ("/tmp", "tmpfs", "size=64k"),
    ] {
        let line = seen
            .lines()
            .find(|line| line.contains(&format!(" {target} ")))
            .unwrap_or_else(|| panic!("{target}: {seen}"));
        assert!(line.contains(&format!(" - {kind} {kind} ")) && line.contains(options), "{line}");
    }
    assert!(seen.ends_with("700\n1750\n1777\n"), "{seen}");
    machine.spec.mounts.push(mount(MountSource::Tmpfs { options: vec![("size".to_owned(), "much".to_owned())] }, "/x"));
    let error = machine.refusal();
    assert!(error.contains("mount tmpfs on /x: the kernel does not take option size=much"), "{error}");
}

fn devices_are_made() {
    let mut machine = Machine::new(
        "for d in null zero full random urandom tty deep/own; do stat -c '%n %F %t:%T %a %u:%g' /dev/$d; done; \
         for l in fd stdin ptmx; do readlink /dev/$l; done; echo x > /dev/null; head -c 4 /dev/zero | wc -c",
    );
    let device = |path: &str, minor| Device {
        path: path.to_owned(),
        kind: DeviceKind::Character,
        major: 1,
        minor,
        mode: 0o640,
        uid: 1,
        gid: 2,
    };
    machine.spec.devices = vec![device("/dev/deep/own", 3), device("/outside/null", 3), device("/dev/full", 7)];
    let default = |name: &str, minor| format!("/dev/{name} character special file 1:{minor} 666 0:0\n");
    let expected = default("null", 3)
        + &default("zero", 5)
        + "/dev/full character special file 1:7 640 1:2\n"
        + &default("random", 8)
        + &default("urandom", 9)
        + "/dev/tty character special file 5:0 666 0:0\n/dev/deep/own character special file 1:3 640 1:2\n"
        + "/proc/self/fd\n/proc/self/fd/0\npts/ptmx\n4\n";
    // The second time some of them are there already.
    for _ in 0..2 {
        assert_eq!(machine.output(), expected);
    }
    assert_eq!(std::fs::metadata(machine.root().join("outside/null")).unwrap().mode() & 0o777, 0o640);
    machine.spec.devices = vec![device("/dev", 3)];
    machine.refusal();
    machine.spec.devices = vec![device("/etc/passwd", 3)];
    assert!(machine.refusal().contains("something else is there"));
}

fn kernel_paths_are_covered() {
    let mut machine = Machine::new(
        "cat /proc/interrupts; ls /sys/firmware /proc/acpi; touch /sys/firmware/x 2>&1; \
         echo 1 > /proc/sys/kernel/domainname; mount | grep -c ' /proc/irq '",
    );
    std::fs::write(machine.root().join("secret"), "secret").unwrap();
    machine.spec.masked_paths.push("/secret".to_owned());
    machine.spec.read_only_paths.push("/tmp".to_owned());
    machine.spec.process.arguments[2].push_str("; cat /secret; touch /tmp/x");
    let seen = machine.run();
    assert!(seen.out.contains("/sys/firmware/x: Read-only file system\n") && seen.out.ends_with("\n1\n"), "{seen:?}");
    assert!(!seen.out.contains("secret") && !seen.out.contains("CPU0"), "{seen:?}");
    assert!(
        seen.err.contains("/proc/sys/kernel/domainname: Read-only") && seen.err.contains("/tmp/x: Read-only"),
        "{seen:?}"
    );
}

fn a_terminal_is_the_containers_own() {
    let mut machine = Machine::new(
        "tty; stty size; ls -l /proc/self/fd/0; test -c /dev/console && echo console; id -u; : > /dev/stdout; cat < /dev/tty & exit 3",
    );
    machine.spec.process.terminal = true;
    machine.spec.process.console_size = (11, 22);
    machine.spec.process.user = "web".to_owned();
    let seen = machine.run();
    assert!(seen.out.starts_with("/dev/pts/0\r\n11 22\r\n"), "{seen:?}");
    assert!(seen.out.contains("console\r\n33\r\n") && seen.code == 3, "{seen:?}");
    machine.spec.process = shell("sleep 1000");
    let (container, _ends) = machine.start();
    let mut process = shell("tty; stty size");
    process.terminal = true;
    process.console_size = (33, 44);
    assert_eq!(exec(&container, &process).unwrap().out, "/dev/pts/0\r\n33 44\r\n");
    end(container);
    // Without terminals of its own, there are the host's.
    machine.spec.mounts.retain(|mount| mount.source != MountSource::Devpts);
    machine.spec.process = Machine::new("").spec.process.clone();
    machine.spec.process.arguments[2] = "stty size; exit 4".to_owned();
    machine.spec.process.terminal = true;
    machine.spec.process.console_size = (1, 2);
    assert_eq!(machine.run().code, 4);
}

fn a_working_directory_is_made_for_the_user() {
    let mut machine = Machine::new("pwd; touch here; stat -c %u:%g:%a . ..");
    machine.spec.process.user = "web".to_owned();
    machine.spec.process.working_directory = "/new/work".to_owned();
    assert_eq!(machine.output(), "/new/work\n33:44:755\n0:0:755\n");
    machine.spec.process.working_directory = "/etc/passwd".to_owned();
    assert!(machine.refusal().contains("working directory \"/etc/passwd\""));
    machine.spec.process.working_directory = "relative".to_owned();
    assert!(machine.refusal().contains("must be an absolute path"));
    // With our privileges it can be entered where the user alone could not.
    let closed = machine.root().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    machine.spec.process = shell("pwd");
    machine.spec.process.user = "web".to_owned();
    machine.spec.process.working_directory = "/closed".to_owned();
    assert_eq!(machine.run().code, 0);
}
