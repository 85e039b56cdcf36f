//! What the command line needs to know and cannot find out by itself.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use api::{LogLevel, Transport};
use base::Result;

use crate::flags::Matches;

/// The world around one call of the program, given by whoever starts it.
pub struct Environment<'a> {
    /// The environment's variables.
    pub variables: Vec<(OsString, OsString)>,
    /// The working directory.
    pub directory: PathBuf,
    /// What the program can do beyond talking to an engine.
    pub hooks: Hooks<'a>,
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Variables hold secrets.
        write!(formatter, "Environment({})", self.directory.display())
    }
}

/// What only the program itself can do; the command line calls at most one of them.
#[allow(missing_debug_implementations, reason = "closures have nothing to show")]
pub struct Hooks<'a> {
    /// Makes this process an engine, and returns the way to it.
    pub in_process: &'a dyn Fn(&Globals) -> Result<Box<dyn Transport>>,
    /// Serves the API on these sockets until a signal ends it.
    pub daemon: &'a dyn Fn(&Globals, &[String]) -> Result<()>,
    /// Puts back what another program took away of networks.
    pub reload_networks: &'a dyn Fn(&Globals) -> Result<()>,
    /// Brings up what should run after a boot; returns a line for each container.
    pub boot: &'a dyn Fn(&Globals) -> Result<Vec<String>>,
    /// Stops everything for a shutdown of the host; returns a line for each container.
    pub shutdown: &'a dyn Fn(&Globals) -> Result<Vec<String>>,
    /// Installs the unit that boots and shuts down; returns what it did, a line for each step.
    pub install: &'a dyn Fn(&Globals) -> Result<Vec<String>>,
}

impl Environment<'_> {
    /// The value of a variable, where it is set and is UTF-8.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variable_os(name).and_then(OsStr::to_str)
    }

    /// The value of a variable, where it is set.
    pub(crate) fn variable_os(&self, name: &str) -> Option<&OsStr> {
        self.variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
    }
}

/// The options that stand before the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Globals {
    /// `--root`: the engine's state; nothing is the default.
    pub root: Option<PathBuf>,
    /// `--runroot`: what need not survive a reboot; nothing is the default.
    pub runroot: Option<PathBuf>,
    /// `--config-file`: the engine's configuration; nothing is the default.
    pub config_file: Option<PathBuf>,
    /// `--host` or `DOCKER_HOST`: the socket of an engine elsewhere; nothing makes this process the engine.
    pub host: Option<String>,
    /// `--log-level`; `debug` with `-D`; nothing where neither is given.
    pub log_level: Option<LogLevel>,
    /// The folder of Docker's `config.json`.
    pub client_folder: PathBuf,
}

impl Globals {
    pub(crate) fn new(matches: &Matches, environment: &Environment<'_>) -> Result<Self> {
        let path = |name: &str| matches.text(name).map(|path| environment.directory.join(path));
        let variable = |name: &str| environment.variable(name).filter(|value| !value.is_empty());
        let home = environment.variable_os("HOME").unwrap_or(OsStr::new("/root"));
        let client_folder = path("config")
            .or_else(|| variable("DOCKER_CONFIG").map(|folder| environment.directory.join(folder)))
            .unwrap_or_else(|| PathBuf::from(home).join(".docker"));
        let named = matches.text("log-level").map(str::parse).transpose()?;
        let log_level = if matches.is("debug") { Some(LogLevel::Debug) } else { named };
        Ok(Self {
            root: path("root"),
            runroot: path("runroot"),
            config_file: path("config-file"),
            host: matches.text("host").or(variable("DOCKER_HOST")).map(str::to_owned),
            log_level,
            client_folder,
        })
    }
}
