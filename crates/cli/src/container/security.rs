//! `--security-opt`.

use base::{Error, Result};

/// What `--security-opt` asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Security {
    /// The options as the engine takes them: a seccomp profile is there with its content.
    pub(crate) options: Vec<String>,
    /// `systempaths=unconfined`: nothing of `/proc` and `/sys` is hidden or read-only.
    pub(crate) unconfined_paths: bool,
}

/// A profile that is longer is none.
const LONGEST_PROFILE: u64 = 4 << 20;

/// Reads the values of `--security-opt`, and the profile that they name: the engine may be elsewhere.
///
/// # Errors
/// `Invalid` for an option that is none and a profile that cannot be read or is not JSON.
pub(crate) fn parse(values: &[&str]) -> Result<Security> {
    let mut security = Security::default();
    for value in values {
        // The colon is how Docker spelled it before 1.11.
        let split = value.split_once('=').or_else(|| value.split_once(':'));
        match (*value, split) {
            ("systempaths=unconfined", _) => security.unconfined_paths = true,
            ("no-new-privileges", _) => security.options.push((*value).to_owned()),
            (_, Some(("seccomp", "unconfined" | "builtin"))) => security.options.push((*value).to_owned()),
            (_, Some(("seccomp", file))) => security.options.push(format!("seccomp={}", profile(file)?)),
            (_, Some(("no-new-privileges" | "label" | "apparmor", _))) => security.options.push((*value).to_owned()),
            _ => return Err(Error::invalid(format!("invalid --security-opt: {value:?}"))),
        }
    }
    Ok(security)
}

fn profile(file: &str) -> Result<String> {
    use std::io::Read;
    let failed =
        |reason: &dyn std::fmt::Display| Error::invalid(format!("opening seccomp profile ({file}) failed: {reason}"));
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(|error| failed(&error))?;
    opened.take(LONGEST_PROFILE).read_to_string(&mut text).map_err(|error| failed(&error))?;
    let document: crate::format::document::Document = serde_json::from_str(&text)
        .map_err(|error| Error::invalid(format!("compacting json for seccomp profile ({file}) failed: {error}")))?;
    Ok(document.to_line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let security =
            parse(&["no-new-privileges", "seccomp=unconfined", "label:disable", "systempaths=unconfined"]).unwrap();
        assert_eq!(security.options, ["no-new-privileges", "seccomp=unconfined", "label:disable"]);
        assert!(security.unconfined_paths);
        for value in ["", "nonsense", "nonsense=1", "seccomp=/nonexistent", "systempaths=some"] {
            assert!(parse(&[value]).is_err(), "{value}");
        }
    }

    #[test]
    fn a_profile_is_sent_by_content() {
        let name = format!("berth-profile-{}", base::id::Id::random().unwrap().short());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, "{\n  \"defaultAction\": \"SCMP_ACT_ALLOW\"\n}\n").unwrap();
        let options = parse(&[&format!("seccomp={}", file.display())]).unwrap().options;
        std::fs::remove_file(&file).unwrap();
        assert_eq!(options, [r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#]);
    }
}
