//! Credential helpers: the programs `docker-credential-NAME`.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use base::{Context, Error, Result};
use serde::Deserialize;

/// What a helper says about a registry.
#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(rename = "Username", default)]
    pub(super) username: String,
    #[serde(rename = "Secret", default)]
    pub(super) secret: String,
}

/// A helper that takes longer waits for something that will not come; one may ask its user for a passphrase.
const TIMEOUT: Duration = Duration::from_secs(60);
/// No secret is longer.
const LONGEST_ANSWER: u64 = 256 << 10;
/// What every helper says when it has nothing; it is part of the protocol.
const NOTHING: &str = "credentials not found";

/// Asks the helper for the credentials of `server`; `path` is the `PATH` in which it is looked for.
///
/// # Errors
/// `Unavailable` for a helper that is missing, fails, or does not answer.
pub(super) fn get(helper: &str, server: &str, path: Option<&OsStr>) -> Result<Option<Answer>> {
    if helper.is_empty() || helper.contains('/') {
        return Err(Error::invalid(format!("credential helper {helper:?}: a name without folders is expected")));
    }
    let program = format!("docker-credential-{helper}");
    let failed = |reason: String| Error::unavailable(format!("credential helper {program}: {reason}"));
    let file = find(&program, path).ok_or_else(|| failed("not found in PATH".to_owned()))?;
    let mut child = Command::new(&file)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("start {}", file.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read has decided already.
        let _ = stdin.write_all(server.as_bytes());
    }
    let output = read_bounded(&mut child);
    if output.is_none() {
        // It may have ended by itself in the meantime.
        let _ = child.kill();
    }
    let status = child.wait().with_context(|| format!("wait for {program}"))?;
    let output = output.ok_or_else(|| failed(format!("no answer within {} seconds", TIMEOUT.as_secs())))?;
    if !status.success() {
        return match output.trim() {
            message if message.contains(NOTHING) => Ok(None),
            message => Err(failed(format!("{message} ({status})"))),
        };
    }
    // The answer is a secret: its text appears in no message.
    serde_json::from_str(&output).map(Some).map_err(|_| failed("the answer is not valid".to_owned()))
}

/// What the child prints, or nothing when it does not finish in time.
fn read_bounded(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.take(LONGEST_ANSWER).read_to_string(&mut text);
        // Whoever waited may have given up.
        let _ = sender.send(read.map(|_| text).unwrap_or_default());
    });
    receiver.recv_timeout(TIMEOUT).ok()
}

fn find(program: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    let folders = std::env::split_paths(path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin")));
    folders
        .filter(|folder| folder.is_absolute())
        .map(|folder| Path::new(&folder).join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn with_helper(script: &str, test: impl FnOnce(&OsStr)) {
        let folder =
            std::env::temp_dir().join(format!("berth-credential-helper-{}", base::id::Id::random().unwrap().short()));
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("docker-credential-test");
        std::fs::write(&file, format!("#!/bin/sh\nread server\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
        test(folder.as_os_str());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_helper_is_asked_for_the_server() {
        with_helper(r#"echo "{\"Username\":\"u\",\"Secret\":\"for $server\"}""#, |path| {
            let answer = get("test", "x.io", Some(path)).unwrap().unwrap();
            assert_eq!((answer.username.as_str(), answer.secret.as_str()), ("u", "for x.io"));
        });
    }

    #[test]
    fn having_nothing_is_no_failure_and_others_are() {
        with_helper("echo credentials not found in native keychain; exit 1", |path| {
            assert!(get("test", "x.io", Some(path)).unwrap().is_none());
        });
        with_helper("echo locked; exit 1", |path| {
            let message = get("test", "x.io", Some(path)).err().unwrap().to_string();
            assert_eq!(message, "credential helper docker-credential-test: locked (exit status: 1)");
        });
        with_helper("echo secret", |path| {
            let message = get("test", "x.io", Some(path)).err().unwrap().to_string();
            assert_eq!(message, "credential helper docker-credential-test: the answer is not valid");
        });
        assert!(get("missing", "x.io", Some(OsStr::new("/nonexistent"))).is_err());
        assert!(get("../evil", "x.io", None).is_err());
    }
}
