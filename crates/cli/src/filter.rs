//! `--filter`.

use api::Filters;
use base::{Error, Result};

/// What the values of `--filter` say: `KEY=VALUE` each.
///
/// # Errors
/// `Invalid` for one without an equals sign.
pub(crate) fn parse(values: &[&str]) -> Result<Filters> {
    let mut filters = Filters::default();
    for value in values.iter().filter(|value| !value.is_empty()) {
        let Some((key, value)) = value.split_once('=') else {
            return Err(Error::invalid(format!("invalid argument {value:?} for \"--filter\" flag: use KEY=VALUE")));
        };
        filters.add(key.trim().to_ascii_lowercase(), value.trim());
    }
    Ok(filters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_told_apart() {
        assert_eq!(
            parse(&["label=a=b", " Name = x ", ""]).unwrap().encode(),
            r#"{"label":{"a=b":true},"name":{"x":true}}"#
        );
        assert!(parse(&["dangling"]).unwrap_err().to_string().contains("KEY=VALUE"));
    }
}
