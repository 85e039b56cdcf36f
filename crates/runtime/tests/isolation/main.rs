//! Real containers of the runtime alone: a busybox root file system, as root.
//!
//! Each case runs in a process of its own with one thread, since only such a process may make containers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what they expect by panicking")]
mod credentials;
mod files;
mod hostile;
mod machine;
mod namespaces;
mod programs;

use std::process::ExitCode;

/// A case and its name.
pub type Case = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let groups = [namespaces::CASES, files::CASES, hostile::CASES, credentials::CASES, programs::CASES];
    let cases: Vec<Case> = groups.concat();
    if arguments.iter().any(|argument| argument == "--list") {
        cases.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases {
        if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let good = machine::apart(case) == 0;
        println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
        *(if good { &mut passed } else { &mut failed }) += 1;
    }
    println!("\ntest result: {}. {passed} passed; {failed} failed", if failed == 0 { "ok" } else { "FAILED" });
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
