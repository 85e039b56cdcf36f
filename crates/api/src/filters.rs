//! Filters: which things a list, a prune or a stream of events is about.

use std::collections::{BTreeMap, BTreeSet};

use base::{Error, Result};
use serde::Deserialize;

/// Values by key. On the wire `{"label":{"a=b":true}}`; `{"label":["a=b"]}`, as old clients write it, is read too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<String, BTreeSet<String>>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    Set(BTreeMap<String, bool>),
    List(Vec<String>),
}

impl Filters {
    /// Adds a value.
    pub fn add(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.entry(key.into()).or_default().insert(value.into());
    }

    /// Whether nothing is filtered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values of a key.
    pub fn get(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.get(key).into_iter().flatten().map(String::as_str)
    }

    /// All keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.0.iter().map(|(key, values)| (key.as_str(), values))
    }

    /// Reads what a query carries.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let parsed: BTreeMap<String, Values> =
            serde_json::from_str(text).map_err(|error| Error::invalid(format!("invalid filter: {error}")))?;
        let mut filters = Self::default();
        for (key, values) in parsed {
            let values = match values {
                Values::Set(values) => values.into_iter().filter(|(_, given)| *given).map(|(value, _)| value).collect(),
                Values::List(values) => values.into_iter().collect(),
            };
            filters.0.insert(key, values);
        }
        Ok(filters)
    }

    /// As a query carries it.
    #[must_use]
    pub fn encode(&self) -> String {
        let shape: BTreeMap<&str, BTreeMap<&str, bool>> = self
            .iter()
            .map(|(key, values)| (key, values.iter().map(|value| (value.as_str(), true)).collect()))
            .collect();
        // Maps of text cannot fail to be JSON.
        serde_json::to_string(&shape).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let mut expected = Filters::default();
        expected.add("label", "a=b");
        expected.add("label", "c");
        assert_eq!(Filters::parse(r#"{"label":{"a=b":true,"c":true,"d":false}}"#).unwrap(), expected);
        assert_eq!(Filters::parse(r#"{"label":["a=b","c"]}"#).unwrap(), expected);
        assert_eq!(expected.encode(), r#"{"label":{"a=b":true,"c":true}}"#);
        for text in ["[]", "{", r#"{"a":1}"#, "label=a"] {
            assert!(Filters::parse(text).is_err(), "{text}");
        }
    }
}
