//! `exec`: runs a further process in a running container.

use std::time::{Duration, Instant};

use api::Client;
use api::types::{ExecConfig, ExecStart};
use base::{Error, Result};

use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::container::foreground::{self, DETACH_KEYS, Terminal};
use crate::container::request::Streams;
use crate::container::variables;
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;
use crate::stream::detach;
use crate::stream::hold::{Event, hold, tell_size};
use crate::stream::relay::{Ended, Shape};
use crate::stream::signals::{Signals, Wanted};
use crate::stream::terminal;

pub(crate) static EXEC: Command = Command {
    usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
    about: "Execute a command in a running container",
    paths: &["berth container exec", "berth exec"],
    flags: &[&[
        Flag::switch("detach", "Detached mode: run command in the background").short('d'),
        DETACH_KEYS,
        Flag::list("env", "Set environment variables").short('e'),
        Flag::list("env-file", "Read in a file of environment variables"),
        Flag::switch("interactive", "Keep STDIN open even if not attached").short('i'),
        Flag::switch("privileged", "Give extended privileges to the command"),
        Flag::switch("tty", "Allocate a pseudo-TTY").short('t'),
        Flag::text("user", "Username or UID (format: \"<name|uid>[:<group|gid>]\")").short('u'),
        Flag::text("workdir", "Working directory inside the container").short('w'),
    ]],
    arity: Arity::AtLeast(2),
    order: Order::First,
    codes: Codes::Command,
    action: Action::Run(run),
};

/// An exec whose stream has ended is recorded as ended within milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let keys = foreground::keys(session, matches)?;
    let config = config(session, matches)?;
    let is_detached = matches.is("detach");
    if !is_detached {
        let streams = Streams { stdin: config.attach_stdin, stdout: true, stderr: true };
        foreground::check_input(streams, if config.tty { Terminal::Own } else { Terminal::None })?;
    }
    let client = session.client()?;
    let exec = client.create_exec(&matches.arguments[0], &config)?.id;
    let start = ExecStart { detach: is_detached, tty: config.tty, console_size: config.console_size };
    if is_detached {
        client.start_exec_detached(&exec, &start)?;
        return Ok(0);
    }
    let mut signals = Signals::catch(Wanted::Ending)?;
    let stream = client.start_exec(&exec, &start)?;
    // A process that has just ended needs no other size.
    let mut tell = |event: Event| {
        if let Event::Resized { height, width } = event {
            let _ = client.resize_exec(&exec, height, width);
        }
    };
    if config.tty {
        tell_size(&mut tell);
    }
    let shape = Shape { tty: config.tty, input: config.attach_stdin, keys: detach::parse_keys(&keys)? };
    match hold(stream, shape, &mut signals, &mut tell)? {
        Ended::Detached => {
            session.warn("read escape sequence");
            Ok(0)
        }
        Ended::OutputGone => Err(Failure::Closed),
        Ended::Closed => {
            signals.give_back();
            Ok(exit_code(client, &exec)?)
        }
    }
}

fn config(session: &Session<'_>, matches: &Matches) -> Result<ExecConfig> {
    let lookup = |name: &str| session.environment.variable(name).map(str::to_owned);
    let text = |name: &str| matches.text(name).unwrap_or_default().to_owned();
    let is_attached = !matches.is("detach");
    let size = terminal::size().map(|(height, width)| [height.into(), width.into()]);
    Ok(ExecConfig {
        attach_stdin: is_attached && matches.is("interactive"),
        attach_stdout: is_attached,
        attach_stderr: is_attached,
        console_size: size.filter(|_| matches.is("tty")),
        detach_keys: String::new(),
        tty: matches.is("tty"),
        env: variables::environment(&matches.list("env-file"), &matches.list("env"), &lookup)?,
        cmd: matches.arguments[1..].to_vec(),
        privileged: matches.is("privileged"),
        user: text("user"),
        working_dir: text("workdir"),
    })
}

fn exit_code(client: &Client, exec: &str) -> Result<u8> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let details = client.inspect_exec(exec)?;
        match details.exit_code {
            // A process's code has eight bits.
            Some(code) if !details.running => return Ok((code & 0xff) as u8),
            _ if Instant::now() > deadline => {
                return Err(Error::unavailable(format!("exec {exec} ended without an exit code")));
            }
            _ => std::thread::sleep(PAUSE),
        }
    }
}
