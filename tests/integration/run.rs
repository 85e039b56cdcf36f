//! `run` in the foreground: an image becomes a process, its result the command's, and nothing stays.

use crate::harness::{Host, IMAGE};

#[test]
fn prints_and_leaves_nothing() {
    let host = Host::with_image();
    let finished = host.berth(["run", "--rm", IMAGE, "echo", "hello"]).ok();
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("hello\n", ""));
    assert!(host.containers().is_empty());
}

#[test]
fn ends_with_the_processes_own_code() {
    let host = Host::with_image();
    host.berth(["run", "--rm", IMAGE, "sh", "-c", "exit 42"]).code(42);
    // The first process of a namespace cannot kill itself.
    host.berth(["run", "--rm", "--init", IMAGE, "sh", "-c", "kill -9 $$"]).code(137);
}

#[test]
fn a_missing_command_is_127() {
    let host = Host::with_image();
    host.berth(["run", "--rm", IMAGE, "no-such-command"]).code(127).says("executable file not found in $PATH");
    host.berth(["run", "--rm", IMAGE, "/no/such/path"]).code(127).says("no such file or directory");
    assert!(host.containers().is_empty());
}

#[test]
fn a_directory_and_a_script_without_interpreter_are_126() {
    let host = Host::with_image();
    host.berth(["run", "--rm", IMAGE, "/etc"]).code(126);
    host.berth(["run", "--rm", IMAGE, "/etc/passwd"]).code(126).says("permission denied");
    let script = host.file("script", "echo hello\n");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let bind = format!("{}:/script:ro", script.display());
    host.berth(["run", "--rm", "-v", &bind, IMAGE, "/script"]).code(126).says("exec format error");
    assert!(host.containers().is_empty());
}

#[test]
fn a_failed_start_keeps_a_container_that_was_not_to_be_removed() {
    let host = Host::with_image();
    host.berth(["run", "--name", "kept", IMAGE, "no-such-command"]).code(127);
    assert_eq!(host.inspect("kept", "{{.State.Status}} {{.State.ExitCode}}"), "created 127");
    assert!(host.inspect("kept", "{{.State.Error}}").contains("not found"));
}

#[test]
fn a_missing_image_is_125_and_says_which() {
    let host = Host::new();
    host.berth(["run", "--rm", "--pull", "never", "no-such-image"]).code(125).says("no-such-image");
}

#[test]
fn entrypoint_and_command_combine_as_docker_does() {
    let host = Host::new();
    let archive = crate::harness::rootfs_archive().to_str().unwrap();
    host.berth(["import", "-c", "ENTRYPOINT [\"echo\",\"entry\"]", "-c", "CMD [\"default\"]", archive, "app"]).ok();
    assert_eq!(host.berth(["run", "--rm", "app"]).ok().out(), "entry default");
    assert_eq!(host.berth(["run", "--rm", "app", "given"]).ok().out(), "entry given");
    assert_eq!(host.berth(["run", "--rm", "--entrypoint", "echo", "app", "only"]).ok().out(), "only");
    host.berth(["run", "--rm", "--entrypoint", "", "app"]).code(125).says("no command specified");
}

#[test]
fn without_any_command_it_says_so() {
    let host = Host::with_image();
    host.berth(["run", "--rm", IMAGE]).code(125).says("no command specified");
}

#[test]
fn cidfile_holds_the_id_and_is_never_overwritten() {
    let host = Host::with_image();
    let path = host.path("cid");
    host.berth(["run", "--cidfile", path.to_str().unwrap(), IMAGE, "true"]).ok();
    let id = std::fs::read_to_string(&path).unwrap();
    assert_eq!(host.containers(), std::slice::from_ref(&id));
    host.berth(["run", "--cidfile", path.to_str().unwrap(), IMAGE, "true"]).code(125).says("cid");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), id);
}

#[test]
fn what_may_vanish_lies_in_the_run_root() {
    let host = Host::with_image();
    host.berth(["run", "--rm", IMAGE, "true"]).ok();
    let filters = std::fs::read_dir(host.path("run/seccomp")).unwrap().count();
    assert!(filters > 0);
    std::fs::remove_dir_all(host.path("run")).unwrap();
    host.berth(["run", "--rm", IMAGE, "true"]).ok();
    assert_eq!(std::fs::read_dir(host.path("run/seccomp")).unwrap().count(), filters);
}

#[test]
fn many_at_once() {
    let host = Host::with_image();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..5 {
                    let word = format!("n{number}");
                    assert_eq!(host.berth(["run", "--rm", IMAGE, "echo", &word]).ok().out(), word);
                }
            });
        }
    });
    assert!(host.containers().is_empty());
}
