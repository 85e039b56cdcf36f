//! `start`: starts containers, and stays with one where that is wanted.

use api::client::WaitCondition;
use base::{Error, Result};

use super::unless_unchanged;
use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::container::foreground::{self, DETACH_KEYS, Foreground, Plan, Terminal};
use crate::container::request::Streams;
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;
use crate::stream::signals::Wanted;

pub(crate) static START: Command = Command {
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Start one or more stopped containers",
    paths: &["berth container start", "berth start"],
    flags: &[&[
        Flag::switch("attach", "Attach STDOUT/STDERR and forward signals").short('a'),
        Flag::text("checkpoint", "Restore from this checkpoint").refused(),
        Flag::text("checkpoint-dir", "Use a custom checkpoint storage directory").refused(),
        DETACH_KEYS,
        Flag::switch("interactive", "Attach container's STDIN").short('i'),
    ]],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    if !matches.is("attach") && !matches.is("interactive") {
        return session.each(&matches.arguments, |client, name| {
            unless_unchanged(client.start_container(name))?;
            Ok(name.to_owned())
        });
    }
    match &matches.arguments[..] {
        [name] => start_attached(session, matches, name),
        _ => Err(Error::invalid("you cannot start and attach multiple containers at once").into()),
    }
}

fn start_attached(session: &Session<'_>, matches: &Matches, name: &str) -> Outcome {
    let client = session.client()?;
    let details = client.inspect_container(name)?;
    let streams = Streams { stdin: matches.is("interactive") && details.config.open_stdin, stdout: true, stderr: true };
    foreground::check_input(streams, Terminal::of(&details.config))?;
    let plan = plan(session, matches, (&details, streams))?;
    let foreground = Foreground::connect(client, &details.id, plan)?;
    unless_unchanged(client.start_container(&details.id))?;
    foreground.carry(session)
}

type Target<'a> = (&'a api::types::ContainerInspect, Streams);

fn plan(session: &Session<'_>, matches: &Matches, (details, streams): Target<'_>) -> Result<Plan, Failure> {
    let tty = details.config.tty;
    Ok(Plan {
        tty,
        streams,
        keys: foreground::keys(session, matches)?,
        // A terminal sends signals by keys.
        signals: if tty { Wanted::Ending } else { Wanted::All },
        until: if details.host_config.auto_remove { WaitCondition::Removed } else { WaitCondition::NextExit },
    })
}
