//! Points in time as Docker's clients send them.

use base::time::Timestamp;
use base::{Error, Result};

/// A point in time: seconds since 1970 with or without a fraction, RFC 3339, or a duration before now. None, and 0 as Docker has it, is none.
///
/// # Errors
/// `Invalid` for anything else.
pub(crate) fn parse(text: Option<&str>) -> Result<Option<Timestamp>> {
    let Some(text) = text.filter(|text| *text != "0") else { return Ok(None) };
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if let Ok(seconds) = seconds.parse::<i64>() {
        let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
        return match digits.parse() {
            Ok(nanoseconds) => Ok(Some(Timestamp::from_unix(seconds, nanoseconds))),
            Err(_) => Err(wrong(text)),
        };
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Some(time));
    }
    match base::duration::parse_go(text) {
        Ok(duration) => Ok(Some(Timestamp::now().minus(duration))),
        // Without a time of day, or without a zone.
        Err(_) if text.len() == 10 => parse_rfc(&format!("{text}T00:00:00Z"), text),
        Err(_) => parse_rfc(&format!("{text}Z"), text),
    }
}

fn parse_rfc(completed: &str, text: &str) -> Result<Option<Timestamp>> {
    completed.parse::<Timestamp>().map(Some).map_err(|_| wrong(text))
}

fn wrong(text: &str) -> Error {
    Error::invalid(format!("{text:?} is no time: use seconds since 1970, RFC 3339 or a duration like 10m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_all_kinds_are_read() {
        let table = [
            ("1700000000", Timestamp::from_unix(1_700_000_000, 0)),
            ("1700000000.000000025", Timestamp::from_unix(1_700_000_000, 25)),
            ("1700000000.5", Timestamp::from_unix(1_700_000_000, 500_000_000)),
            ("2023-11-14T22:13:20Z", Timestamp::from_unix(1_700_000_000, 0)),
            ("2023-11-14T22:13:20", Timestamp::from_unix(1_700_000_000, 0)),
            ("2023-11-14", Timestamp::from_unix(1_699_920_000, 0)),
        ];
        for (text, expected) in table {
            assert_eq!(parse(Some(text)).unwrap(), Some(expected), "{text}");
        }
        assert_eq!((parse(None).unwrap(), parse(Some("0")).unwrap()), (None, None));
        assert!(parse(Some("10m")).unwrap().is_some_and(|time| time < Timestamp::now()));
        for text in ["yesterday", "1.x", "2023-13-99", "-"] {
            assert!(parse(Some(text)).is_err(), "{text}");
        }
    }
}
