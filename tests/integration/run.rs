//! The walking skeleton: an imported image becomes a process and leaves nothing.

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
    host.berth(["run", "--rm", IMAGE, "sh", "-c", "kill -9 $$"]).code(137);
}

#[test]
fn a_missing_command_is_127_and_a_directory_126() {
    let host = Host::with_image();
    host.berth(["run", "--rm", IMAGE, "no-such-command"]).code(127).says("executable file not found in $PATH");
    host.berth(["run", "--rm", IMAGE, "/etc"]).code(126);
    assert!(host.containers().is_empty());
}
