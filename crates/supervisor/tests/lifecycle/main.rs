//! Real supervisors with real containers: a busybox root file system, as root.
//!
//! The test program plays every role itself: started as `supervise …` it is a supervisor, started as `--root …` it is the engine that a
//! supervisor calls back, and otherwise it runs the tests one after the other.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what they expect by panicking")]

mod cases;
mod machine;
mod rules;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("supervise") => return supervisor::main(std::env::args_os().skip(2)),
        Some("--root") => return machine::called_back(&arguments[1..]),
        _ => {}
    }
    let wanted: Vec<&String> = arguments[1..].iter().filter(|argument| !argument.starts_with('-')).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        cases::CASES.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let chosen =
        cases::CASES.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|word| name.contains(*word)));
    let mut failed = Vec::new();
    let mut passed = 0;
    for (name, case) in chosen {
        match run(*case) {
            true => {
                passed += 1;
                println!("test {name} ... ok");
            }
            false => {
                failed.push(*name);
                println!("test {name} ... FAILED");
            }
        }
    }
    println!(
        "\ntest result: {}. {passed} passed; {} failed",
        if failed.is_empty() { "ok" } else { "FAILED" },
        failed.len()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Each case in a process of its own: what it panics with does not end the others, and the process that starts supervisors has one thread.
fn run(case: fn()) -> bool {
    use sys::clone::{Namespaces, Side, fork};
    match fork(Namespaces::default(), None).unwrap() {
        Side::Child => {
            case();
            sys::process::exit_now(0)
        }
        Side::Parent(pid, _) => {
            let status = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap();
            status.is_some_and(|(_, status)| status.exit_status() == Some(0))
        }
    }
}
