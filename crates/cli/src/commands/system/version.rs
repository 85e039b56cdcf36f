//! `version`: versions of client and engine.

use api::types::Version;
use base::{Error, Result};

use crate::command::{Action, Codes, Command, Outcome};
use crate::flags::{Arity, Matches, Order};
use crate::format::document::Document;
use crate::format::fields::with_names;
use crate::format::inspection::{self, FORMAT};
use crate::format::list::unescape;
use crate::format::template::{Format, Line};
use crate::session::Session;

pub(crate) static VERSION: Command = Command {
    usage: "[OPTIONS]",
    about: "Show the berth version information",
    paths: &[],
    flags: &[&[FORMAT]],
    arity: Arity::None,
    order: Order::Anywhere,
    codes: Codes::One,
    action: Action::Run(run),
};

/// Go's names of the members of both parts.
const NAMES: &[(&str, &str)] = &[("APIVersion", "ApiVersion"), ("MinAPIVersion", "MinApiVersion")];

fn run(session: &Session<'_>, matches: &Matches) -> Outcome {
    let format = matches.text("format").filter(|format| !format.is_empty());
    let template = match format {
        Some("json") => Some(Format::parse("{{json .}}", Line::Item)?),
        Some(format) => Some(Format::parse(&unescape(format), Line::Item)?),
        None => None,
    };
    let answer = session.client().and_then(|client| client.raw("/version"));
    let server = answer.as_ref().map_or(Ok(Document::Null), |bytes| inspection::read(bytes))?;
    match template {
        Some(template) => session.print(&format!("{}\n", template.apply(value(&server), "")?))?,
        None => session.print(&text(&server)?)?,
    }
    // The client's version is of use also where there is no engine.
    answer.map(|_| 0).map_err(Into::into)
}

/// What this program says of itself.
fn client() -> Document {
    let text = |text: &str| Document::Text(text.to_owned());
    let host = oci::platform::Platform::host();
    let version = api::NEWEST_VERSION.to_string();
    let members = [
        ("Platform", Document::Object(vec![("Name".to_owned(), text("berth"))])),
        ("Version", text(env!("CARGO_PKG_VERSION"))),
        ("ApiVersion", text(&version)),
        ("DefaultAPIVersion", text(&version)),
        ("Os", text(&host.os)),
        ("Arch", text(&host.architecture)),
        ("Context", text("default")),
    ];
    Document::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn value(server: &Document) -> gtmpl_ng::Value {
    let parts = [("Client", &client()), ("Server", server)];
    let parts = parts.map(|(name, part)| (name.to_owned(), with_names(part.to_value(), NAMES)));
    gtmpl_ng::Value::Object(parts.into_iter().collect())
}

/// Both parts in Docker's layout; lines of which nothing is known are left out.
fn text(server: &Document) -> Result<String> {
    let host = oci::platform::Platform::host();
    let mut text = String::from("Client:\n");
    push(&mut text, 1, "Version", env!("CARGO_PKG_VERSION"));
    push(&mut text, 1, "API version", &api::NEWEST_VERSION.to_string());
    push(&mut text, 1, "OS/Arch", &format!("{}/{}", host.os, host.architecture));
    push(&mut text, 1, "Context", "default");
    if *server == Document::Null {
        return Ok(text);
    }
    let server: Version = serde_json::from_str(&server.to_line())
        .map_err(|error| Error::corrupt(format!("the engine's version is not understood: {error}")))?;
    text.push_str(&format!("\nServer: {}\n", server.platform.name));
    text.push_str(" Engine:\n");
    push(&mut text, 2, "Version", &server.version);
    push(&mut text, 2, "API version", &format!("{} (minimum version {})", server.api_version, server.min_api_version));
    push(&mut text, 2, "Go version", &server.go_version);
    push(&mut text, 2, "Git commit", &server.git_commit);
    push(&mut text, 2, "Built", &server.build_time);
    push(&mut text, 2, "OS/Arch", &format!("{}/{}", server.os, server.arch));
    push(&mut text, 2, "Kernel version", &server.kernel_version);
    for part in server.components.iter().filter(|part| part.name != "Engine") {
        text.push_str(&format!(" {}:\n", part.name));
        push(&mut text, 2, "Version", &part.version);
    }
    Ok(text)
}

fn push(text: &mut String, level: usize, name: &str, value: &str) {
    if !value.is_empty() {
        text.push_str(&format!("{:level$}{:<width$}{value}\n", "", format!("{name}:"), width = 20 - level));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = r#"{"Platform":{"Name":"berth"},"Components":[{"Name":"Engine","Version":"1"},{"Name":"runc","Version":"1.1"}],
        "Version":"1","ApiVersion":"1.51","MinAPIVersion":"1.24","Os":"linux","Arch":"amd64","KernelVersion":"6.1"}"#;

    #[test]
    fn reads_like_dockers() {
        let server: Document = serde_json::from_str(SERVER).unwrap();
        let shown = text(&server).unwrap();
        let (client, engine) = shown.split_once("\n\n").unwrap();
        assert!(client.starts_with("Client:\n Version:           "), "{client}");
        let expected = "Server: berth\n Engine:\n  Version:          1\n  API version:      1.51 (minimum version 1.24)\n  \
            OS/Arch:          linux/amd64\n  Kernel version:   6.1\n runc:\n  Version:          1.1\n";
        assert_eq!(engine, expected);
        assert!(!text(&Document::Null).unwrap().contains("Server"));
    }

    #[test]
    fn templates_know_gos_names() {
        let server: Document = serde_json::from_str(SERVER).unwrap();
        let template = Format::parse(
            "{{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Client.APIVersion}} {{.Server.Os}}",
            Line::Item,
        );
        assert_eq!(template.unwrap().apply(value(&server), "").unwrap(), "1.51 1.24 1.51 linux");
        let template = Format::parse("{{.Server.Version}}", Line::Item).unwrap();
        assert!(template.apply(value(&Document::Null), "").is_err());
    }
}
