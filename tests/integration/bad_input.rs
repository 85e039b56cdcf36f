//! Bad input gets a clear error and loses nothing: references, archives, full disks, state that was damaged, places that cannot be.

use crate::harness::{Finished, Host, IMAGE, finish, rootfs_archive};
use std::path::{Path, PathBuf};
use std::process::Command;

/// No error speaks of the engine's insides where the input is at fault.
#[track_caller]
fn clear(finished: &Finished) {
    for word in ["internal", "panicked", "unwrap", "errno"] {
        assert!(!finished.stderr.contains(word), "{finished:?}");
    }
    assert!(!finished.stderr.trim().is_empty(), "{finished:?}");
}

#[test]
fn malformed_references() {
    let host = Host::with_image();
    let long = format!("a/{}", "b".repeat(300));
    for bad in [
        "",
        "UPPER",
        "a//b",
        "a:",
        "a:b:c",
        "-a",
        "a@sha256:short",
        "a@md5:00",
        "a b",
        "http://host/a",
        "a/../b",
        "a:.b",
        &long,
        "ä",
    ] {
        for arguments in [vec!["pull", bad], vec!["tag", IMAGE, bad], vec!["run", "--rm", "--pull", "never", bad]] {
            let finished = host.berth(&arguments);
            assert_ne!(finished.code, 0, "{arguments:?}");
            clear(&finished);
        }
    }
    assert_eq!(host.berth(["images", "-q"]).ok().lines().len(), 1);
}

/// Archives that are no archives, or claim absurd things.
const ABSURD: &str = r#"
import io, sys, tarfile
folder = sys.argv[1]
def write(name, data):
    open(f'{folder}/{name}.tar', 'wb').write(data)
def header(name, size=0, kind=b'0'):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)
write('text', b'this is no archive\n' * 100)
write('cut', header('file', 1 << 20) + b'x' * 1000)
write('huge', header('file', 1 << 62))
write('large', header('file', 1 << 45) + b'x' * 512)
write('negative', header('file')[:124] + b'\xff' * 12 + header('file')[136:])
write('longname', header('././@LongLink', 1 << 40, b'L'))
write('checksum', header('file')[:148] + b'0000000\0' + header('file')[156:])
write('gzip', b'\x1f\x8b\x08\0\0\0\0\0\0\3' + b'\xff' * 100)
write('zstd', b'\x28\xb5\x2f\xfd' + b'\xff' * 100)
write('xz', b'\xfd7zXZ\0' + b'\0' * 100)
deep = io.BytesIO()
with tarfile.open(fileobj=deep, mode='w', format=tarfile.PAX_FORMAT) as archive:
    archive.addfile(tarfile.TarInfo('d/' * 3000 + 'f'))
write('deep', deep.getvalue())
"#;

#[test]
fn absurd_archives() {
    let host = Host::new();
    let mut command = Command::new("python3");
    command.args(["-c", ABSURD]).arg(host.path(""));
    finish(command, b"").ok();
    for name in ["text", "cut", "huge", "large", "negative", "longname", "checksum", "gzip", "zstd", "xz", "deep"] {
        let finished = host.berth(["import", host.path(&format!("{name}.tar")).to_str().unwrap(), name]);
        assert_ne!(finished.code, 0, "{name}: {finished:?}");
        clear(&finished);
        assert!(finished.stderr.len() < 2000, "{name}: {finished:?}");
    }
    host.berth(["import", "/nonexistent.tar", "x"]).code(1).says("/nonexistent.tar");
    assert!(host.berth(["images", "-q"]).ok().lines().is_empty());
    host.berth(["import", rootfs_archive().to_str().unwrap(), IMAGE]).ok();
    host.berth(["run", "--rm", IMAGE, "true"]).ok();
}

/// A small file system of its own, mounted below the test's folder.
struct Small(PathBuf);

