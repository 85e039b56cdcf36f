//! `run`: makes a container, starts it, and stays with it until it ends.

use api::Client;
use api::client::{RemoveOptions, WaitCondition};
use base::Result;

use super::create;
use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::container::flags;
use crate::container::foreground::{self, Foreground, Plan, Terminal};
use crate::container::request::{self, Detached};
use crate::flags::{Arity, Matches, Order};
use crate::session::Session;
use crate::stream::signals::Wanted;

pub(crate) static RUN: Command = Command {
    usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    about: "Create and run a new container from an image",
    paths: &["berth container run", "berth run"],
    flags: &[flags::CREATE, flags::RUN],
    arity: Arity::AtLeast(1),
    order: Order::First,
    codes: Codes::Container,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let detached = if matches.is("detach") { Detached::Yes } else { Detached::No };
    let streams = request::streams(matches, detached).map_err(Failure::usage)?;
    let keys = foreground::keys(session, matches).map_err(Failure::usage)?;
    let body = create::body(session, matches, detached)?;
    foreground::check_input(streams, Terminal::of(&body.config))?;
    let id = create::make(session, matches, &body)?;
    let client = session.client()?;
    let is_temporary = body.host_config.auto_remove;
    let begin = || start(client, &id, if is_temporary { OnFailure::Remove } else { OnFailure::Keep });
    if detached == Detached::Yes {
        begin()?;
        session.print(&format!("{id}\n"))?;
        return Ok(0);
    }
    let plan = Plan {
        tty: body.config.tty,
        streams,
        keys,
        signals: if matches.is("sig-proxy") { Wanted::All } else { Wanted::Ending },
        until: if is_temporary { WaitCondition::Removed } else { WaitCondition::NextExit },
    };
    let foreground = Foreground::connect(client, &id, plan)?;
    begin()?;
    foreground.carry(session)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnFailure {
    Remove,
    Keep,
}

fn start(client: &Client, id: &str, on_failure: OnFailure) -> Result<()> {
    let started = client.start_container(id);
    if started.is_err() && on_failure == OnFailure::Remove {
        // The engine may have removed it already; why it did not start is what the user wants to know.
        let _ = client.remove_container(id, RemoveOptions { force: true, volumes: true, link: false });
    }
    started
}
