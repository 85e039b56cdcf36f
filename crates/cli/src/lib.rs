//! Arguments to API calls to what a person reads.
//!
//! The command line is a client of the Docker Engine API, whose other side is a socket or this very process: [`main`] finds the
//! command, which turns its flags into a request and the response into text. It knows nothing of the engine.
#![forbid(unsafe_code)]

mod command;
mod commands;
mod container;
mod credentials;
mod environment;
mod filter;
mod flags;
mod format;
mod progress;
mod session;
mod stream;
mod trace;

pub use environment::{Environment, Globals, Hooks};

/// Runs the command line `arguments` (without the program's name) and returns the exit code.
///
/// Writes to the process's standard streams; a container's own exit code is passed on, 125 to 127 are Docker's.
#[must_use]
pub fn main(arguments: &[String], environment: &Environment<'_>) -> u8 {
    command::dispatch(arguments, environment)
}

/// What the template `format` makes of a thing that is given as JSON: for the fuzz targets.
///
/// # Errors
/// `Invalid` for what is no template, no JSON, or does not fit together.
#[cfg(feature = "fuzz-targets")]
pub fn render(format: &str, json: &str) -> base::Result<String> {
    let parsed = format::template::Format::parse(format, format::template::Line::Item)?;
    let document: format::document::Document =
        serde_json::from_str(json).map_err(|error| base::Error::invalid(error.to_string()))?;
    parsed.apply(document.to_value(), "")
}
