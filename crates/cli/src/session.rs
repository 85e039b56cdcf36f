//! One run of a command: the engine that it talks to, and where its words go.

use std::cell::OnceCell;
use std::io::{ErrorKind, Write};

use api::{Client, LogLevel};
use base::{Error, Kind, Result};

use crate::command::{Failure, Outcome};
use crate::credentials::{ClientConfiguration, Credentials};
use crate::environment::{Environment, Globals};
use crate::trace::Traced;
use oci::reference::Reference;

/// So many things are done at once, as in Docker.
const AT_ONCE: usize = 50;

fn panicked() -> Error {
    Error::internal("a thread of this command has panicked")
}

/// What a command works with.
pub(crate) struct Session<'a> {
    pub(crate) environment: &'a Environment<'a>,
    pub(crate) globals: Globals,
    client: OnceCell<Client>,
    configuration: OnceCell<ClientConfiguration>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(environment: &'a Environment<'a>, globals: Globals) -> Self {
        Self { environment, globals, client: OnceCell::new(), configuration: OnceCell::new() }
    }

    /// The engine. The first call opens or connects it: a command whose arguments are wrong never does.
    ///
    /// # Errors
    /// What opening the state root fails with, or a host that cannot be one.
    pub(crate) fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.connect()?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Another connection to the same engine, for another thread.
    ///
    /// # Errors
    /// As [`Session::client`].
    pub(crate) fn connect(&self) -> Result<Client> {
        let transport = match &self.globals.host {
            Some(host) => Box::new(api::Socket::new(host)?),
            None => (self.environment.hooks.in_process)(&self.globals)?,
        };
        let is_traced = self.globals.log_level == Some(LogLevel::Debug);
        Ok(Client::new(if is_traced { Box::new(Traced(transport)) } else { transport }))
    }

    /// The user's `config.json`.
    ///
    /// # Errors
    /// `Invalid` for a file that is none.
    pub(crate) fn configuration(&self) -> Result<&ClientConfiguration> {
        if let Some(configuration) = self.configuration.get() {
            return Ok(configuration);
        }
        let configuration = ClientConfiguration::read(&self.globals.client_folder)?;
        Ok(self.configuration.get_or_init(|| configuration))
    }

    /// The user's credentials for the registry of `reference`.
    ///
    /// # Errors
    /// What `config.json` or a helper fails with.
    pub(crate) fn credentials(&self, reference: &Reference) -> Result<Option<Credentials>> {
        self.configuration()?.credentials(reference.registry(), self.environment.variable_os("PATH"))
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// `Closed` where nobody reads it.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        write_stdout(text)
    }

    /// Writes a line to standard error, where nobody need read it.
    pub(crate) fn warn(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Does `action` to each name, prints what it returns, and goes on where one fails.
    ///
    /// # Errors
    /// All failures together, when every name has had its turn.
    pub(crate) fn each(&self, names: &[String], mut action: impl FnMut(&Client, &str) -> Result<String>) -> Outcome {
        let client = self.client()?;
        let mut errors = Vec::new();
        for name in names {
            match action(client, name) {
                Ok(line) => self.print(&format!("{line}\n"))?,
                Err(error) => errors.push(error),
            }
        }
        Failure::from_all(errors)
    }

    /// Refuses an engine elsewhere: what the command `what` does concerns this host.
    ///
    /// # Errors
    /// `Unsupported` with a host.
    pub(crate) fn refuse_host(&self, what: &str) -> Result<()> {
        match &self.globals.host {
            Some(host) => Err(Error::unsupported(format!(
                "{what}: this host is meant, not {host}: leave out --host and DOCKER_HOST"
            ))),
            None => Ok(()),
        }
    }

    /// As [`Session::each`], for many names at once: what takes its time takes it once. Output is in the order of the names.
    ///
    /// A failure of the kind `Unchanged` is said and is none.
    ///
    /// # Errors
    /// All failures together, when every name has had its turn.
    pub(crate) fn each_at_once(
        &self,
        names: &[String],
        action: impl Fn(&Client, &str) -> Result<String> + Sync,
    ) -> Outcome {
        let client = self.client()?;
        let mut errors = Vec::new();
        for some in names.chunks(AT_ONCE) {
            let outcomes: Vec<Result<String>> = match some {
                [name] => vec![action(client, name)],
                _ => std::thread::scope(|scope| {
                    let threads: Vec<_> = some.iter().map(|name| scope.spawn(|| action(client, name))).collect();
                    threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect()
                }),
            };
            for outcome in outcomes {
                match outcome {
                    Ok(line) => self.print(&format!("{line}\n"))?,
                    Err(error) if error.kind() == Kind::Unchanged => self.warn(&error.to_string()),
                    Err(error) => errors.push(error),
                }
            }
        }
        Failure::from_all(errors)
    }

    /// Asks whether what `warning` says should be done, on behalf of the command `what`.
    ///
    /// # Errors
    /// `Conflict` where the answer is no, `Closed` where nobody reads the question.
    pub(crate) fn agree(&self, what: &str, warning: &str) -> Result<(), Failure> {
        if self.confirm(&format!("{warning}\nAre you sure you want to continue?"))? {
            return Ok(());
        }
        Err(Error::conflict(format!("{what} has been cancelled")).into())
    }

    /// Asks a question that is answered with y; anything else is no.
    ///
    /// # Errors
    /// `Closed` where nobody reads it.
    pub(crate) fn confirm(&self, question: &str) -> Result<bool, Failure> {
        self.print(&format!("{question} [y/N] "))?;
        let mut answer = String::new();
        // An input that cannot be read has not said yes.
        let _ = std::io::stdin().read_line(&mut answer);
        Ok(answer.trim().eq_ignore_ascii_case("y"))
    }
}

/// Writes to standard output.
///
/// # Errors
/// `Closed` where nobody reads it.
pub(crate) fn write_stdout(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::Closed),
        Err(error) => Err(Failure::Error(base::Failure::into_error(error).context("write to standard output"))),
    }
}
