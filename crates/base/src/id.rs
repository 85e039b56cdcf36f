//! Identifiers: 256 random bits, written as 64 hexadecimal digits.

use crate::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};
use std::str::FromStr;

/// The id of a container, an exec or a network: 64 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// A new id from the kernel's random source.
    ///
    /// Its first twelve digits are never all decimal, so that a short id cannot be taken for a number.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn random() -> Result<Self> {
        loop {
            let mut bytes = [0_u8; 32];
            let mut filled = 0;
            while filled < bytes.len() {
                filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
                    .context("read random bytes for an id")?;
            }
            let id = Self(crate::digest::to_hex(&bytes));
            if !id.short().bytes().all(|byte| byte.is_ascii_digit()) {
                return Ok(id);
            }
        }
    }

    /// The first twelve digits, as people see them.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }

    /// All 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` can be the beginning of an id.
    #[must_use]
    pub fn is_prefix(text: &str) -> bool {
        !text.is_empty() && text.len() <= 64 && text.bytes().all(is_lower_hex)
    }
}

pub(crate) fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

impl FromStr for Id {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.len() == 64 && text.bytes().all(is_lower_hex) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid(format!("{text:?} is not an id: 64 lower-case hexadecimal digits are expected")))
    }
}

impl TryFrom<String> for Id {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_parse_and_differ() {
        let (one, two) = (Id::random().unwrap(), Id::random().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.to_string().parse::<Id>().unwrap(), one);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "abc", &"A".repeat(64), &"g".repeat(64), &"a".repeat(65), "../../../etc"] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }
}
