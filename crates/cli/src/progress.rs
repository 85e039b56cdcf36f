//! The progress of a pull, push or import: bars on a terminal, plain lines elsewhere.

use std::io::{BufRead, BufReader, Read};

use base::{Error, Result};
use serde::Deserialize;

use crate::command::Failure;
use crate::session::write_stdout;
use crate::stream::terminal;

/// One message of the API's stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    id: String,
    status: String,
    stream: String,
    #[serde(rename = "progressDetail")]
    detail: Detail,
    #[serde(rename = "errorDetail")]
    error_detail: Option<ErrorDetail>,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    current: i64,
    total: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorDetail {
    message: String,
}

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Display {
    /// Bars that move.
    Bars {
        /// Of the terminal.
        columns: usize,
    },
    /// A line for each change, without those that only count bytes.
    Lines,
    /// Nothing but errors.
    Quiet,
}

impl Display {
    /// What suits standard output.
    pub(crate) fn for_stdout() -> Self {
        Self::for_columns(terminal::columns(std::io::stdout()))
    }

    /// What suits standard error.
    pub(crate) fn for_stderr() -> Self {
        Self::for_columns(terminal::columns(std::io::stderr()))
    }

    fn for_columns(columns: Option<usize>) -> Self {
        columns.map_or(Self::Lines, |columns| Self::Bars { columns })
    }
}

/// A longer message is none of ours.
const LONGEST_MESSAGE: u64 = 1 << 20;

/// Shows the stream until its end; each piece of text goes to `write`.
///
/// # Errors
/// The error that the stream reports, and one that cannot be read.
pub(crate) fn show(
    stream: &mut dyn Read,
    display: Display,
    mut write: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut screen = Screen::default();
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let read = reader.by_ref().take(LONGEST_MESSAGE).read_until(b'\n', &mut line);
        if read.map_err(|error| Error::unavailable(format!("the engine broke off: {error}")))? == 0 {
            return Ok(());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let message: Message = serde_json::from_slice(&line)
            .map_err(|error| Error::corrupt(format!("the engine's progress is not understood: {error}")))?;
        if let Some(error) = message.error.as_ref() {
            let text = message.error_detail.as_ref().map_or(error, |detail| &detail.message);
            return Err(Failure::Error(Error::internal(text.clone())));
        }
        let text = match display {
            Display::Quiet => String::new(),
            Display::Lines => plain(&message),
            Display::Bars { columns } => screen.draw(&message, columns),
        };
        if !text.is_empty() {
            write(&text)?;
        }
    }
}

/// Shows the stream on standard output, as suits it.
///
/// # Errors
/// As [`show`].
pub(crate) fn show_on_stdout(stream: &mut dyn Read, display: Display) -> Result<(), Failure> {
    show(stream, display, write_stdout)
}

fn plain(message: &Message) -> String {
    match message {
        Message { stream, .. } if !stream.is_empty() => stream.clone(),
        Message { detail, .. } if detail.current > 0 || detail.total > 0 => String::new(),
        Message { status, .. } if status.is_empty() => String::new(),
        Message { id, status, .. } if id.is_empty() => format!("{status}\n"),
        Message { id, status, .. } => format!("{id}: {status}\n"),
    }
}

/// Which subject is on which line: each keeps its own, below those before it.
#[derive(Debug, Default)]
struct Screen {
    subjects: Vec<String>,
}

impl Screen {
    fn draw(&mut self, message: &Message, columns: usize) -> String {
        if message.id.is_empty() || message.status.is_empty() {
            // What belongs to no line comes below all lines, which then stay as they are.
            self.subjects.clear();
            return plain(message);
        }
        let text = format!("{}: {}", message.id, describe(message, columns.saturating_sub(message.id.len() + 2)));
        let position = self.subjects.iter().position(|subject| *subject == message.id);
        match position {
            Some(position) => {
                let up = self.subjects.len() - position;
                format!("\x1b[{up}A\r\x1b[2K{text}\r\x1b[{up}B")
            }
            None => {
                self.subjects.push(message.id.clone());
                format!("\r\x1b[2K{text}\n")
            }
        }
    }
}

/// `Downloading [====>      ]  1.2MB/3.4MB`, in at most `columns`.
fn describe(message: &Message, columns: usize) -> String {
    let Detail { current, total } = message.detail;
    let (done, all) = (u64::try_from(current).unwrap_or(0), u64::try_from(total).unwrap_or(0));
    if done == 0 && all == 0 {
        return message.status.clone();
    }
    let size = |bytes: u64| base::size::format_decimal(bytes, 4);
    if all == 0 {
        return format!("{}  {}", message.status, size(done));
    }
    let numbers = format!("{:>8}/{}", size(done.min(all)), size(all));
    let width = columns.saturating_sub(message.status.len() + numbers.len() + 5).min(50);
    if width < 5 {
        return format!("{} {numbers}", message.status);
    }
    let filled = usize::try_from(u128::from(done.min(all)) * (width as u128) / u128::from(all)).unwrap_or(width);
    let (done, head) = if filled < width { ("=".repeat(filled), ">") } else { ("=".repeat(width - 1), ">") };
    let line = format!("{done}{head}");
    format!("{} [{line:width$}] {numbers}", message.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PULL: &str = concat!(
        r#"{"status":"Pulling from library/alpine","id":"3.20"}"#,
        "\n",
        r#"{"status":"Pulling fs layer","progressDetail":{},"id":"aaaa"}"#,
        "\r\n",
        r#"{"status":"Downloading","progressDetail":{"current":50,"total":100},"progress":"[=>]","id":"aaaa"}"#,
        "\n",
        r#"{"status":"Pull complete","progressDetail":{},"id":"aaaa"}"#,
        "\n",
        r#"{"status":"Digest: sha256:1"}"#,
        "\n",
    );

    fn shown(stream: &str, display: Display) -> Result<String, Failure> {
        let mut text = String::new();
        show(&mut stream.as_bytes(), display, |part| {
            text.push_str(part);
            Ok(())
        })?;
        Ok(text)
    }

    #[test]
    fn plain_lines_leave_out_the_counting() {
        let expected =
            "3.20: Pulling from library/alpine\naaaa: Pulling fs layer\naaaa: Pull complete\nDigest: sha256:1\n";
        assert_eq!(shown(PULL, Display::Lines).unwrap(), expected);
        assert_eq!(shown(PULL, Display::Quiet).unwrap(), "");
    }

    #[test]
    fn bars_stay_on_their_lines() {
        let text = shown(PULL, Display::Bars { columns: 50 }).unwrap();
        let expected = "\r\x1b[2K3.20: Pulling from library/alpine\n\r\x1b[2Kaaaa: Pulling fs layer\n\
            \x1b[1A\r\x1b[2Kaaaa: Downloading [=======>       ]      50B/100B\r\x1b[1B\
            \x1b[1A\r\x1b[2Kaaaa: Pull complete\r\x1b[1BDigest: sha256:1\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_error_ends_it() {
        let stream =
            format!("{PULL}{}\n", r#"{"errorDetail":{"message":"no such manifest"},"error":"no such manifest"}"#);
        assert!(
            matches!(shown(&stream, Display::Lines), Err(Failure::Error(error)) if error.to_string() == "no such manifest")
        );
        assert!(shown("not json\n", Display::Lines).is_err());
    }
}
