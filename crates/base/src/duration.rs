//! Durations: Go's notation, which Docker's flags and files use, and words for people.

use crate::{Error, Result};
use std::time::Duration;

const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("h", 3.6e12), ("m", 6e10), ("s", 1e9)];

/// Parses Go's notation: `1h30m`, `1.5s`, `300ms`, `0`.
///
/// # Errors
/// [`Kind::Invalid`](crate::Kind::Invalid) for anything else, negative durations and more than 292 years.
pub fn parse_go(text: &str) -> Result<Duration> {
    let refuse = || Error::invalid(format!("invalid duration {text:?}: expected a form like 1h30m, 10s or 500ms"));
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut nanoseconds = 0.0_f64;
    if rest.is_empty() {
        return Err(refuse());
    }
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.').ok_or_else(refuse)?;
        let number: f64 = rest[..end].parse().map_err(|_| refuse())?;
        rest = &rest[end..];
        let (unit, factor) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit)).ok_or_else(refuse)?;
        nanoseconds += number * factor;
        rest = &rest[unit.len()..];
    }
    if nanoseconds > i64::MAX as f64 {
        return Err(refuse());
    }
    Ok(Duration::from_nanos(nanoseconds as u64))
}

/// `duration` in words, as Docker's lists say it: `Less than a second`, `About a minute`, `3 hours`, `2 weeks`.
#[must_use]
pub fn format_human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let hours = (duration.as_secs_f64() / 3600.0).round() as u64;
    match (seconds, seconds / 60, hours) {
        (0, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (2..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, minutes @ 2..60, _) => format!("{minutes} minutes"),
        (_, _, 1) => "About an hour".to_owned(),
        (_, _, 2..48) => format!("{hours} hours"),
        (_, _, 48..336) => format!("{} days", hours / 24),
        (_, _, 336..1440) => format!("{} weeks", hours / 24 / 7),
        (_, _, 1440..17520) => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_go_durations() {
        for (text, milliseconds) in
            [("0", 0), ("1h30m", 5_400_000), ("1.5s", 1500), ("300ms", 300), ("+2m", 120_000), ("1m0.5s", 60_500)]
        {
            assert_eq!(parse_go(text).unwrap(), Duration::from_millis(milliseconds), "{text}");
        }
        for text in ["", "-1s", "1", "s", "1.2.3s", "5 m", "999999999h", "1d"] {
            assert!(parse_go(text).is_err(), "{text}");
        }
    }

    #[test]
    fn says_dockers_words() {
        for (seconds, words) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (150, "2 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (172_800, "2 days"),
            (1_209_600, "2 weeks"),
            (63_072_000, "2 years"),
        ] {
            assert_eq!(format_human(Duration::from_secs(seconds)), words);
        }
    }
}
