//! The journal of what happened: `events.jsonl`, one JSON object per line, appended by whoever does a thing.
//!
//! A line is one `O_APPEND` write to a file that is opened under a shared lock; rotation renames the file under the exclusive one, so no
//! writer ever holds a file that was rotated away. Readers take no lock: a line without its end is not read yet.

mod journal;

use std::collections::BTreeMap;
use std::time::Duration;

use base::Result;
use base::time::Timestamp;

use crate::caller::Operation;
use crate::containers::Filter;
use crate::{Caller, Engine, Polled};

pub use base::journal::Event;
use journal::Reader;

/// How long an event waits for a rotation.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which events to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRequest {
    /// From then on; `None`: from now on.
    pub since: Option<Timestamp>,
    /// Up to then; `None`: goes on.
    pub until: Option<Timestamp>,
    /// `type`, `event`, `container`, `image`, `volume`, `label`.
    pub filter: Filter,
}

/// The keys that events can be filtered by.
const FILTERS: &[&str] = &["container", "daemon", "event", "image", "label", "network", "scope", "type", "volume"];

/// An open journal.
#[derive(Debug)]
pub struct Events {
    reader: Reader,
    request: EventRequest,
}

impl Events {
    /// The next event; waits for one no longer than `patience`.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn poll_event(&mut self, patience: Duration) -> Result<Polled<Event>> {
        let end = Timestamp::now().plus(patience);
        loop {
            let until = self.request.until.map_or(end, |until| until.min(end));
            match self.reader.next_line(Some(until))? {
                None if self.request.until.is_some_and(|until| until <= Timestamp::now()) => return Ok(Polled::End),
                None => return Ok(Polled::Nothing),
                // A line that a power cut left half-written says nothing.
                Some(line) => match serde_json::from_slice::<Event>(&line) {
                    Ok(event) if self.request.until.is_some_and(|until| event.time > until) => return Ok(Polled::End),
                    Ok(event) if passes(&event, &self.request) => return Ok(Polled::Item(event)),
                    _ => {}
                },
            }
        }
    }
}

fn passes(event: &Event, request: &EventRequest) -> bool {
    if request.since.is_some_and(|since| event.time < since) {
        return false;
    }
    request.filter.values.iter().all(|(key, values)| {
        let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(value));
        let named = |value: &str| {
            event.subject == value
                || (event.subject.starts_with(value) && base::id::Id::is_prefix(value))
                || event.attributes.get("name").is_some_and(|name| name == value)
        };
        match key.as_str() {
            "type" => any(&|value| event.kind == value),
            "event" => any(&|value| event.action == value || event.action.split(':').next() == Some(value)),
            "container" => event.kind == "container" && any(&named),
            "volume" => event.kind == "volume" && any(&named),
            "network" => event.kind == "network" && any(&named),
            "daemon" => event.kind == "daemon" && any(&named),
            "image" => any(&|value| of_image(event, value)),
            "label" => values.iter().all(|value| has_label(&event.attributes, value)),
            // Everything here is local.
            _ => any(&|value| value == "local"),
        }
    })
}

fn of_image(event: &Event, value: &str) -> bool {
    let name = match event.kind.as_str() {
        "image" => Some(event.subject.as_str()),
        _ => event.attributes.get("image").map(String::as_str),
    };
    name.is_some_and(|name| name == value || name.split_once(':').is_some_and(|(bare, _)| bare == value))
}

/// Whether `labels` has `key` or `key=value`.
pub(crate) fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|own| own == value),
        None => labels.contains_key(wanted),
    }
}

impl Engine {
    /// Opens the journal.
    ///
    /// # Errors
    /// `Invalid` for an unknown filter.
    pub fn events(&self, caller: &Caller, request: &EventRequest) -> Result<Events> {
        caller.permit(Operation::Read, "events")?;
        request.filter.check_keys(FILTERS)?;
        let start = if request.since.is_some() { journal::Start::Oldest } else { journal::Start::Now };
        let reader = Reader::open(self.root.directory(), start)?;
        Ok(Events { reader, request: request.clone() })
    }

    /// Appends an event. A journal that cannot be written stops nothing: what it tells of has happened.
    pub(crate) fn record_event(&self, kind: &str, action: &str, subject: &str, attributes: BTreeMap<String, String>) {
        let event = Event {
            time: Timestamp::now(),
            kind: kind.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            attributes,
        };
        let _ = base::journal::append(self.root.directory(), &event, PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_events() {
        let event = Event {
            time: Timestamp::from_unix(100, 0),
            kind: "container".to_owned(),
            action: "exec_create: ls".to_owned(),
            subject: "ab12".to_owned(),
            attributes: [("name", "web"), ("image", "debian:12"), ("tier", "front")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        };
        let table = [
            ("type", "container", true),
            ("type", "image", false),
            ("event", "exec_create", true),
            ("event", "start", false),
            ("container", "web", true),
            ("container", "ab", true),
            ("container", "db", false),
            ("image", "debian", true),
            ("image", "debian:11", false),
            ("label", "tier=front", true),
            ("label", "tier=back", false),
            ("scope", "local", true),
        ];
        for (key, value, expected) in table {
            let filter = Filter { values: [(key.to_owned(), vec![value.to_owned()])].into() };
            let request = EventRequest { filter, ..EventRequest::default() };
            assert_eq!(passes(&event, &request), expected, "{key}={value}");
        }
        let later = EventRequest { since: Some(Timestamp::from_unix(101, 0)), ..EventRequest::default() };
        assert!(!passes(&event, &later));
    }
}
