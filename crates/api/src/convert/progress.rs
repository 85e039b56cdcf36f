//! What a transfer reports, in the words that Docker's clients show and some look for.

use base::{Error, Result};
use engine::{Stage, Update};
use serde_json::json;

use super::{line, signed};
use crate::types::{ErrorDetail, JsonMessage, ProgressDetail};

/// The lines of one report.
pub(crate) fn lines(update: &Update) -> Result<Vec<u8>> {
    let mut lines = line(&message(update))?;
    if let Stage::PushedManifest { tag, digest, size } = &update.stage {
        let aux = json!({"Tag": tag, "Digest": digest, "Size": size});
        let more =
            JsonMessage { aux: Some(aux), progress_detail: Some(ProgressDetail::default()), ..JsonMessage::default() };
        lines.extend(line(&more)?);
    }
    Ok(lines)
}

/// A line that only says something.
pub(crate) fn status(text: &str) -> Result<Vec<u8>> {
    line(&JsonMessage { status: text.to_owned(), ..JsonMessage::default() })
}

/// The line with which a transfer fails.
pub(crate) fn failure(error: &Error) -> Result<Vec<u8>> {
    let message = error.to_string();
    let detail = ErrorDetail { code: 0, message: message.clone() };
    line(&JsonMessage { error_detail: Some(detail), error: Some(message), ..JsonMessage::default() })
}

fn message(update: &Update) -> JsonMessage {
    let (status, detail) = words(&update.stage);
    // What belongs to a layer has a detail, an empty one where nothing is counted.
    let detail = detail.or_else(|| update.subject.is_some().then(ProgressDetail::default));
    let opening = matches!(update.stage, Stage::PullingFrom(_));
    JsonMessage {
        status,
        id: update.subject.clone().unwrap_or_default(),
        progress_detail: if opening { None } else { detail },
        ..JsonMessage::default()
    }
}

fn words(stage: &Stage) -> (String, Option<ProgressDetail>) {
    let counted = |word: &str, current: u64, total: Option<u64>| {
        (word.to_owned(), Some(ProgressDetail { current: signed(current), total: signed(total.unwrap_or(0)) }))
    };
    let text = match stage {
        Stage::Downloading { current, total } => return counted("Downloading", *current, *total),
        Stage::Extracting { current, total } => return counted("Extracting", *current, *total),
        Stage::Pushing { current, total } => return counted("Pushing", *current, *total),
        Stage::PullingFrom(repository) => format!("Pulling from {repository}"),
        Stage::PullingLayer => "Pulling fs layer".to_owned(),
        Stage::Waiting => "Waiting".to_owned(),
        Stage::Verifying => "Verifying Checksum".to_owned(),
        Stage::DownloadComplete => "Download complete".to_owned(),
        Stage::PullComplete => "Pull complete".to_owned(),
        Stage::AlreadyExists => "Already exists".to_owned(),
        Stage::Retrying { seconds: 1 } => "Retrying in 1 second".to_owned(),
        Stage::Retrying { seconds } => format!("Retrying in {seconds} seconds"),
        Stage::Digest(digest) => format!("Digest: {digest}"),
        Stage::Downloaded(name) => format!("Status: Downloaded newer image for {name}"),
        Stage::UpToDate(name) => format!("Status: Image is up to date for {name}"),
        Stage::PushingTo(repository) => format!("The push refers to repository [{repository}]"),
        Stage::Preparing => "Preparing".to_owned(),
        Stage::Pushed => "Pushed".to_owned(),
        Stage::LayerExists => "Layer already exists".to_owned(),
        Stage::MountedFrom(repository) => format!("Mounted from {repository}"),
        Stage::PushedManifest { tag, digest, size } => format!("{tag}: digest: {digest} size: {size}"),
        Stage::Message(text) => text.clone(),
    };
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_dockers_lines() {
        let layer = |stage| Update { subject: Some("aaaa".to_owned()), stage };
        let whole = |stage| Update { subject: None, stage };
        let table = [
            (layer(Stage::PullingFrom("library/a".to_owned())), r#"{"status":"Pulling from library/a","id":"aaaa"}"#),
            (layer(Stage::PullingLayer), r#"{"status":"Pulling fs layer","progressDetail":{},"id":"aaaa"}"#),
            (
                layer(Stage::Downloading { current: 5, total: Some(10) }),
                r#"{"status":"Downloading","progressDetail":{"current":5,"total":10},"id":"aaaa"}"#,
            ),
            (whole(Stage::Digest("sha256:1".to_owned())), r#"{"status":"Digest: sha256:1"}"#),
            (
                whole(Stage::PushedManifest { tag: "1".to_owned(), digest: "sha256:1".to_owned(), size: 7 }),
                "{\"status\":\"1: digest: sha256:1 size: 7\"}\n{\"progressDetail\":{},\"aux\":{\"Digest\":\"sha256:1\",\"Size\":7,\"Tag\":\"1\"}}",
            ),
        ];
        for (update, expected) in table {
            assert_eq!(String::from_utf8(lines(&update).unwrap()).unwrap(), format!("{expected}\n"));
        }
    }
}
