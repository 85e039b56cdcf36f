//! Points in time, printed as RFC 3339 in UTC.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NANOSECONDS: i128 = 1_000_000_000;

/// A point in time, in nanoseconds since 1970-01-01T00:00:00Z, or *never*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i128);

impl Timestamp {
    /// *Never*, which is written as `0001-01-01T00:00:00Z`, as Go and thus Docker's clients expect it.
    pub const ZERO: Self = Self(-62_135_596_800 * NANOSECONDS);

    /// The system's clock.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// From seconds and nanoseconds since the epoch.
    #[must_use]
    pub const fn from_unix(seconds: i64, nanoseconds: u32) -> Self {
        Self(seconds as i128 * NANOSECONDS + nanoseconds as i128)
    }

    /// A point in time as users write it: RFC 3339 with or without a time of day or a zone, a duration before `now`, or seconds since the
    /// epoch with or without a fraction.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) for anything else.
    pub fn parse_near(text: &str, now: Self) -> Result<Self> {
        if let Ok(time) = text.parse() {
            return Ok(time);
        }
        if let Ok(duration) = crate::duration::parse_go(text) {
            return Ok(now.minus(duration));
        }
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_fraction = fraction.bytes().all(|byte| byte.is_ascii_digit());
        let digits = format!("{:0<9}", fraction.get(..9).unwrap_or(fraction));
        match (seconds.parse(), digits.parse()) {
            (Ok(seconds), Ok(nanoseconds)) if is_fraction => return Ok(Self::from_unix(seconds, nanoseconds)),
            _ if text.len() == 10 => format!("{text}T00:00:00Z"),
            _ => format!("{text}Z"),
        }
        .parse()
        .map_err(|_| {
            Error::invalid(format!("{text:?} is no time: use RFC 3339, seconds since 1970 or a duration like 10m"))
        })
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(NANOSECONDS) as i64
    }

    /// Nanoseconds since the epoch, within the range of a 64-bit number.
    #[must_use]
    pub fn unix_nanoseconds(self) -> i64 {
        i64::try_from(self.0).unwrap_or(if self.0 < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whether this is *never*.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// How long after `earlier` this is; nothing where it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// This point moved into the future.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0 + duration.as_nanos() as i128)
    }

    /// This point moved into the past.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0 - duration.as_nanos() as i128)
    }

    /// RFC 3339 with up to nine digits of fraction and no trailing zeros (Go's `RFC3339Nano`).
    #[must_use]
    pub fn rfc3339_nano(self) -> String {
        let fraction = format!("{:09}", self.0.rem_euclid(NANOSECONDS));
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{}{point}{fraction}Z", self.civil())
    }

    /// RFC 3339 with exactly nine digits of fraction, as log lines show it.
    #[must_use]
    pub fn rfc3339_fixed(self) -> String {
        format!("{}.{:09}Z", self.civil(), self.0.rem_euclid(NANOSECONDS))
    }

    /// `YYYY-MM-DDTHH:MM:SS` in UTC.
    #[must_use]
    pub fn civil(self) -> String {
        let seconds = self.unix_seconds();
        let (year, month, day) = date_of_days(seconds.div_euclid(86_400));
        let second = seconds.rem_euclid(86_400);
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }
}

/// The proleptic Gregorian date of a day counted from 1970-01-01.
fn date_of_days(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`date_of_days`].
fn days_of_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(after.as_nanos() as i128),
            Err(before) => Self(-(before.duration().as_nanos() as i128)),
        }
    }
}

impl Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.rfc3339_nano())
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.rfc3339_nano()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Parses RFC 3339: `2026-11-24T14:16:45.5Z`, `2026-11-24T14:16:45+01:00`.
    fn from_str(text: &str) -> Result<Self> {
        parse_rfc3339(text).ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            Error::invalid(format!("invalid time {shown:?}: expected RFC 3339, like 2026-01-02T15:04:05Z"))
        })
    }
}

fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let separator = |at: usize, allowed: &[u8]| text.as_bytes().get(at).is_some_and(|byte| allowed.contains(byte));
    let well_formed =
        separator(4, b"-") && separator(7, b"-") && separator(10, b"Tt ") && separator(13, b":") && separator(16, b":");
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !well_formed || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60
    {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut nanoseconds = 0_i128;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        nanoseconds = format!("{:0<9}", &fraction[..digits.min(9)]).parse().ok()?;
        rest = &fraction[digits..];
    }
    let offset_seconds = match rest {
        "Z" | "z" => 0,
        _ if rest.len() == 6 && rest.is_ascii() => {
            let sign = match &rest[..1] {
                "+" => 1,
                "-" => -1,
                _ => return None,
            };
            let (hours, minutes) = rest[1..].split_once(':')?;
            sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60)
        }
        _ => return None,
    };
    let seconds = days_of_date(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_seconds;
    Some(Timestamp(i128::from(seconds) * NANOSECONDS + nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-11-24T14:16:45Z", 1_795_529_805),
            ("1969-12-31T23:59:59Z", -1),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().unix_seconds(), seconds, "{text}");
            assert_eq!(Timestamp::from_unix(seconds, 0).rfc3339_nano(), text);
        }
        assert_eq!(Timestamp::ZERO.rfc3339_nano(), "0001-01-01T00:00:00Z");
        assert_eq!(
            "2026-01-02T03:04:05.5+01:00".parse::<Timestamp>().unwrap().rfc3339_nano(),
            "2026-01-02T02:04:05.5Z"
        );
        assert_eq!(Timestamp::from_unix(1, 500).rfc3339_fixed(), "1970-01-01T00:00:01.000000500Z");
    }

    #[test]
    fn what_users_write() {
        let now = Timestamp::from_unix(10_000, 0);
        let table = [
            ("100", Timestamp::from_unix(100, 0)),
            ("100.5", Timestamp::from_unix(100, 500_000_000)),
            ("1700000000.000000025", Timestamp::from_unix(1_700_000_000, 25)),
            ("10m", Timestamp::from_unix(9_400, 0)),
            ("1.5h", Timestamp::from_unix(4_600, 0)),
            ("1970-01-01T00:01:00Z", Timestamp::from_unix(60, 0)),
            ("1970-01-01T00:01:00", Timestamp::from_unix(60, 0)),
            ("1970-01-02", Timestamp::from_unix(86_400, 0)),
        ];
        for (text, expected) in table {
            assert_eq!(Timestamp::parse_near(text, now).unwrap(), expected, "{text}");
        }
        for text in ["", "yesterday", "1.x", "1.+5", "2023-13-99", "-"] {
            assert!(Timestamp::parse_near(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_returns() {
        for day in -200_000..200_000 {
            let (year, month, date) = date_of_days(day);
            assert_eq!(days_of_date(year, month, date), day);
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2026",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+1:00",
            "２026-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
