//! A container in the foreground: its streams are the user's, and so are its signals and its exit code.

use std::os::unix::net::UnixStream;

use api::Client;
use api::client::{AttachOptions, WaitCondition, Waiting};
use api::types::ContainerConfig;
use base::{Error, Result};

use super::request::Streams;
use crate::command::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::session::Session;
use crate::stream::detach;
use crate::stream::hold::{Event, hold, tell_size};
use crate::stream::relay::{Ended, Shape};
use crate::stream::signals::{Signals, Wanted};
use crate::stream::terminal;

/// `--detach-keys`.
pub(crate) const DETACH_KEYS: Flag = Flag::text("detach-keys", "Override the key sequence for detaching a container");

/// How a container is held in the foreground.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) tty: bool,
    pub(crate) streams: Streams,
    /// As the user spells them; nothing is the default.
    pub(crate) keys: String,
    /// `All` passes them on to the container.
    pub(crate) signals: Wanted,
    /// After which the exit code is known.
    pub(crate) until: WaitCondition,
}

/// The keys that detach, from the line or from the user's `config.json`.
///
/// # Errors
/// `Invalid` for keys that cannot be.
pub(crate) fn keys(session: &Session<'_>, matches: &Matches) -> Result<String> {
    let given = matches.text("detach-keys").filter(|keys| !keys.is_empty());
    let keys = match given {
        Some(keys) => keys.to_owned(),
        None => session.configuration()?.detach_keys.clone(),
    };
    detach::parse_keys(&keys)?;
    Ok(keys)
}

/// Refuses keys from something that is no terminal for a process that has one.
///
/// # Errors
/// Exit code 1, in Docker's words.
pub(crate) fn check_input(streams: Streams, terminal: Terminal) -> Result<(), Failure> {
    if terminal == Terminal::Own && streams.stdin && !terminal::stdin_is_terminal() {
        return Err(Failure::Coded(Error::invalid("the input device is not a TTY"), 1));
    }
    Ok(())
}

/// Whether the container's process has a terminal of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terminal {
    Own,
    None,
}

impl Terminal {
    /// What a container's configuration says.
    pub(crate) fn of(config: &ContainerConfig) -> Self {
        if config.tty { Self::Own } else { Self::None }
    }
}

/// A container whose streams and whose exit are at hand: whatever it writes and whenever it ends, nothing is missed.
pub(crate) struct Foreground<'a> {
    client: &'a Client,
    container: &'a str,
    plan: Plan,
    stream: UnixStream,
    signals: Signals,
    waiting: Waiting,
}

impl<'a> Foreground<'a> {
    /// Attaches to a container that is about to be started, or that runs.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn connect(client: &'a Client, container: &'a str, plan: Plan) -> Result<Self> {
        let signals = Signals::catch(plan.signals)?;
        let options = AttachOptions {
            stdin: plan.streams.stdin,
            stdout: plan.streams.stdout,
            stderr: plan.streams.stderr,
            stream: true,
            ..AttachOptions::default()
        };
        let stream = client.attach_container(container, &options)?;
        let waiting = client.wait_container(container, plan.until)?;
        Ok(Self { client, container, plan, stream, signals, waiting })
    }

    /// Makes a program on the container's terminal draw its screen again: a terminal that keeps its size tells it nothing.
    pub(crate) fn redraw(&self) {
        if let Some((height, width)) = terminal::size() {
            // Nothing is lost where it fails but an up-to-date screen.
            let _ = self.client.resize_container(self.container, height.saturating_add(1), width.saturating_add(1));
        }
    }

    /// Carries bytes and signals until the container ends, and returns its exit code; 0 when the user detaches.
    ///
    /// # Errors
    /// The engine's, and `Closed` where nobody reads the output any more.
    pub(crate) fn carry(mut self, session: &Session<'_>) -> Outcome {
        let Plan { tty, streams, .. } = self.plan;
        let (client, container) = (self.client, self.container);
        // A container that has just ended can be told nothing; its exit code comes anyway.
        let mut tell = |event: Event| {
            let _ = match event {
                Event::Resized { height, width } => client.resize_container(container, height, width),
                Event::Signal(signal) => client.kill_container(container, &signal.to_string()),
            };
        };
        if tty {
            tell_size(&mut tell);
        }
        let shape = Shape { tty, input: streams.stdin, keys: detach::parse_keys(&self.plan.keys)? };
        let ended = hold(self.stream, shape, &mut self.signals, &mut tell)?;
        match ended {
            Ended::Detached => {
                session.warn("read escape sequence");
                Ok(0)
            }
            Ended::OutputGone => Err(Failure::Closed),
            Ended::Closed => {
                self.signals.give_back();
                exit_code(self.waiting)
            }
        }
    }
}

/// Waits for the exit, and returns its code as this process's own.
///
/// # Errors
/// Why there is none.
pub(crate) fn exit_code(waiting: Waiting) -> Outcome {
    let exit = waiting.finish()?;
    match exit.error {
        Some(error) => Err(Error::internal(error.message).into()),
        // A process's code has eight bits.
        None => Ok((exit.status_code & 0xff) as u8),
    }
}
