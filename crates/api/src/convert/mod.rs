//! Between the engine's own types and the wire's, one file for each subject. Pure functions.

pub(crate) mod create;
pub(crate) mod image;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod network;
pub(crate) mod progress;
pub(crate) mod system;
pub(crate) mod volume;

use base::time::Timestamp;
use base::{Error, Result};
use engine::containers::Filter;
use serde::Serialize;

use crate::filters::Filters;

/// Filters as the engine takes them.
pub(crate) fn filter(filters: &Filters) -> Filter {
    Filter { values: filters.iter().map(|(key, values)| (key.to_owned(), values.iter().cloned().collect())).collect() }
}

/// A point in time as a client gives it; none, and 0 as Docker has it, is none.
///
/// # Errors
/// `Invalid` for what is no time.
pub(crate) fn time(text: Option<&str>) -> Result<Option<Timestamp>> {
    text.filter(|text| *text != "0").map(|text| Timestamp::parse_near(text, Timestamp::now())).transpose()
}

/// A line of JSON.
pub(crate) fn line<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value).map_err(|error| Error::internal(format!("encode a line: {error}")))?;
    line.push(b'\n');
    Ok(line)
}

/// A number that the wire has signed and the engine has not; negative ones make no sense there.
pub(crate) fn unsigned(name: &str, value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| Error::invalid(format!("invalid {name}: {value} is negative")))
}

/// A number that is never beyond what the wire has room for.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
