//! `daemon`: serves the API on sockets.

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;

pub(crate) static DAEMON: Command = Command {
    usage: "[OPTIONS]",
    about: "Serve the Docker Engine API on sockets",
    paths: &[],
    flags: &[&[
        Flag::list("host", "Socket to listen on, as unix://PATH (default: berth.sock in the run root)").short('H')
    ]],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let mut hosts: Vec<String> = matches.list("host").into_iter().map(str::to_owned).collect();
    // `berth -H unix://… daemon` means the same; where clients look (`DOCKER_HOST`) is not where a daemon listens.
    if let Some(host) = &session.globals.host
        && session.environment.variable("DOCKER_HOST") != Some(host.as_str())
    {
        hosts.insert(0, host.clone());
    }
    (session.environment.hooks.daemon)(&session.globals, &hosts)?;
    Ok(0)
}
