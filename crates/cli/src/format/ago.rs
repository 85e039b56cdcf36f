//! Points in time as lists show them.

use base::time::Timestamp;

/// `3 hours ago`; nothing for a time that is not known, which is 0 on the wire.
pub(crate) fn since(unix_seconds: i64) -> Option<String> {
    if unix_seconds <= 0 {
        return None;
    }
    let duration = Timestamp::now().since(Timestamp::from_unix(unix_seconds, 0));
    Some(format!("{} ago", base::duration::format_human(duration)))
}

/// What Go prints of a time: `2023-11-14 22:13:20 +0000 UTC`.
pub(crate) fn go_time(unix_seconds: i64) -> String {
    format!("{} +0000 UTC", Timestamp::from_unix(unix_seconds, 0).civil().replace('T', " "))
}

/// RFC 3339: `2023-11-14T22:13:20Z`.
pub(crate) fn rfc3339(unix_seconds: i64) -> String {
    Timestamp::from_unix(unix_seconds, 0).rfc3339_nano()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_in_go() {
        assert_eq!(go_time(1_700_000_000), "2023-11-14 22:13:20 +0000 UTC");
        assert_eq!(rfc3339(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(since(0), None);
        assert_eq!(since(Timestamp::now().unix_seconds() - 7200).unwrap(), "2 hours ago");
    }
}
