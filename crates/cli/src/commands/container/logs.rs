//! `logs`: shows what a container has written, and goes on where that is wanted.

use api::client::LogOptions;
use base::{Error, Result};

use crate::command::{Action, Codes, Command, Failure, Outcome};
use crate::flags::{Arity, Flag, Matches, Order};
use crate::session::Session;
use crate::stream::relay::{self, Ended, Framing};

pub(crate) static LOGS: Command = Command {
    usage: "[OPTIONS] CONTAINER",
    about: "Fetch the logs of a container",
    paths: &["berth container logs", "berth logs"],
    flags: &[&[
        Flag::switch("details", "Show extra details provided to logs"),
        Flag::switch("follow", "Follow log output").short('f'),
        Flag::text(
            "since",
            "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)",
        ),
        Flag::text("tail", "Number of lines to show from the end of the logs").short('n').default("all"),
        Flag::switch("timestamps", "Show timestamps").short('t'),
        Flag::text(
            "until",
            "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)",
        ),
    ]],
    arity: Arity::Exactly(1),
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let text = |name: &str| matches.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let options = LogOptions {
        stdout: true,
        stderr: true,
        follow: matches.is("follow"),
        since: text("since"),
        until: text("until"),
        timestamps: matches.is("timestamps"),
        tail: matches.text("tail").map(tail).transpose()?,
        details: matches.is("details"),
    };
    let client = session.client()?;
    let details = client.inspect_container(&matches.arguments[0])?;
    let framing = if details.config.tty { Framing::Raw } else { Framing::Frames };
    let mut stream = client.container_logs(&details.id, &options)?;
    match relay::copy(&mut *stream, framing)? {
        Ended::OutputGone => Err(Failure::Closed),
        Ended::Closed | Ended::Detached => Ok(0),
    }
}

/// `all` or a number of lines; a negative one is all of them, as in Docker.
fn tail(text: &str) -> Result<String> {
    match text.parse::<i64>() {
        Ok(lines) if lines >= 0 => Ok(lines.to_string()),
        Ok(_) => Ok("all".to_owned()),
        Err(_) if text == "all" => Ok(text.to_owned()),
        Err(_) => Err(Error::invalid(format!("invalid value {text:?} for --tail: use a number of lines or all"))),
    }
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn the_number_of_lines() {
        for (text, expected) in
            [("all", Some("all")), ("0", Some("0")), ("12", Some("12")), ("-1", Some("all")), ("x", None), ("", None)]
        {
            assert_eq!(tail(text).ok().as_deref(), expected, "{text}");
        }
    }
}
