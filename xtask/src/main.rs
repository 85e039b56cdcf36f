//! Automation of the repository: `cargo xtask tidy` and `cargo xtask acceptance`.
#![forbid(unsafe_code)]

mod acceptance;
mod layers;
mod sources;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy
       cargo xtask acceptance RESULTS…   compare tests/acceptance.toml with what `cargo test` printed into RESULTS
       cargo xtask open                  list what tests/acceptance.toml says is open";

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["tidy"] => tidy::check(root).and_then(|summary| Ok(format!("{summary}\n{}", acceptance::check(root)?))),
        ["acceptance", ref results @ ..] if !results.is_empty() => acceptance::compare(root, results),
        ["open"] => acceptance::list_open(root),
        _ => Err(vec![USAGE.to_owned()]),
    };
    match outcome {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(complaints) => {
            for complaint in &complaints {
                eprintln!("{complaint}");
            }
            ExitCode::FAILURE
        }
    }
}
