//! What a command is, and how a line of arguments finds one and runs it.

use base::{Error, Result};

use crate::commands;
use crate::environment::{Environment, Globals};
use crate::flags::{self, Arity, Flag, Matches, Order};
use crate::session::Session;

/// A command or a group of commands; always a constant.
#[derive(Debug)]
pub(crate) struct Command {
    /// What follows the command's name in its usage line.
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
    /// Every path under which the command is found, for its help; empty where there is only one.
    pub(crate) paths: &'static [&'static str],
    pub(crate) flags: &'static [&'static [Flag]],
    pub(crate) arity: Arity,
    pub(crate) order: Order,
    pub(crate) codes: Codes,
    pub(crate) action: Action,
}

/// What a command does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Run(fn(&Session<'_>, &Matches) -> Outcome),
    Group(&'static [Entry]),
}

/// A command under one of its names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) command: &'static Command,
}

impl Entry {
    pub(crate) const fn new(name: &'static str, command: &'static Command) -> Self {
        Self { name, aliases: &[], command }
    }

    pub(crate) const fn with_aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

/// Which exit codes a command's errors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codes {
    /// 1 for every error.
    One,
    /// 125, 126 or 127 by the kind of the error, and a pointer to the help, as `run` does it.
    Container,
    /// 126 or 127 for a command that cannot be executed, 1 for everything else, as `exec` does it.
    Command,
}

/// How a command ended: its exit code, or why it has none.
pub(crate) type Outcome = Result<u8, Failure>;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something failed; said in one line.
    Error(Error),
    /// Several things failed, each of which is said in its own line.
    Several(Vec<Error>),
    /// The arguments contradict each other or have values that cannot be: exit code 125 and a pointer to the help.
    Usage(String),
    /// Something failed whose exit code does not follow from its kind.
    Coded(Error, u8),
    /// Whoever read the output has gone; there is nobody to tell.
    Closed,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Failure {
    /// A usage error with an error's message.
    pub(crate) fn usage(error: impl std::fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }

    /// `Ok` with code 0 when nothing failed.
    pub(crate) fn from_all(errors: Vec<Error>) -> Outcome {
        if errors.is_empty() { Ok(0) } else { Err(Self::Several(errors)) }
    }
}

/// The exit code of a flag that does not exist, is not supported, or has a value that cannot be.
const USAGE: u8 = 125;
/// The exit code of the default action of SIGPIPE, as a shell reports it.
const CLOSED: u8 = 141;

/// Runs the command that `arguments` (without the program's name) call for.
pub(crate) fn dispatch(arguments: &[String], environment: &Environment<'_>) -> u8 {
    let matches = match flags::parse(GLOBAL_TABLES, Order::First, arguments) {
        Ok(matches) => matches,
        Err(error) => return complain(&error.0, "berth", commands::ROOT_USAGE, USAGE),
    };
    if matches.help || (matches.arguments.is_empty() && !matches.is("version")) {
        return show(&flags::root_help(commands::ROOT, GLOBAL_FLAGS));
    }
    if matches.is("version") {
        return show(&format!("berth version {}\n", env!("CARGO_PKG_VERSION")));
    }
    let globals = match matches.refuse_unsupported().and_then(|()| Globals::new(&matches, environment)) {
        Ok(globals) => globals,
        Err(error) => return fail(&format!("{error}"), USAGE),
    };
    let session = Session::new(environment, globals);
    if matches.arguments[0] == "help" {
        return help(&matches.arguments[1..]);
    }
    descend(&session, "berth".to_owned(), &all_root_entries(), &matches.arguments)
}

fn all_root_entries() -> Vec<Entry> {
    commands::ROOT.iter().flat_map(|(_, entries)| entries.iter().copied()).collect()
}

/// Finds the next word of `arguments` among `entries` and goes on there.
fn descend(session: &Session<'_>, path: String, entries: &[Entry], arguments: &[String]) -> u8 {
    let Some((word, rest)) = arguments.split_first() else { return 0 };
    let Some(entry) = find(entries, word) else {
        return unknown(&path, entries, word);
    };
    // The name that the user wrote, as Docker's usage lines have it: `container ps` stays `container ps`.
    let path = format!("{path} {word}");
    match entry.command.action {
        Action::Run(action) => run(session, &path, entry.command, (action, rest)),
        Action::Group(_) if rest.first().is_none_or(|word| word == "--help" || word == "-h") => {
            show(&flags::group_help(&path, entry.command))
        }
        Action::Group(entries) => descend(session, path, entries, rest),
    }
}

type Call<'a> = (fn(&Session<'_>, &Matches) -> Outcome, &'a [String]);

