//! The query of a request: names and values, in order.

use base::{Error, Result};

use crate::filters::Filters;
use crate::percent;

/// More parameters than this are an attack.
const PARAMETERS_LIMIT: usize = 1000;

/// The query of a request: names and values, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands behind the question mark.
    ///
    /// # Errors
    /// `Invalid` for malformed percent-encoding and for absurdly many parameters.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parameters = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            if parameters.len() == PARAMETERS_LIMIT {
                return Err(Error::invalid("malformed address: too many parameters"));
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            parameters.push((percent::decode_query(name)?, percent::decode_query(value)?));
        }
        Ok(Self(parameters))
    }

    /// What stands behind the question mark.
    #[must_use]
    pub fn encode(&self) -> String {
        let encoded = |(name, value): &(String, String)| {
            format!("{}={}", percent::encode_query(name), percent::encode_query(value))
        };
        self.0.iter().map(encoded).collect::<Vec<_>>().join("&")
    }

    /// Adds a parameter.
    pub fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Adds a parameter that is true; a false one is left out, as Docker's client does.
    pub fn add_flag(&mut self, name: &str, value: impl Into<Flag>) {
        if value.into().0 {
            self.add(name, "1");
        }
    }

    /// Adds a parameter that is there.
    pub fn add_some(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.add(name, value.to_string());
        }
    }

    /// Adds `filters`, where there are any.
    pub fn add_filters(&mut self, filters: &Filters) {
        if !filters.is_empty() {
            self.add("filters", filters.encode());
        }
    }

    /// The first value of this name, where it is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// All values of this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is true, as Docker's daemon decides it: anything but these few words.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        let value = self.get(name).unwrap_or_default().trim().to_ascii_lowercase();
        !matches!(value.as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// A number.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        self.get(name)
            .map(|text| text.parse().map_err(|_| Error::invalid(format!("invalid {name}: {text:?} is no number"))))
            .transpose()
    }

    /// The filters.
    ///
    /// # Errors
    /// `Invalid` for anything that is none.
    pub fn filters(&self) -> Result<Filters> {
        self.get("filters").map_or_else(|| Ok(Filters::default()), Filters::parse)
    }
}

/// Whether a parameter is given; a type of its own so that calls read as what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag(bool);

impl From<bool> for Flag {
    fn from(value: bool) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_written() {
        let query = Query::parse("all=1&name=a%2Fb+c&empty=&alone&size=0").unwrap();
        assert_eq!(query.get("name"), Some("a/b c"));
        assert_eq!(query.get("empty"), None);
        assert!(query.flag("all") && !query.flag("size") && !query.flag("missing"));
        assert_eq!(Query::parse(&query.encode()).unwrap(), query);
        assert_eq!(query.number::<u16>("all").unwrap(), Some(1));
        assert!(query.number::<u16>("name").is_err());
    }

    #[test]
    fn flags_are_dockers() {
        for (text, expected) in
            [("True", true), ("yes", true), ("2", true), ("NONE", false), (" false ", false), ("no", false)]
        {
            let query = Query(vec![("x".to_owned(), text.to_owned())]);
            assert_eq!(query.flag("x"), expected, "{text}");
        }
    }
}
