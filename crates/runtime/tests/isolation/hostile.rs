//! Root file systems that were made to harm the host: one case for each class of what went wrong in other runtimes.

use crate::Case;
use crate::machine::{Machine, bind, end, exec, mount, shell};
use runtime::spec::{MountSource, ReadOnly};
use rustix::fs::{CWD, RenameFlags};
use rustix::process::{Signal, kill_process};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    ("links_in_place_of_kernel_folders_stay_inside", links_in_place_of_kernel_folders_stay_inside),
    ("links_as_mount_targets_stay_inside", links_as_mount_targets_stay_inside),
    ("swapped_targets_never_leave_the_root", swapped_targets_never_leave_the_root),
    ("working_directories_do_not_lead_to_our_descriptors", working_directories_do_not_lead_to_our_descriptors),
    ("no_descriptor_is_left", no_descriptor_is_left),
    ("endless_user_files_are_refused", endless_user_files_are_refused),
    ("what_covers_paths_is_ours", what_covers_paths_is_ours),
    ("an_entering_process_cannot_be_looked_into", an_entering_process_cannot_be_looked_into),
    ("a_false_terminal_is_refused", a_false_terminal_is_refused),
];

/// A folder of the host beside the root file system, which must stay empty.
fn outside(machine: &Machine) -> std::path::PathBuf {
    let outside = machine.top.join("outside");
    for folder in ["", "pts", "fd", "sys"] {
        std::fs::create_dir_all(outside.join(folder)).unwrap();
    }
    outside
}

fn entries(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            let below = if path.is_dir() { entries(&path) } else { Vec::new() };
            below.into_iter().chain([path.display().to_string()])
        })
        .collect();
    names.sort();
    names
}

fn links_in_place_of_kernel_folders_stay_inside() {
    for folder in ["dev", "proc", "sys"] {
        for climbing in [true, false] {
            let mut machine = Machine::new("true");
            machine.spec.devices = Vec::new();
            let outside = outside(&machine);
            let before = entries(&outside);
            std::fs::remove_dir(machine.root().join(folder)).unwrap();
            let target = if climbing { Path::new("../../../../../..").join(&outside) } else { outside.clone() };
            symlink(target, machine.root().join(folder)).unwrap();
            // It may run or be refused: what matters is where things end up.
            let _ = machine.attempt();
            assert_eq!(entries(&outside), before, "{folder}");
            assert!(!std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains("/outside"));
        }
    }
}

fn links_as_mount_targets_stay_inside() {
    let mut machine = Machine::new("cat /link/f; echo x > /link/new; cat /file");
    let outside = outside(&machine);
    let source = machine.top.join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("f"), "mounted\n").unwrap();
    symlink(&outside, machine.root().join("link")).unwrap();
    symlink(outside.join("file"), machine.root().join("file")).unwrap();
    machine.spec.mounts.extend([bind(&source, "/link", ReadOnly::No), bind(&source.join("f"), "/file", ReadOnly::No)]);
    let before = entries(&outside);
    assert_eq!(machine.output(), "mounted\nmounted\n");
    assert_eq!(entries(&outside), before);
    assert!(source.join("new").exists());
}

fn swapped_targets_never_leave_the_root() {
    let mut machine = Machine::new("true");
    let outside = outside(&machine);
    let shared = machine.top.join("shared");
    std::fs::create_dir_all(shared.join("real")).unwrap();
    symlink(Path::new("../../../../../..").join(&outside), shared.join("link")).unwrap();
    std::fs::create_dir(machine.root().join("real-dev")).unwrap();
    symlink(&outside, machine.root().join("link-dev")).unwrap();
    // Two containers that share a volume: one swaps what the other mounts upon.
    machine.spec.mounts.push(bind(&shared, "/shared", ReadOnly::No));
    machine.spec.mounts.push(mount(MountSource::Tmpfs { options: Vec::new() }, "/shared/real/deep/target"));
    machine.spec.mounts.push(bind(Path::new("/etc/passwd"), "/shared/real/file", ReadOnly::Single));
    machine.spec.masked_paths.push("/shared/real/file".to_owned());
    machine.spec.process.working_directory = "/shared/real/work".to_owned();
    let pairs = [
        (shared.join("real"), shared.join("link")),
        (machine.root().join("real-dev"), machine.root().join("link-dev")),
    ];
    let racer = match sys::clone::fork(sys::clone::Namespaces::default(), None).unwrap() {
        sys::clone::Side::Child => loop {
            for (one, other) in &pairs {
                let _ = rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE);
            }
        },
        sys::clone::Side::Parent(racer, _) => racer,
    };
    let before = entries(&outside);
    let until = Instant::now() + Duration::from_secs(2);
    let (mut ran, mut refused) = (0, 0);
    while Instant::now() < until {
        match machine.attempt() {
            Ok(_) => ran += 1,
            Err(_) => refused += 1,
        }
        assert_eq!(entries(&outside), before);
    }
    kill_process(racer, Signal::KILL).unwrap();
    rustix::process::waitpid(Some(racer), rustix::process::WaitOptions::empty()).unwrap();
    assert!(!std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains("/outside"));
    assert!(ran + refused > 0, "{ran} ran, {refused} were refused");
}

