//! `wait`: blocks until containers have ended, and prints their exit codes.

use api::client::{WaitCondition, Waiting};
use base::{Error, Result};

use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::session::Session;

pub(crate) static WAIT: Command = Command {
    usage: "CONTAINER [CONTAINER...]",
    about: "Block until one or more containers stop, then print their exit codes",
    paths: &["berth container wait", "berth wait"],
    flags: &[],
    arity: Arity::AtLeast(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let client = session.client()?;
    // All waits are in force before the first one blocks: a container that ends and goes meanwhile is not missed.
    let waits: Vec<Result<Waiting>> =
        matches.arguments.iter().map(|name| client.wait_container(name, WaitCondition::NotRunning)).collect();
    let mut errors = Vec::new();
    for wait in waits {
        match wait.and_then(code) {
            Ok(code) => session.print(&format!("{code}\n"))?,
            Err(error) => errors.push(error),
        }
    }
    Failure::from_all(errors)
}

fn code(waiting: Waiting) -> Result<i64> {
    let exit = waiting.finish()?;
    match exit.error {
        Some(error) => Err(Error::internal(error.message)),
        None => Ok(exit.status_code),
    }
}
