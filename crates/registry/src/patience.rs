//! How long a client waits, and how often it tries again: a policy of its own, apart from what is tried.

use std::time::Duration;

/// Bounds of waiting and trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the next byte of a body, in either direction.
    pub idle: Duration,
    /// For the head of an answer. A registry that verifies a large upload takes its time.
    pub answer: Duration,
    /// How often one request is sent at most, and how often one blob may break off without a byte of progress.
    pub attempts: u32,
    /// Before the second attempt; doubles with each further one.
    pub first_wait: Duration,
    /// The longest wait before an attempt, also where the registry asks for a longer one.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            idle: Duration::from_secs(45),
            answer: Duration::from_secs(120),
            attempts: 5,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
        }
    }
}

/// A wait before the next attempt, as it passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait<'a> {
    /// The action that is waited for and its object; a blob is named by the short form of its digest.
    pub what: &'a str,
    /// Seconds that are left, rounded up; 0 asks only whether to go on.
    pub seconds: u64,
    /// Why the last attempt failed.
    pub reason: &'a str,
}

/// How the attempt of a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server cannot be reached, or is not who it should be: the next attempt would end the same way.
    Unreachable,
    /// The connection broke or the server was silent for too long.
    Broken,
    /// An answer that asks to try again, and when.
    Busy { status: u16, retry_after: Option<Duration> },
}

impl Patience {
    /// How long to wait before attempt number `made + 1`; `None` where there must be none.
    pub(crate) fn wait(&self, made: u32, failure: Failure) -> Option<Duration> {
        if made >= self.attempts {
            return None;
        }
        let backed_off = self.first_wait.saturating_mul(1 << (made.saturating_sub(1)).min(16)).min(self.longest_wait);
        match failure {
            Failure::Unreachable => None,
            Failure::Broken => Some(backed_off),
            Failure::Busy { status: 408 | 425 | 429 | 500 | 502..=504, retry_after } => match retry_after {
                // Coming back earlier than asked only makes it worse.
                Some(asked) if asked > self.longest_wait => None,
                Some(asked) => Some(asked.max(Duration::from_millis(50))),
                None => Some(backed_off),
            },
            Failure::Busy { .. } => None,
        }
    }
}

/// The wait that a `Retry-After` header asks for: seconds, or an HTTP date (RFC 9110, section 10.2.3) seen from `now`.
pub(crate) fn retry_after(header: &str, now: base::time::Timestamp) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    let when = http_date(header)?;
    Some(when.since(now))
}

/// The preferred form of a date: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<base::time::Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    if words.next() != Some("GMT") {
        return None;
    }
    format!("{year}-{month:02}-{day}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time_and_gives_up() {
        let patience = Patience { attempts: 4, ..Patience::default() };
        let busy =
            |status, seconds: Option<u64>| Failure::Busy { status, retry_after: seconds.map(Duration::from_secs) };
        for (made, failure, seconds) in [
            (1, Failure::Broken, Some(1)),
            (2, Failure::Broken, Some(2)),
            (3, Failure::Broken, Some(4)),
            (4, Failure::Broken, None),
            (1, Failure::Unreachable, None),
            (1, busy(429, None), Some(1)),
            (1, busy(429, Some(7)), Some(7)),
            (1, busy(429, Some(3600)), None),
            (3, busy(503, None), Some(4)),
            (4, busy(503, None), None),
            (1, busy(404, None), None),
            (1, busy(501, None), None),
        ] {
            assert_eq!(patience.wait(made, failure), seconds.map(Duration::from_secs), "{made} {failure:?}");
        }
    }

    #[test]
    fn reads_both_forms_of_retry_after() {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        for (header, seconds) in [
            ("120", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
        ] {
            assert_eq!(retry_after(header, now), seconds.map(Duration::from_secs), "{header}");
        }
    }
}
