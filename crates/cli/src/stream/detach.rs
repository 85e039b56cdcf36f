//! The keys that leave a container running and the terminal free.

use base::{Error, Result};

/// Docker's: ctrl-p, ctrl-q.
const DEFAULT: &[u8] = &[0x10, 0x11];

/// Parses `ctrl-p,ctrl-q`, `a`, `ctrl-\,x`; nothing is the default.
///
/// # Errors
/// `Invalid` for a part that is neither one character nor `ctrl-` and one of `a`–`z`, `@`, `[`, `\`, `]`, `^`, `_`.
pub(crate) fn parse_keys(text: &str) -> Result<Vec<u8>> {
    if text.is_empty() {
        return Ok(DEFAULT.to_vec());
    }
    text.split(',').map(parse_key).collect::<Option<Vec<u8>>>().ok_or_else(|| {
        Error::invalid(format!(
            "invalid detach keys ({text}): each is one character or ctrl-a to ctrl-z, ctrl-@, ctrl-[, ctrl-\\, ctrl-], ctrl-^, ctrl-_"
        ))
    })
}

fn parse_key(part: &str) -> Option<u8> {
    match (part.as_bytes(), part.to_ascii_lowercase().strip_prefix("ctrl-").map(str::as_bytes)) {
        ([key], _) => Some(*key),
        (_, Some([key @ b'a'..=b'z'])) => Some(key - b'a' + 1),
        (_, Some([key @ (b'@' | b'[' | b'\\' | b']' | b'^' | b'_')])) => Some(key - b'@'),
        (b"DEL", _) => Some(127),
        _ => None,
    }
}

/// Watches what the user types.
#[derive(Debug)]
pub(crate) struct Watcher {
    keys: Vec<u8>,
    matched: usize,
}

impl Watcher {
    /// Looks for `keys`, in a row.
    pub(crate) fn new(keys: Vec<u8>) -> Self {
        Self { keys, matched: 0 }
    }

    /// What of `typed` goes on to the container, and whether the keys are complete.
    ///
    /// A beginning of the keys is held back until it is clear what it is; what follows complete keys is dropped.
    pub(crate) fn push(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut passed = Vec::with_capacity(typed.len() + self.matched);
        for byte in typed {
            if self.keys.get(self.matched) != Some(byte) {
                self.fall_back(*byte, &mut passed);
            } else {
                self.matched += 1;
            }
            if self.matched == self.keys.len() && !self.keys.is_empty() {
                return (passed, true);
            }
        }
        (passed, false)
    }

    /// Gives up as little as necessary of what is held: its end may be the beginning of the keys again.
    fn fall_back(&mut self, byte: u8, passed: &mut Vec<u8>) {
        let mut held = self.keys[..self.matched].to_vec();
        held.push(byte);
        let kept = (0..held.len()).rev().find(|length| held.ends_with(&self.keys[..*length])).unwrap_or(0);
        passed.extend(&held[..held.len() - kept]);
        self.matched = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_of_keys() {
        for (text, keys) in [
            ("", &[16, 17][..]),
            ("ctrl-p,ctrl-q", &[16, 17]),
            ("ctrl-P", &[16]),
            ("a,b", b"ab"),
            ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", &[0, 27, 28, 29, 30, 31]),
            ("DEL", &[127]),
        ] {
            assert_eq!(parse_keys(text).unwrap(), keys, "{text}");
        }
        for text in ["ctrl-", "ctrl-1", "ab", "a,,b", "ctrl-pp", "ü"] {
            assert!(parse_keys(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_are_found_across_reads_and_nothing_else_is_lost() {
        for (keys, typed, passed, detached) in [
            ("ab", &["xy"][..], "xy", false),
            ("ab", &["ab"], "", true),
            ("ab", &["xa", "b", "z"], "x", true),
            ("ab", &["a", "c"], "ac", false),
            ("ab", &["a", "ab"], "a", true),
            ("aab", &["aaab"], "a", true),
            ("abac", &["ababac"], "ab", true),
            ("ab", &["a"], "", false),
        ] {
            let mut watcher = Watcher::new(keys.as_bytes().to_vec());
            let (mut all, mut found) = (Vec::new(), false);
            for piece in typed {
                let (part, complete) = watcher.push(piece.as_bytes());
                all.extend(part);
                found |= complete;
                if found {
                    break;
                }
            }
            assert_eq!((String::from_utf8(all).unwrap().as_str(), found), (passed, detached), "{keys} in {typed:?}");
        }
    }
}
