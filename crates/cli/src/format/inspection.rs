//! `inspect`: everything of several things, as JSON or through a template.

use base::{Error, Result};

use super::document::Document;
use super::list::unescape;
use super::template::{Format, Line};
use crate::command::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::session::Session;

/// `--format` of what shows one thing, not a list.
pub(crate) const FORMAT: Flag = Flag::text(
    "format",
    "Format output using a custom template:\n'json':             Print in JSON format\n\
     'TEMPLATE':         Print output using the given Go template",
)
.short('f');

/// What one thing is, as the engine writes it, or why there is none.
pub(crate) type Found = Result<Vec<u8>>;

/// Shows what `find` finds under each of the names: what is there is shown also where something is missing.
///
/// # Errors
/// What was not found, after all the rest; a template that is wrong.
pub(crate) fn inspect(session: &Session<'_>, matches: &Matches, find: impl Fn(&str) -> Found) -> Outcome {
    let format = matches.text("format").filter(|format| !format.is_empty() && *format != "json");
    let format = format.map(|format| Format::parse(&unescape(format), Line::Item)).transpose()?;
    let (mut documents, mut errors) = (Vec::new(), Vec::new());
    for name in &matches.arguments {
        match find(name).and_then(|bytes| read(&bytes)) {
            Ok(document) => documents.push(document),
            Err(error) => errors.push(error),
        }
    }
    match (format, matches.text("format")) {
        (Some(format), _) => {
            for document in &documents {
                let line = format.apply(document.to_value(), "")?;
                session.print(&format!("{line}\n"))?;
            }
        }
        (None, Some("json")) => session.print(&format!("{}\n", Document::List(documents).to_line()))?,
        (None, _) => session.print(&format!("{}\n", Document::List(documents).to_pretty()))?,
    }
    Failure::from_all(errors)
}

/// Reads what an engine wrote.
///
/// # Errors
/// `Corrupt` for what is no JSON.
pub(crate) fn read(bytes: &[u8]) -> Result<Document> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::corrupt(format!("the engine's answer is not understood: {error}")))
}
