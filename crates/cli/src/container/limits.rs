//! Limits, devices and processors: `--ulimit`, `--device`, `--device-cgroup-rule`, `--cpus`.

use api::types::{DeviceMapping, Ulimit};
use base::{Error, Result};

/// Splits `nofile=1024` or `nofile=1024:2048`; `-1` is no limit. The engine judges name and order.
///
/// # Errors
/// `Invalid` for what is not written so.
pub(crate) fn ulimit(text: &str) -> Result<Ulimit> {
    let wrong = || Error::invalid(format!("invalid ulimit argument: {text}"));
    let (name, values) = text.split_once('=').ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<i64>().map_err(|_| wrong());
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    Ok(Ulimit { name: name.to_owned(), soft: number(soft)?, hard: number(hard)? })
}

/// Parses `/dev/null`, `/dev/null:rwm`, `/dev/null:/dev/x`, `/dev/null:/dev/x:r`.
///
/// # Errors
/// `Invalid` for anything else; `Unsupported` for a CDI name (`vendor.com/class=name`).
pub(crate) fn device(text: &str) -> Result<DeviceMapping> {
    let wrong = || Error::invalid(format!("invalid device specification: {text}"));
    let parts: Vec<&str> = text.split(':').collect();
    if !text.starts_with('/') && text.contains('=') {
        return Err(Error::unsupported(format!("not supported: --device {text}: CDI devices")));
    }
    let (host, container, permissions) = match parts[..] {
        [host] => (host, host, "rwm"),
        [host, mode] if is_mode(mode) => (host, host, mode),
        [host, container] => (host, container, "rwm"),
        [host, container, mode] if is_mode(mode) => (host, container, mode),
        _ => return Err(wrong()),
    };
    if host.is_empty() || container.is_empty() {
        return Err(wrong());
    }
    Ok(DeviceMapping {
        path_on_host: host.to_owned(),
        path_in_container: container.to_owned(),
        cgroup_permissions: permissions.to_owned(),
    })
}

fn is_mode(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 3
        && text.chars().all(|letter| "rwm".contains(letter))
        && "rwm".chars().all(|letter| text.matches(letter).count() <= 1)
}

/// Processors as billionths: `1.5` is 1500000000.
///
/// # Errors
/// `Invalid` for more than nine decimals and what does not fit.
pub(crate) fn nano_cpus(text: &str) -> Result<i64> {
    let wrong = || {
        Error::invalid(format!(
            "invalid argument {text:?} for \"--cpus\" flag: failed to parse {text} as a rational number"
        ))
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|letter| letter.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(wrong());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 9 {
        return Err(Error::invalid(format!("invalid argument {text:?} for \"--cpus\" flag: value is too precise")));
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
    let fraction: i64 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
    whole.checked_mul(1_000_000_000).and_then(|nano| nano.checked_add(fraction)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulimits() {
        for (text, expected) in [
            ("nofile=1024", Some(("nofile", 1024, 1024))),
            ("nofile=1024:2048", Some(("nofile", 1024, 2048))),
            ("core=0:-1", Some(("core", 0, -1))),
            ("stack=-1", Some(("stack", -1, -1))),
            ("nofile", None),
            ("nofile=x", None),
            ("nofile=1:2:3", None),
        ] {
            let parsed = ulimit(text).ok();
            let parsed = parsed.as_ref().map(|limit| (limit.name.as_str(), limit.soft, limit.hard));
            assert_eq!(parsed, expected, "{text}");
        }
    }

    #[test]
    fn devices() {
        for (text, expected) in [
            ("/dev/a", Some(("/dev/a", "/dev/a", "rwm"))),
            ("/dev/a:r", Some(("/dev/a", "/dev/a", "r"))),
            ("/dev/a:/dev/b", Some(("/dev/a", "/dev/b", "rwm"))),
            ("/dev/a:/dev/b:mr", Some(("/dev/a", "/dev/b", "mr"))),
            ("/dev/a:/dev/b:x", None),
            ("/dev/a:/dev/b:rr", None),
            ("/dev/a:/dev/b:r:w", None),
            (":/dev/b", None),
            ("vendor.com/gpu=all", None),
        ] {
            let parsed = device(text).ok();
            let parsed = parsed.as_ref().map(|device| {
                (device.path_on_host.as_str(), device.path_in_container.as_str(), device.cgroup_permissions.as_str())
            });
            assert_eq!(parsed, expected, "{text}");
        }
    }

    #[test]
    fn processors() {
        for (text, expected) in [
            ("1", Some(1_000_000_000)),
            ("1.5", Some(1_500_000_000)),
            (".25", Some(250_000_000)),
            ("0.000000001", Some(1)),
            ("0.0000000001", None),
            ("1.0000000000", Some(1_000_000_000)),
            ("-1", None),
            ("x", None),
            (".", None),
            ("99999999999999", None),
        ] {
            assert_eq!(nano_cpus(text).ok(), expected, "{text}");
        }
    }
}