fn run(session: &Session<'_>, path: &str, command: &'static Command, (action, arguments): Call<'_>) -> u8 {
    let matches = match flags::parse(command.flags, command.order, arguments) {
        Ok(matches) => matches,
        Err(error) => return complain(&error.0, path, command.usage, USAGE),
    };
    if matches.help {
        return show(&flags::command_help(path, command));
    }
    if let Some(complaint) = command.arity.complaint(matches.arguments.len()) {
        return complain(&format!("berth: '{path}' {complaint}"), path, command.usage, 1);
    }
    if let Err(error) = matches.refuse_unsupported() {
        return fail(&error.to_string(), USAGE);
    }
    match action(session, &matches) {
        Ok(code) => code,
        Err(failure) => report(&failure, path, command.codes),
    }
}

/// Says why a command failed, and returns its exit code.
fn report(failure: &Failure, path: &str, codes: Codes) -> u8 {
    let pointer = format!("\n\nRun '{path} --help' for more information");
    match failure {
        Failure::Closed => CLOSED,
        Failure::Coded(error, code) => fail(&error.to_string(), *code),
        Failure::Usage(message) => fail(&format!("{message}{pointer}"), USAGE),
        Failure::Several(errors) => {
            for error in errors {
                fail(&error.to_string(), 1);
            }
            1
        }
        Failure::Error(error) => match (codes, error.exit_code()) {
            (Codes::One, _) | (Codes::Command, 125) => fail(&error.to_string(), 1),
            (Codes::Command, code) => fail(&error.to_string(), code),
            (Codes::Container, code) => fail(&format!("{error}{pointer}"), code),
        },
    }
}

fn find(entries: &[Entry], word: &str) -> Option<Entry> {
    entries.iter().find(|entry| entry.name == word || entry.aliases.contains(&word)).copied()
}

fn help(words: &[String]) -> u8 {
    let mut path = "berth".to_owned();
    let mut entries = all_root_entries();
    let mut text = flags::root_help(commands::ROOT, GLOBAL_FLAGS);
    for word in words {
        let Some(entry) = find(&entries, word) else {
            return unknown(&path, &entries, word);
        };
        path = format!("{path} {word}");
        text = flags::command_help(&path, entry.command);
        if let Action::Group(inner) = entry.command.action {
            text = flags::group_help(&path, entry.command);
            entries = inner.to_vec();
        } else {
            entries.clear();
        }
    }
    show(&text)
}

fn unknown(path: &str, entries: &[Entry], word: &str) -> u8 {
    let names = entries.iter().flat_map(|entry| std::iter::once(entry.name).chain(entry.aliases.iter().copied()));
    let hint = match base::nearest::nearest(word, names) {
        Some(name) => format!("\n\nDid you mean '{path} {name}'?"),
        None => String::new(),
    };
    fail(&format!("unknown command: {path} {word}{hint}\n\nRun '{path} --help' for more information"), 1)
}

fn complain(message: &str, path: &str, usage: &str, code: u8) -> u8 {
    let line = flags::usage_line(path, usage);
    eprint_quietly(&format!("{message}\n\n{line}\n\nRun '{path} --help' for more information\n"));
    code
}

fn fail(message: &str, code: u8) -> u8 {
    eprint_quietly(&format!("berth: {message}\n"));
    code
}

/// Writes to stderr; one that is closed has nobody to be told.
fn eprint_quietly(text: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn show(text: &str) -> u8 {
    match crate::session::write_stdout(text) {
        Ok(()) => 0,
        Err(_) => CLOSED,
    }
}

static GLOBAL_TABLES: &[&[Flag]] = &[GLOBAL_FLAGS];

static GLOBAL_FLAGS: &[Flag] = &[
    Flag::text("config", "Folder of the client's configuration, as Docker's (default \"~/.docker\")"),
    Flag::text("config-file", "The engine's configuration (default \"/etc/berth/engine.json\")"),
    Flag::text("context", "Name of the context to use").short('c').refused(),
    Flag::switch("debug", "Log what the engine does").short('D'),
    Flag::text("host", "Socket of an engine to talk to; without one this process is the engine").short('H'),
    Flag::text("log-level", "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")")
        .short('l')
        .default("info"),
    Flag::text("root", "Folder of the engine's state (default \"/var/lib/berth\")"),
    Flag::text("runroot", "Folder of what need not survive a reboot (default \"/run/berth\")"),
    Flag::switch("tls", "Use TLS; implied by --tlsverify").refused(),
    Flag::text("tlscacert", "Trust certs signed only by this CA").refused(),
    Flag::text("tlscert", "Path to TLS certificate file").refused(),
    Flag::text("tlskey", "Path to TLS key file").refused(),
    Flag::switch("tlsverify", "Use TLS and verify the remote").refused(),
    Flag::switch("version", "Print the version and quit").short('v'),
];
