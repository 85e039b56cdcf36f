//! Containers from creation to removal, with real supervisors and a busybox image, as root.
//!
//! The test program plays every role itself: `supervise …` is a supervisor, `--root …` is what a supervisor calls back, `do …` is one operation in a
//! process of its own, which may be killed on its way, and otherwise it runs the tests one after the other.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what they expect by panicking")]

mod cases;
mod host;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("supervise") => return supervisor::main(std::env::args_os().skip(2)),
        Some("--root") => return host::called_back(&arguments[1..]),
        Some("do") => return host::operate(&arguments[2..]),
        _ => {}
    }
    let wanted: Vec<&String> = arguments[1..].iter().filter(|argument| !argument.starts_with('-')).collect();
    let all = cases::CASES.iter();
    if arguments.iter().any(|argument| argument == "--list") {
        all.for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let chosen = all.filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str())));
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in chosen {
        let outcome = if run(*case) { "ok" } else { "FAILED" };
        if outcome == "ok" {
            passed += 1
        } else {
            failed += 1
        }
        println!("test {name} ... {outcome}");
    }
    println!("\ntest result: {}. {passed} passed; {failed} failed", if failed == 0 { "ok" } else { "FAILED" });
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Each case in a process and a network namespace of its own: what it panics with does not end the others, and nothing of its networks is the host's.
fn run(case: fn()) -> bool {
    use sys::clone::{Namespaces, Side, fork};
    match fork(Namespaces { network: true, ..Namespaces::default() }, None).unwrap() {
        Side::Child => {
            sys::network::bring_up_loopback().unwrap();
            case();
            sys::process::exit_now(0)
        }
        Side::Parent(pid, _) => {
            let status = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap();
            status.is_some_and(|(_, status)| status.exit_status() == Some(0))
        }
    }
}
