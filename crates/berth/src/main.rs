//! berth, a container engine in one binary: which role does this process play?
//!
//! `supervise` stays with a container, `container-exited` and `container-restart` are the way back from a supervisor into the engine, and
//! everything else is the command line. The process has one thread until its role is known: supervisors fork, and forks copy one thread only.
#![forbid(unsafe_code)]

mod boot;
mod callback;
mod install;
mod open;
mod serve;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use base::{Context, Result};
use cli::{Environment, Globals, Hooks};

/// musl's own gives memory back and asks for it again with nearly every allocation: some 350 system calls for one `run`.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// The exit code of arguments that cannot be understood, as `docker run` has it.
const USAGE: u8 = 125;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|role| role == "supervise") {
        return supervisor::main(arguments.into_iter().skip(1));
    }
    if let Some(call) = callback::Call::recognise(&arguments) {
        return call.answer();
    }
    match command_line(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "berth: {error}");
            ExitCode::from(USAGE)
        }
    }
}

fn command_line(arguments: Vec<OsString>) -> Result<u8> {
    let texts = arguments.into_iter().map(OsString::into_string).collect::<Result<Vec<String>, OsString>>();
    let arguments =
        texts.map_err(|argument| base::Error::invalid(format!("the argument {argument:?} is not UTF-8")))?;
    let environment = Environment {
        variables: std::env::vars_os().collect(),
        directory: std::env::current_dir().context("find the working directory")?,
        hooks: Hooks {
            in_process: &|globals: &Globals| Ok(Box::new(api::InProcess::new(open::engine(globals)?))),
            daemon: &serve::daemon,
            reload_networks: &|globals| open::engine(globals)?.reload_networks(&engine::Caller::engine()),
            boot: &boot::boot,
            shutdown: &boot::shut_down,
            install: &install::install,
        },
    };
    Ok(cli::main(&arguments, &environment))
}
