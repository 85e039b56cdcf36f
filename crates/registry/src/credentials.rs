//! What a caller presents to a registry that asks.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fmt;

/// The key of Docker's configuration file under which credentials of Docker Hub are kept.
pub const HUB_KEY: &str = "https://index.docker.io/v1/";

/// What a caller presents to one registry, and to the token server that it names.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// The user's name.
        username: String,
        /// The password or an access token in its place.
        password: String,
    },
    /// A refresh token of OAuth 2, which is exchanged for bearer tokens.
    Identity {
        /// The user's name, where it is known.
        username: String,
        /// The refresh token.
        token: String,
    },
    /// A bearer token, which is presented as it is.
    Bearer(String),
}

impl Credentials {
    /// The key of Docker's configuration file for `registry`, a host with its port.
    #[must_use]
    pub fn key(registry: &str) -> &str {
        if registry == "docker.io" { HUB_KEY } else { registry }
    }

    /// The value of an `Authorization` header of the scheme `Basic`, where there is a password.
    pub(crate) fn basic(&self) -> Option<String> {
        match self {
            Self::Password { username, password } => {
                Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}"))))
            }
            Self::Identity { .. } | Self::Bearer(_) => None,
        }
    }
}

// Secrets do not reach logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { username, .. } => write!(formatter, "Password({username:?}, …)"),
            Self::Identity { username, .. } => write!(formatter, "Identity({username:?}, …)"),
            Self::Bearer(_) => formatter.write_str("Bearer(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials::Password { username: "ann".to_owned(), password: "s3cret".to_owned() };
        assert!(!format!("{credentials:?}").contains("s3cret"));
        assert_eq!(credentials.basic().unwrap(), "Basic YW5uOnMzY3JldA==");
        assert_eq!((Credentials::key("docker.io"), Credentials::key("a:5000")), (HUB_KEY, "a:5000"));
    }
}
