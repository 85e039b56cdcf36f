//! What a registry's refusal means: its status and its error document (distribution specification, *Error Codes*), as our error.

use base::{Error, Kind};
use serde::Deserialize;

/// More is not read of a refusal.
pub(crate) const REFUSAL_LIMIT_BYTES: u64 = 64 << 10;
/// More is not repeated of a registry's own words.
const WORDS_LIMIT: usize = 300;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    errors: Vec<Entry>,
    // Token servers and proxies in front of registries say it this way.
    #[serde(default, alias = "details", alias = "error_description")]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// The error that a refusal with `status` and `body` is; `what` names the action and its object.
pub(crate) fn refusal(what: &str, status: u16, body: &[u8]) -> Error {
    let words = words_of(body);
    let said = if words.is_empty() { format!("the registry answered {}", name_of(status)) } else { words };
    Error::new(kind_of(status), format!("{what}: {said}"))
}

/// What a program may conclude from a status that is no success.
pub(crate) fn kind_of(status: u16) -> Kind {
    match status {
        401 => Kind::Unauthenticated,
        403 => Kind::Denied,
        404 | 410 => Kind::NotFound,
        405 | 415 | 501 => Kind::Unsupported,
        409 => Kind::Conflict,
        413 | 507 => Kind::Exhausted,
        408 | 425 | 429 | 500..=599 => Kind::Unavailable,
        400..=499 => Kind::Invalid,
        _ => Kind::Unavailable,
    }
}

/// The registry's own words in one line: `denied: requested access to the resource is denied`.
fn words_of(body: &[u8]) -> String {
    let Ok(document) = serde_json::from_slice::<Document>(body) else { return String::new() };
    let words = match document.errors.first() {
        Some(entry) => match (entry.code.to_lowercase().replace('_', " "), entry.message.as_str()) {
            (code, "") => code,
            (code, message) if code.is_empty() => message.to_owned(),
            (code, message) => format!("{code}: {message}"),
        },
        None => document.message.unwrap_or_default(),
    };
    plain(&words)
}

/// Foreign text made fit for a message: one bounded line without control characters.
pub(crate) fn plain(text: &str) -> String {
    let line: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let line = line.trim();
    match line.char_indices().nth(WORDS_LIMIT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn name_of(status: u16) -> String {
    let words = match status {
        400 => "bad request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not found",
        429 => "too many requests",
        500 => "internal server error",
        502 => "bad gateway",
        503 => "service unavailable",
        504 => "gateway timeout",
        _ => return format!("with status {status}"),
    };
    format!("with status {status}, {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_the_registrys_words_bounded() {
        let endless = format!(r#"{{"errors":[{{"code":"X","message":"{}"}}]}}"#, "y".repeat(5000));
        for (status, body, kind, words) in [
            (
                403,
                r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#,
                Kind::Denied,
                "pull a/b: denied: requested access to the resource is denied",
            ),
            (404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#, Kind::NotFound, "pull a/b: manifest unknown"),
            (
                401,
                r#"{"details":"incorrect username or password"}"#,
                Kind::Unauthenticated,
                "pull a/b: incorrect username or password",
            ),
            (
                500,
                "<html>",
                Kind::Unavailable,
                "pull a/b: the registry answered with status 500, internal server error",
            ),
            (
                429,
                r#"{"errors":[]}"#,
                Kind::Unavailable,
                "pull a/b: the registry answered with status 429, too many requests",
            ),
            (418, "{\"errors\":[{\"code\":\"\",\"message\":\"\\u001b[31m\\nx\"}]}", Kind::Invalid, "pull a/b: [31m x"),
        ] {
            let error = refusal("pull a/b", status, body.as_bytes());
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, words));
        }
        assert!(refusal("x", 400, endless.as_bytes()).to_string().chars().count() < WORDS_LIMIT + 10);
    }
}
