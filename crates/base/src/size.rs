//! Sizes in bytes, as people write and read them.

use crate::{Error, Result};

const UNITS: [char; 5] = ['k', 'm', 'g', 't', 'p'];

/// Parses `512`, `64k`, `1.5g`, `10MB`, `2GiB`: multiples of 1024, as Docker's flags take them.
///
/// # Errors
/// [`Kind::Invalid`](crate::Kind::Invalid) for anything else, a negative number and what exceeds 2⁶³−1.
pub fn parse_bytes(text: &str) -> Result<u64> {
    let refuse =
        || Error::invalid(format!("invalid size {text:?}: expected a number with an optional unit b, k, m, g, t or p"));
    let trimmed = text.trim();
    let end = trimmed.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let exponent = match unit.strip_suffix('b').map_or(unit.as_str(), |rest| rest.strip_suffix('i').unwrap_or(rest)) {
        "" => 0,
        letter => {
            let mut letters = letter.chars();
            let position = letters.next().and_then(|first| UNITS.iter().position(|known| *known == first));
            match (position, letters.next()) {
                (Some(position), None) => position as u32 + 1,
                _ => return Err(refuse()),
            }
        }
    };
    let factor = 1024_u64.pow(exponent);
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).filter(|bytes| *bytes <= i64::MAX as u64).ok_or_else(refuse);
    }
    let fraction: f64 = number.parse().map_err(|_| refuse())?;
    let bytes = fraction * factor as f64;
    if !bytes.is_finite() || bytes < 0.0 || bytes >= i64::MAX as f64 {
        return Err(refuse());
    }
    Ok(bytes as u64)
}

/// `bytes` in multiples of 1000 with `digits` significant digits, as Docker shows image sizes: `4.26MB`.
#[must_use]
pub fn format_decimal(bytes: u64, digits: usize) -> String {
    scaled(bytes, 1000.0, digits, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// `bytes` in multiples of 1024 with four significant digits, as Docker shows memory: `512MiB`.
#[must_use]
pub fn format_binary(bytes: u64) -> String {
    scaled(bytes, 1024.0, 4, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

fn scaled(bytes: u64, base: f64, digits: usize, units: &[&str]) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= base && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    format!("{}{}", significant(value, digits), units[unit])
}

/// What C's `%.{digits}g` prints for numbers in this range: rounded, without trailing zeros.
fn significant(value: f64, digits: usize) -> String {
    let whole = if value < 1.0 { 1 } else { value.log10().floor() as usize + 1 };
    let text = format!("{value:.*}", digits.saturating_sub(whole));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_dockers_sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("42", 42),
            ("64k", 65536),
            ("64K", 65536),
            ("1.5g", 1_610_612_736),
            ("10MB", 10_485_760),
            ("2GiB", 2_147_483_648),
            ("7b", 7),
            ("4 m", 4_194_304),
        ] {
            assert_eq!(parse_bytes(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "k", "-1", "1x", "1kk", "1.2.3", "9999999999p", "0x10", "1e3"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn formats_as_docker_shows() {
        assert_eq!(format_decimal(4_261_550, 3), "4.26MB");
        assert_eq!(format_decimal(0, 3), "0B");
        assert_eq!(format_decimal(117_000_000, 3), "117MB");
        assert_eq!(format_decimal(1_000, 3), "1kB");
        assert_eq!(format_binary(536_870_912), "512MiB");
    }
}
