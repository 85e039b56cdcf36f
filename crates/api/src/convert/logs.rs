//! Lines of a log as clients read them.

use engine::containers::LogEntry;

/// What stands before a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Its time.
    pub(crate) timestamps: bool,
    /// Its attributes.
    pub(crate) details: bool,
}

impl Style {
    /// A line by itself.
    pub(crate) fn line(self, entry: &LogEntry) -> Vec<u8> {
        let mut text = Vec::with_capacity(entry.line.len() + 32);
        if self.timestamps {
            text.extend(entry.time.rfc3339_fixed().as_bytes());
            text.push(b' ');
        }
        if self.details {
            let pair = |(name, value): (&String, &String)| {
                format!("{}={}", crate::percent::encode_query(name), crate::percent::encode_query(value))
            };
            text.extend(entry.attributes.iter().map(pair).collect::<Vec<_>>().join(",").as_bytes());
            text.push(b' ');
        }
        text.extend(&entry.line);
        text
    }

    /// A line in its frame.
    pub(crate) fn frame(self, entry: &LogEntry) -> Vec<u8> {
        let line = self.line(entry);
        // Lines are at most 16 KiB and their attributes.
        [entry.source.frame_header(line.len()).as_slice(), &line].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::time::Timestamp;
    use engine::containers::LogSource;

    #[test]
    fn lines_are_dockers() {
        let entry = LogEntry {
            time: Timestamp::from_unix(1_700_000_000, 500_000_000),
            source: LogSource::Stderr,
            line: b"hello\n".to_vec(),
            attributes: [("tier", "a b"), ("env", "x")].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        };
        let plain = Style { timestamps: false, details: false };
        assert_eq!(plain.line(&entry), b"hello\n");
        assert_eq!(plain.frame(&entry), b"\x02\0\0\0\0\0\0\x06hello\n");
        let full = Style { timestamps: true, details: true };
        let text = String::from_utf8(full.line(&entry)).unwrap();
        assert_eq!(text, "2023-11-14T22:13:20.500000000Z env=x,tier=a%20b hello\n");
    }
}
