//! `events`: what happens, as it happens.

use std::io::{BufRead, BufReader, Read};

use api::client::EventOptions;
use api::types::Event;
use base::time::Timestamp;
use base::{Error, Result};

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Flag, Kind, Matches, Order};
use crate::format::document::Document;
use crate::format::fields::with_names;
use crate::format::inspection;
use crate::format::list::unescape;
use crate::format::template::{Format, Line};
use crate::session::Session;

pub(crate) static EVENTS: Command = Command {
    usage: "[OPTIONS]",
    about: "Get real time events from the server",
    paths: &["berth system events", "berth events"],
    flags: &[&[
        Flag::list("filter", "Filter output based on conditions provided").short('f').kind(Kind::List("filter")),
        Flag::text(
            "format",
            "Format output using a custom template:\n'json':             Print in JSON format\n\
             'TEMPLATE':         Print output using the given Go template",
        ),
        Flag::text("since", "Show all events created since timestamp"),
        Flag::text("until", "Stream events until this timestamp"),
    ]],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

/// A longer line is no event.
const LONGEST_LINE: u64 = 1 << 20;

/// Go's names of the members of an event.
const NAMES: &[(&str, &str)] = &[
    ("ID", "id"),
    ("Status", "status"),
    ("From", "from"),
    ("Scope", "scope"),
    ("Time", "time"),
    ("TimeNano", "timeNano"),
];

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let format = matches.text("format").filter(|format| !format.is_empty());
    let template = format.filter(|format| *format != "json" && *format != "{{json .}}");
    let template = template.map(|format| Format::parse(&unescape(format), Line::Item)).transpose()?;
    let options = EventOptions {
        since: matches.text("since").map(str::to_owned),
        until: matches.text("until").map(str::to_owned),
        filters: crate::filter::parse(&matches.list("filter"))?,
    };
    let mut reader = BufReader::new(session.client()?.events(&options)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        if read.map_err(|error| Error::unavailable(format!("the engine broke off: {error}")))? == 0 {
            return Ok(0);
        }
        let event = line.trim_ascii();
        if event.is_empty() {
            continue;
        }
        let text = match (format, &template) {
            (_, Some(template)) => template.apply(value(&inspection::read(event)?), "event")?,
            (Some(_), None) => inspection::read(event)?.to_line(),
            (None, None) => plain(event)?,
        };
        session.print(&format!("{text}\n"))?;
    }
}

/// An event as a template sees it: members that say nothing are left out on the wire.
fn value(event: &Document) -> gtmpl_ng::Value {
    let Document::Object(mut entries) = event.clone() else { return event.to_value() };
    for name in ["status", "id", "from"] {
        if event.get(name).is_none() {
            entries.push((name.to_owned(), Document::Text(String::new())));
        }
    }
    with_names(Document::Object(entries).to_value(), NAMES)
}

/// `2023-11-14T22:13:20.000000005Z container start 0123… (image=alpine, name=web)`.
fn plain(line: &[u8]) -> Result<String> {
    let event: Event = serde_json::from_slice(line)
        .map_err(|error| Error::corrupt(format!("the engine's event is not understood: {error}")))?;
    let time = match event.time_nano {
        0 => Timestamp::from_unix(event.time, 0),
        nanoseconds => {
            let fraction = u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).unwrap_or(0);
            Timestamp::from_unix(nanoseconds.div_euclid(1_000_000_000), fraction)
        }
    };
    let mut text = format!("{} {} {} {}", time.rfc3339_fixed(), event.kind, event.action, event.actor.id);
    if !event.actor.attributes.is_empty() {
        let attributes: Vec<String> =
            event.actor.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        text.push_str(&format!(" ({})", attributes.join(", ")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"Type":"volume","Action":"create","Actor":{"ID":"data","Attributes":{"driver":"local","a":"b"}},
        "scope":"local","time":1700000000,"timeNano":1700000000000000005}"#;

    #[test]
    fn events_read_like_dockers() {
        assert_eq!(
            plain(EVENT.as_bytes()).unwrap(),
            "2023-11-14T22:13:20.000000005Z volume create data (a=b, driver=local)"
        );
    }

    #[test]
    fn templates_know_gos_names() {
        let format = "{{.Type}} {{.Action}} {{.Actor.ID}} {{.Actor.Attributes.driver}} {{.Time}} {{.TimeNano}} [{{.ID}}{{.From}}]";
        let template = Format::parse(format, Line::Item).unwrap();
        let text = template.apply(value(&inspection::read(EVENT.as_bytes()).unwrap()), "event").unwrap();
        assert_eq!(text, "volume create data local 1700000000 1700000000000000005 []");
    }
}