fn working_directories_do_not_lead_to_our_descriptors() {
    let mut machine = Machine::new("pwd");
    // Something of the host that a careless runtime would leave open.
    let _leak = std::fs::File::open("/").unwrap();
    symlink("/proc/self/fd", machine.root().join("fds")).unwrap();
    for number in 3..30 {
        for path in [format!("/proc/self/fd/{number}"), format!("/fds/{number}"), format!("/proc/1/fd/{number}/tmp")] {
            machine.spec.process.working_directory = path.clone();
            if let Ok(outcome) = machine.attempt() {
                panic!("{path}: {outcome:?}");
            }
        }
    }
    machine.spec.process = shell("sleep 1000");
    let (container, _ends) = machine.start();
    let mut process = shell("pwd");
    for path in ["/proc/self/fd/7", "/proc/self/cwd", "/proc/1/root/proc/self/fd/8"] {
        process.working_directory = path.to_owned();
        assert!(exec(&container, &process).is_err(), "{path}");
    }
    end(container);
}

fn no_descriptor_is_left() {
    // One that is inherited by whoever does not look.
    let leak = std::fs::File::open("/").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let list = "ls /proc/$$/fd; true";
    let mut machine = Machine::new(list);
    for init in [false, true] {
        machine.spec.init = init;
        assert_eq!(machine.output(), "0\n1\n2\n");
        machine.spec.process = shell("sleep 1000");
        let (container, _ends) = machine.start();
        assert_eq!(exec(&container, &shell(list)).unwrap().out, "0\n1\n2\n");
        if init {
            let seen = exec(&container, &shell("ls -l /proc/1/fd")).unwrap();
            assert!(!seen.out.contains(" -> /\n") && !seen.out.contains("socket:"), "{seen:?}");
        }
        end(container);
        machine.spec.process = shell(list);
    }
}

fn endless_user_files_are_refused() {
    for (file, user) in [("passwd", "web"), ("group", "web:more")] {
        let mut machine = Machine::new("true");
        machine.spec.process.user = user.to_owned();
        assert_eq!(machine.run().code, 0);
        let path = machine.root().join("etc").join(file);
        std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        let error = machine.refusal();
        assert!(error.contains(&format!("/etc/{file}")), "{error}");
        // Nor does one that never ends hang us, or lead elsewhere.
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0).unwrap();
        machine.refusal();
        std::fs::remove_file(&path).unwrap();
        symlink("/proc/self/fd/0", &path).unwrap();
        machine.refusal();
        std::fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        machine.refusal();
    }
}

fn what_covers_paths_is_ours() {
    // A root whose null device is a link to what is to be covered, and a false process file system over the real one.
    let mut machine =
        Machine::new("cat /proc/interrupts; cat /sys/firmware/x; echo overwritten > /proc/interrupts; true");
    symlink("/proc/interrupts", machine.root().join("dev/null")).unwrap();
    machine.spec.mounts.retain(|mount| mount.target != "/dev");
    machine.spec.mounts.retain(|mount| mount.target != "/dev/pts");
    // The device cannot be made in its place.
    let error = machine.refusal();
    assert!(error.contains("make device /dev/null"), "{error}");
    std::fs::remove_file(machine.root().join("dev/null")).unwrap();
    let false_proc = machine.top.join("false");
    std::fs::create_dir_all(&false_proc).unwrap();
    symlink("/etc/passwd", false_proc.join("interrupts")).unwrap();
    machine.spec.mounts.push(bind(&false_proc, "/proc", ReadOnly::No));
    let outcome = machine.attempt();
    assert!(
        std::fs::read_to_string(machine.root().join("etc/passwd")).unwrap().starts_with("root:") || outcome.is_ok()
    );
    assert!(false_proc.join("interrupts").is_symlink());
}

fn an_entering_process_cannot_be_looked_into() {
    // With every capability but one: it cannot even see what enters runs from, so it can neither open it now nor write to it later.
    let mut machine = Machine::new(
        "echo ready; while :; do for p in /proc/[0-9]*; do case $p in /proc/1) ;; *) \
         l=$(readlink $p/exe) && case $l in *busybox) ;; ?*) echo sees $l;; esac;; esac; done; done",
    );
    machine.spec.process.capabilities = CAPABILITIES_WITHOUT_TRACING;
    let (container, ends) = machine.start();
    for _ in 0..100 {
        assert_eq!(exec(&container, &shell("true")).unwrap().code, 0);
    }
    end(container);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::fs::File::from(ends.stdout.unwrap()), &mut text).unwrap();
    assert_eq!(text, "ready\n");
}

/// All but the one that may look into everything: against that, the program is out of reach, which is the supervisor's matter.
const CAPABILITIES_WITHOUT_TRACING: u64 = !(1 << 19);

fn a_false_terminal_is_refused() {
    let mut machine = Machine::new("mount -t tmpfs x /dev/pts && mknod /dev/pts/ptmx c 5 2 && echo ready; sleep 1000");
    machine.spec.process.capabilities |= 1 << 21;
    let (container, ends) = machine.start();
    let mut ready = [0; 6];
    std::io::Read::read_exact(&mut std::fs::File::from(ends.stdout.unwrap()), &mut ready).unwrap();
    let mut process = shell("tty");
    process.terminal = true;
    assert!(exec(&container, &process).is_err());
    end(container);
}
