//! `attach`: connects the user's streams to those of a running container.

use api::client::WaitCondition;
use api::types::ContainerState;
use base::{Error, Result};

use crate::command::{Action, Codes, Command, Outcome};
use crate::container::foreground::{self, DETACH_KEYS, Foreground, Plan, Terminal};
use crate::container::request::Streams;
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;
use crate::stream::signals::Wanted;

pub(crate) static ATTACH: Command = Command {
    usage: "[OPTIONS] CONTAINER",
    about: "Attach local standard input, output, and error streams to a running container",
    paths: &["berth container attach", "berth attach"],
    flags: &[&[
        DETACH_KEYS,
        Flag::switch("no-stdin", "Do not attach STDIN"),
        Flag::switch("sig-proxy", "Proxy all received signals to the process").default("true"),
    ]],
    arity: Arity::Exactly(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let client = session.client()?;
    let details = client.inspect_container(&matches.arguments[0])?;
    check(&details.state)?;
    let streams = Streams { stdin: !matches.is("no-stdin") && details.config.open_stdin, stdout: true, stderr: true };
    foreground::check_input(streams, Terminal::of(&details.config))?;
    let tty = details.config.tty;
    let plan = Plan {
        tty,
        streams,
        keys: foreground::keys(session, matches)?,
        signals: if matches.is("sig-proxy") && !tty { Wanted::All } else { Wanted::Ending },
        until: WaitCondition::NotRunning,
    };
    let foreground = Foreground::connect(client, &details.id, plan)?;
    if tty {
        foreground.redraw();
    }
    foreground.carry(session)
}

fn check(state: &ContainerState) -> Result<()> {
    let refused = match state {
        ContainerState { running: false, .. } => "a stopped container, start it first",
        ContainerState { paused: true, .. } => "a paused container, unpause it first",
        ContainerState { restarting: true, .. } => "a restarting container, wait until it is running",
        _ => return Ok(()),
    };
    Err(Error::conflict(format!("cannot attach to {refused}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_is_attached_to() {
        let state = |running, paused, restarting| ContainerState { running, paused, restarting, ..Default::default() };
        for (state, word) in [
            (state(true, false, false), None),
            (state(false, false, false), Some("stopped")),
            (state(true, true, false), Some("paused")),
            (state(true, false, true), Some("restarting")),
        ] {
            match (check(&state), word) {
                (Ok(()), None) => {}
                (Err(error), Some(word)) => assert!(error.to_string().contains(word), "{error}"),
                (outcome, word) => panic!("{outcome:?} for {word:?}"),
            }
        }
    }
}
