//! Percent-encoding, RFC 3986 §2.

use base::{Error, Result};

/// Writes `text` for a path, in which slashes and colons stay what they are.
pub(crate) fn encode_path(text: &str) -> String {
    encode(text, b"-._~/:@!$&'()*+,;=")
}

/// Writes `text` for a name or a value of a query.
pub(crate) fn encode_query(text: &str) -> String {
    encode(text, b"-._~/:@")
}

fn encode(text: &str, safe: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || safe.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Reads a path.
///
/// # Errors
/// `Invalid` for a percent sign without two digits, and for what is not UTF-8.
pub(crate) fn decode_path(text: &str) -> Result<String> {
    decode(text.as_bytes())
}

/// Reads a name or a value of a query, in which a plus is a space.
///
/// # Errors
/// As [`decode_path`].
pub(crate) fn decode_query(text: &str) -> Result<String> {
    decode(text.replace('+', " ").as_bytes())
}

fn decode(bytes: &[u8]) -> Result<String> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match after {
            [high, low, after @ ..] if digit(*high).is_some() && digit(*low).is_some() => {
                decoded.push(digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0));
                rest = after;
            }
            _ => return Err(Error::invalid("malformed address: a percent sign needs two hexadecimal digits after it")),
        }
    }
    String::from_utf8(decoded).map_err(|_| Error::invalid("malformed address: it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["", "a/b:c@sha256:0", "ä ö%&=+?#\"{}", "\u{0}\n"] {
            assert_eq!(decode_path(&encode_path(text)).unwrap(), text);
            assert_eq!(decode_query(&encode_query(text)).unwrap(), text);
        }
        assert_eq!(encode_query("{\"a b\"}+"), "%7B%22a%20b%22%7D%2B");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for text in ["%", "%1", "%zz", "%ff", "a%2"] {
            assert!(decode_path(text).is_err(), "{text}");
        }
    }
}
