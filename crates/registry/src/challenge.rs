//! What a registry asks for: the `WWW-Authenticate` header (RFC 9110, section 11.6.1), parsed strictly and bounded.

use base::{Error, Result};

/// More is not read of one header.
const LENGTH_LIMIT: usize = 8 << 10;
/// More parameters has no challenge.
const PARAMETER_LIMIT: usize = 32;

/// One way to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token of the server `realm`, made for `service`.
    Bearer { realm: String, service: Option<String> },
}

/// The challenges of a header, in its order; schemes that are not known are passed over.
///
/// # Errors
/// `Invalid` for a header that is malformed or too long.
pub(crate) fn parse(header: &str) -> Result<Vec<Challenge>> {
    let refuse = |why: &str| Error::invalid(format!("the registry's WWW-Authenticate header is malformed: {why}"));
    if header.len() > LENGTH_LIMIT {
        return Err(refuse("it is too long"));
    }
    let mut challenges = Vec::new();
    let mut rest = header.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (scheme, after) = take_token(rest).ok_or_else(|| refuse("expected a scheme"))?;
        let (parameters, after) =
            take_parameters(after.trim_start()).ok_or_else(|| refuse("a parameter is cut off"))?;
        let find = |wanted: &str| {
            parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            challenges.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer") {
            let realm = find("realm").ok_or_else(|| refuse("a bearer challenge names no realm"))?;
            challenges
                .push(Challenge::Bearer { realm, service: find("service").filter(|service| !service.is_empty()) });
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Ok(challenges)
}

fn take_token(text: &str) -> Option<(&str, &str)> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let end = text.bytes().position(|byte| !is_token(byte)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

type Parameters = Vec<(String, String)>;

/// The parameters of one challenge, and what follows them: the next scheme or nothing.
fn take_parameters(mut text: &str) -> Option<(Parameters, &str)> {
    let mut parameters = Vec::new();
    loop {
        let before = text;
        text = text.trim_start_matches([' ', '\t', ',']);
        let Some((name, after)) = take_token(text) else {
            return text.is_empty().then_some((parameters, text));
        };
        let after = after.trim_start();
        // A name without a value is the next scheme.
        let Some(after) = after.strip_prefix('=') else { return Some((parameters, before)) };
        let (value, after) = take_value(after.trim_start())?;
        if parameters.len() == PARAMETER_LIMIT {
            return None;
        }
        parameters.push((name.to_owned(), value));
        text = after;
    }
}

fn take_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) }
    }

    #[test]
    fn reads_what_registries_send() {
        for (header, expected) in [
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#,
                vec![bearer("https://auth.docker.io/token", Some("registry.docker.io"))],
            ),
            (r#"Basic realm="Registry Realm""#, vec![Challenge::Basic]),
            ("basic", vec![Challenge::Basic]),
            (r#"BEARER Realm = "https://x/\"t\"" , service=plain"#, vec![bearer("https://x/\"t\"", Some("plain"))]),
            (
                r#"Negotiate, Basic realm="a, b", Bearer realm="https://x/",service="""#,
                vec![Challenge::Basic, bearer("https://x/", None)],
            ),
            (r#"Digest realm="x", nonce="a=b""#, vec![]),
            ("", vec![]),
        ] {
            assert_eq!(parse(header).unwrap(), expected, "{header}");
        }
    }

    #[test]
    fn refuses_what_is_malformed_or_endless() {
        let long = format!("Bearer realm=\"{}\"", "x".repeat(LENGTH_LIMIT));
        let many = format!("Bearer realm=\"x\"{}", ",a=b".repeat(PARAMETER_LIMIT));
        for header in
            ["Bearer", "Bearer service=\"x\"", "Bearer realm=\"x", "Bearer realm=\"x\\", "=x", "\"x\"", &long, &many]
        {
            assert!(parse(header).is_err(), "{header}");
        }
    }
}