impl Small {
    fn mount(host: &Host, kind: &str, options: &str) -> Self {
        let path = host.path("root");
        std::fs::create_dir_all(&path).unwrap();
        let status = Command::new("mount").args(["-t", kind, "-o", options, "berth-test"]).arg(&path).status().unwrap();
        assert!(status.success());
        Self(path)
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut command = Command::new("dd");
        command.args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}/../root/ballast", self.0.display()));
        finish(command, b"");
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk() {
    let host = Host::new();
    let small = Small::mount(&host, "tmpfs", "size=48m");
    let archive = rootfs_archive().to_str().unwrap();
    host.berth(["import", archive, IMAGE]).ok();
    host.berth(["run", "--name", "kept", IMAGE, "echo", "kept"]).ok();
    host.berth(["run", "-d", "--name", "writer", IMAGE, "sh", "-c", "while :; do echo line; sleep 0.05; done"]).ok();
    small.fill();
    for arguments in [
        vec!["import", "-c", "USER user", archive, "other"],
        vec!["create", "--name", "new", "-v", "fresh:/data", IMAGE, "true"],
        vec!["run", "--rm", IMAGE, "sh", "-c", "echo x > /file"],
    ] {
        let finished = host.berth(&arguments);
        // What needs little may find it in what is there already; an image has no room.
        if finished.code != 0 || arguments[0] == "import" {
            assert_ne!(finished.code, 0);
            clear(&finished);
            assert!(finished.stderr.to_lowercase().contains("space"), "{arguments:?}: {finished:?}");
        }
    }
    // Reading goes on, a log that has no room stops nobody, and what was there is there.
    host.berth(["ps", "-a"]).ok();
    assert_eq!(host.berth(["logs", "kept"]).ok().stdout, "kept\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(host.inspect("writer", "{{.State.Status}}"), "running");
    small.free();
    host.berth(["import", "-c", "USER user", archive, "other"]).ok();
    assert_eq!(host.berth(["run", "--rm", "other", "id", "-u"]).ok().out(), "1000");
    host.berth(["start", "-a", "kept"]).ok();
    host.berth(["rm", "-f", "writer", "kept"]).ok();
    host.berth(["rm", "-f", "new"]);
    let left = host.leftovers().into_iter().filter(|line| !line.contains("/root ")).collect::<Vec<_>>();
    assert!(left.is_empty(), "{left:?}");
    drop(small);
}

#[test]
fn a_disk_that_is_freed_by_removing() {
    let host = Host::new();
    let small = Small::mount(&host, "tmpfs", "size=32m");
    host.berth(["import", rootfs_archive().to_str().unwrap(), IMAGE]).ok();
    host.berth(["run", "--name", "big", IMAGE, "sh", "-c", "cat /dev/zero > /file"]).code(1);
    small.fill();
    host.berth(["rm", "big"]).ok();
    small.free();
    host.berth(["run", "--rm", IMAGE, "true"]).ok();
    drop(small);
}

#[test]
fn places_that_cannot_be_a_state_root() {
    let host = Host::new();
    let at = |root: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.arg("--root").arg(root).arg("--runroot").arg(host.path("run")).args(["volume", "create", "x"]);
        finish(command, b"")
    };
    for root in [Path::new("/proc/berth"), Path::new("/sys/berth"), Path::new("/dev/null")] {
        let finished = at(root);
        assert_ne!(finished.code, 0, "{}", root.display());
        clear(&finished);
        assert!(finished.stderr.contains(root.to_str().unwrap()), "{finished:?}");
    }
    // Somebody else's files.
    host.file("foreign/file", "theirs");
    let finished = at(&host.path("foreign"));
    assert_ne!(finished.code, 0);
    assert!(finished.stderr.contains("foreign"), "{finished:?}");
    assert_eq!(std::fs::read_dir(host.path("foreign")).unwrap().count(), 1);
}

#[test]
fn a_file_system_without_overlays() {
    let host = Host::new();
    let small = Small::mount(&host, "ramfs", "mode=700");
    let finished = host.berth(["import", rootfs_archive().to_str().unwrap(), IMAGE]).code(1);
    clear(&finished);
    let root = host.root();
    assert!(
        finished.stderr.contains("extended attributes") && finished.stderr.contains(root.to_str().unwrap()),
        "{finished:?}"
    );
    drop(small);
}

#[test]
fn a_configuration_with_a_typo() {
    let host = Host::with_image();
    for (text, expected) in [
        (r#"{"log-drvier": "local"}"#, "log-driver"),
        (r#"{"registires": {}}"#, "registries"),
        (r#"{"debug": "yes"}"#, "debug"),
        (r#"{"debug": true"#, "line 1"),
        (r#"{"default-ulimits": {"nofile": 5}}"#, "default-ulimits"),
        ("[]", "engine.json"),
    ] {
        let path = host.file("engine.json", text);
        let finished = host.berth(["--config-file", path.to_str().unwrap(), "ps"]);
        assert_ne!(finished.code, 0, "{text}");
        clear(&finished);
        assert!(finished.stderr.contains(expected) && finished.stderr.contains("engine.json"), "{text}: {finished:?}");
    }
    host.berth(["ps"]).ok();
}

#[test]
fn a_newer_format_is_refused() {
    let host = Host::with_image();
    let path = host.root().join("format");
    let format = std::fs::read(&path).unwrap();
    for (text, expected) in [("99\n", "newer"), ("nonsense\n", "format"), ("", "format")] {
        std::fs::write(&path, text).unwrap();
        let finished = host.berth(["ps"]);
        assert_ne!(finished.code, 0, "{text:?}");
        assert!(finished.stderr.contains(expected), "{text:?}: {finished:?}");
    }
    std::fs::write(&path, format).unwrap();
    host.berth(["ps"]).ok();
}

#[test]
fn damaged_files_of_a_container() {
    let host = Host::with_image();
    for (file, content) in [
        ("state.json", ""),
        ("state.json", "{"),
        ("state.json", "\0\0\0\0"),
        ("config.json", ""),
        ("config.json", "{}"),
        ("config.json", "[1]"),
    ] {
        let id = host.berth(["run", "--name", "broken", IMAGE, "true"]).ok().out();
        drop(id);
        let id = host.containers()[0].clone();
        host.berth(["create", "--name", "other", IMAGE, "true"]).ok();
        std::fs::write(host.root().join("containers").join(&id).join(file), content).unwrap();
        // The rest of the host goes on.
        let listed = host.berth(["ps", "-a"]).ok();
        assert!(listed.stdout.contains("other"), "{file} {content:?}: {listed:?}");
        let finished = host.berth(["start", &id]);
        if finished.code != 0 {
            assert!(
                finished.stderr.contains("damaged") || finished.stderr.contains(file),
                "{file} {content:?}: {finished:?}"
            );
        }
        host.berth(["rm", "-f", &id]).ok();
        host.berth(["rm", "-f", "other"]).ok();
        host.berth(["run", "--rm", "--name", "broken", IMAGE, "true"]).ok();
    }
}

#[test]
fn a_relative_root_is_made_absolute() {
    let host = Host::new();
    let berth = |folder: &Path, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.current_dir(folder).args(["--root", "relative", "--runroot", "relative-run"]).args(arguments);
        finish(command, b"")
    };
    berth(&host.path(""), &["import", rootfs_archive().to_str().unwrap(), IMAGE]).ok();
    berth(&host.path(""), &["run", "-d", "--name", "c1", "--restart", "on-failure", IMAGE, "sleep", "1000"]).ok();
    let absolute = host.path("relative");
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command
        .arg("--root")
        .arg(&absolute)
        .arg("--runroot")
        .arg(host.path("relative-run"))
        .args(["exec", "c1", "echo", "same"]);
    assert_eq!(finish(command, b"").ok().out(), "same");
    berth(&host.path(""), &["rm", "-f", "c1"]).ok();
}

#[test]
fn a_root_in_use_from_another_namespace() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sleep", "1000"]).ok();
    let elsewhere = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]).arg(env!("CARGO_BIN_EXE_berth"));
        command.arg("--root").arg(host.root()).arg("--runroot").arg(host.path("run")).args(arguments);
        finish(command, b"")
    };
    let refused = elsewhere(&["run", "--rm", IMAGE, "true"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("namespace"), "{refused:?}");
    assert_eq!(elsewhere(&["ps", "-q"]).ok().lines().len(), 1);
    host.berth(["rm", "-f", "c1"]).ok();
    elsewhere(&["run", "--rm", IMAGE, "true"]).ok();
    host.berth(["run", "--rm", IMAGE, "true"]).ok();
}
