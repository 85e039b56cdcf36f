//! One entry and its line of JSON.

use base::time::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Where an entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output, and all of a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    /// What stands before `length` bytes of this stream where several share a connection: Docker's header, which is the
    /// stream's number, three zeros, and the length as four bytes, most significant first.
    #[must_use]
    pub fn frame_header(self, length: usize) -> [u8; 8] {
        let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        [self as u8 + 1, 0, 0, 0, a, b, c, d]
    }
}

/// A line that a container wrote, or a part of a very long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When its first byte was read.
    pub time: Timestamp,
    /// Where it came from.
    pub stream: Stream,
    /// With its line break; without one it goes on in the next entry of the same stream, or was the last.
    pub line: String,
    /// What the log options asked for: labels, variables, a tag.
    pub attributes: BTreeMap<String, String>,
}

/// The line of JSON; every field may be missing in what others wrote.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    log: String,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    attrs: BTreeMap<String, String>,
    time: Timestamp,
}

impl Entry {
    /// Reads a line of JSON without its line break; `None` where it is none, as after a crash or a full disk.
    #[must_use]
    pub fn decode(line: &[u8]) -> Option<Self> {
        let line: Line = serde_json::from_slice(line).ok()?;
        let stream = if line.stream == "stderr" { Stream::Stderr } else { Stream::Stdout };
        Some(Self { time: line.time, stream, line: line.log, attributes: line.attrs })
    }
}

/// Appends the line of JSON for `text` to `output`, byte for byte as Docker does. `attributes` is JSON already, or empty.
pub(crate) fn encode(output: &mut Vec<u8>, stream: Stream, text: &[u8], attributes: &[u8], time: &str) {
    output.extend_from_slice(b"{\"log\":\"");
    for chunk in text.utf8_chunks() {
        escape(output, chunk.valid());
        for _ in chunk.invalid() {
            output.extend_from_slice(b"\\ufffd");
        }
    }
    output.extend_from_slice(b"\",\"stream\":\"");
    output.extend_from_slice(stream.as_str().as_bytes());
    output.push(b'"');
    if !attributes.is_empty() {
        output.extend_from_slice(b",\"attrs\":");
        output.extend_from_slice(attributes);
    }
    output.extend_from_slice(b",\"time\":\"");
    output.extend_from_slice(time.as_bytes());
    output.extend_from_slice(b"\"}\n");
}

fn escape(output: &mut Vec<u8>, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for character in text.chars() {
        match character {
            '"' => output.extend_from_slice(b"\\\""),
            '\\' => output.extend_from_slice(b"\\\\"),
            '\n' => output.extend_from_slice(b"\\n"),
            '\r' => output.extend_from_slice(b"\\r"),
            '\u{2028}' => output.extend_from_slice(b"\\u2028"),
            '\u{2029}' => output.extend_from_slice(b"\\u2029"),
            '\0'..='\x1f' | '<' | '>' | '&' => {
                let byte = character as u8;
                output.extend_from_slice(b"\\u00");
                output.push(DIGITS[usize::from(byte >> 4)]);
                output.push(DIGITS[usize::from(byte & 15)]);
            }
            other => output.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &[u8], attributes: &[u8]) -> String {
        let mut output = Vec::new();
        encode(&mut output, Stream::Stderr, text, attributes, "2026-01-02T03:04:05.6Z");
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn lines_are_dockers() {
        for (text, expected) in [
            (b"hello\n".as_slice(), r"hello\n"),
            (b"\ta\r\n", r"\u0009a\r\n"),
            (b"<a href=\"x\">&\\\x1b", r#"\u003ca href=\"x\"\u003e\u0026\\\u001b"#),
            ("é→\u{2028}".as_bytes(), r"é→\u2028"),
            (b"\xff\xfe!\xc3", r"\ufffd\ufffd!\ufffd"),
        ] {
            let expected =
                format!("{{\"log\":\"{expected}\",\"stream\":\"stderr\",\"time\":\"2026-01-02T03:04:05.6Z\"}}\n");
            assert_eq!(encoded(text, b""), expected);
        }
        assert_eq!(
            encoded(b"x\n", br#"{"tag":"t"}"#),
            "{\"log\":\"x\\n\",\"stream\":\"stderr\",\"attrs\":{\"tag\":\"t\"},\"time\":\"2026-01-02T03:04:05.6Z\"}\n"
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let entry = Entry::decode(encoded("a\"\\\n\u{1}é".as_bytes(), br#"{"a":"b"}"#).trim_end().as_bytes()).unwrap();
        assert_eq!(entry.line, "a\"\\\n\u{1}é");
        assert_eq!(entry.stream, Stream::Stderr);
        assert_eq!(entry.time.rfc3339_nano(), "2026-01-02T03:04:05.6Z");
        assert_eq!(entry.attributes["a"], "b");
    }

    #[test]
    fn frames_are_dockers() {
        assert_eq!(Stream::Stderr.frame_header(0x0102_0304), [2, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(Stream::Stdout.frame_header(5), [1, 0, 0, 0, 0, 0, 0, 5]);
    }

    #[test]
    fn damaged_lines_are_no_entries() {
        for line in
            ["", "{", "{\"log\":\"abc", "null", "[]", "{\"log\":\"a\"}", "{\"log\":\"a\",\"time\":\"yesterday\"}"]
        {
            assert_eq!(Entry::decode(line.as_bytes()), None, "{line}");
        }
    }
}
