//! Who the user is at a registry: Docker's `config.json` and credential helpers.
//!
//! Nothing here talks to a registry, and nothing is ever written or printed.

mod program;

use std::collections::BTreeMap;
use std::path::Path;

use base::{Context, Error, Result};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

/// The key under which Docker keeps the credentials of docker.io.
const HUB: &str = "https://index.docker.io/v1/";
/// A larger file is not a configuration.
const LONGEST_FILE: u64 = 4 << 20;
/// The user name that means that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// The part of Docker's `config.json` that berth reads.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ClientConfiguration {
    auths: BTreeMap<String, AuthEntry>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
    /// Detach keys where the command line gives none.
    pub(crate) detach_keys: String,
    /// The format of `ps` where the command line gives none.
    pub(crate) ps_format: String,
    /// The same for `images`.
    pub(crate) images_format: String,
    /// The same for `network ls`.
    pub(crate) networks_format: String,
    /// The same for `volume ls`.
    pub(crate) volumes_format: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AuthEntry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// Who the user is at one registry.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) identity_token: String,
    pub(crate) registry_token: String,
    pub(crate) server_address: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Credentials({} at {})", self.username, self.server_address)
    }
}

impl ClientConfiguration {
    /// Reads `config.json` in `folder`; a missing file says nothing.
    ///
    /// # Errors
    /// `Invalid` for a file that is not such a configuration.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        use std::io::Read;
        let path = folder.join("config.json");
        let what = || format!("read {}", path.display());
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error).with_context(what),
        };
        let mut text = String::new();
        file.take(LONGEST_FILE).read_to_string(&mut text).with_context(what)?;
        serde_json::from_str(&text).map_err(|error| Error::invalid(format!("{}: {error}", what())))
    }

    /// The credentials for a registry (`docker.io`, `host:port`), where there are any.
    ///
    /// A helper for exactly this registry comes first, then the general one, then what the file itself says.
    ///
    /// # Errors
    /// What a helper fails with; one that merely has nothing is no error.
    pub(crate) fn credentials(&self, registry: &str, path: Option<&std::ffi::OsStr>) -> Result<Option<Credentials>> {
        let keys = keys_of(registry);
        let helper = keys.iter().find_map(|key| self.cred_helpers.get(key)).or(match self.creds_store.as_str() {
            "" => None,
            _ => Some(&self.creds_store),
        });
        if let Some(helper) = helper {
            for key in &keys {
                if let Some(answer) = program::get(helper, key, path)? {
                    return Ok(Some(from_helper(key, answer)));
                }
            }
        }
        let entry = keys.iter().find_map(|key| self.auths.get(key).map(|entry| (key, entry)));
        entry.map_or(Ok(None), |(key, entry)| from_entry(key, entry))
    }
}

/// Every spelling of a registry that `config.json` may have, the usual one first.
fn keys_of(registry: &str) -> Vec<String> {
    match registry {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => {
            [HUB, "docker.io", "index.docker.io", "https://index.docker.io"].map(str::to_owned).to_vec()
        }
        host => ["", "https://", "http://"]
            .iter()
            .flat_map(|scheme| ["", "/", "/v1/", "/v2/"].map(|path| format!("{scheme}{host}{path}")))
            .collect(),
    }
}

fn from_helper(key: &str, answer: program::Answer) -> Credentials {
    let server_address = key.to_owned();
    if answer.username == TOKEN_USER {
        return Credentials { identity_token: answer.secret, server_address, ..Credentials::default() };
    }
    Credentials { username: answer.username, password: answer.secret, server_address, ..Credentials::default() }
}

fn from_entry(key: &str, entry: &AuthEntry) -> Result<Option<Credentials>> {
    let mut credentials = Credentials {
        username: entry.username.clone(),
        password: entry.password.clone(),
        identity_token: entry.identitytoken.clone(),
        registry_token: entry.registrytoken.clone(),
        server_address: key.to_owned(),
    };
    if !entry.auth.is_empty() {
        let wrong =
            || Error::invalid(format!("the credentials of {key} in config.json are not base64 of user:password"));
        // Programs disagree about the padding and about the alphabet.
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let decoder = GeneralPurpose::new(&URL_SAFE, lenient);
        let bytes = decoder.decode(entry.auth.replace('+', "-").replace('/', "_")).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (username, password) = text.split_once(':').ok_or_else(wrong)?;
        credentials.username = username.to_owned();
        credentials.password = password.trim_end_matches('\0').to_owned();
    }
    let is_empty = credentials.username.is_empty()
        && credentials.identity_token.is_empty()
        && credentials.registry_token.is_empty();
    Ok((!is_empty).then_some(credentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(text: &str) -> ClientConfiguration {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn finds_what_docker_login_wrote() {
        let configuration = configuration(
            r#"{"auths":{"https://index.docker.io/v1/":{"auth":"dXNlcjpwYTpzcw=="},
                "localhost:5000":{"username":"u","password":"p"},
                "https://ghcr.io/v2/":{"identitytoken":"t"},"empty.io":{}},"HttpHeaders":{"x":"y"}}"#,
        );
        for (registry, expected) in [
            ("docker.io", Some(("user", "pa:ss", ""))),
            ("localhost:5000", Some(("u", "p", ""))),
            ("ghcr.io", Some(("", "", "t"))),
            ("empty.io", None),
            ("localhost", None),
            ("quay.io", None),
        ] {
            let found = configuration.credentials(registry, None).unwrap();
            let found = found
                .as_ref()
                .map(|found| (found.username.as_str(), found.password.as_str(), found.identity_token.as_str()));
            assert_eq!(found, expected, "{registry}");
        }
    }

    #[test]
    fn both_alphabets_are_read_with_padding_or_without() {
        for text in ["dTo/Pz8+/g==", "dTo_Pz8-_g", "dTo/Pz8+/g", "dTo_Pz8-_g=="] {
            let configuration = configuration(&format!(r#"{{"auths":{{"a.io":{{"auth":"{text}"}}}}}}"#));
            // What follows the user's name is no text: it is decoded, and then refused.
            assert!(configuration.credentials("a.io", None).is_err(), "{text}");
        }
        for text in ["dTo/fn4+", "dTo_fn4-", "dTpwPg==", "dTpwPg"] {
            let configuration = configuration(&format!(r#"{{"auths":{{"a.io":{{"auth":"{text}"}}}}}}"#));
            assert_eq!(configuration.credentials("a.io", None).unwrap().unwrap().username, "u", "{text}");
        }
    }

    #[test]
    fn bad_base64_is_said_without_the_secret() {
        let configuration = configuration(r#"{"auths":{"a.io":{"auth":"%%%"},"b.io":{"auth":"bm9jb2xvbg=="}}}"#);
        for registry in ["a.io", "b.io"] {
            let message = configuration.credentials(registry, None).unwrap_err().to_string();
            assert_eq!(
                message,
                format!("the credentials of {registry} in config.json are not base64 of user:password")
            );
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials { username: "u".into(), password: "p?>".into(), ..Credentials::default() };
        assert!(!format!("{credentials:?}").contains("p?>"));
    }
}
