//! Execs, logs and attaching, as far as they need no process.

use std::io::Read;
use std::time::Duration;

use base::Kind;
use engine::Polled;
use engine::containers::{AttachRequest, ExecRequest, ExecStart, LogRequest, LogSource};

use crate::Host;
use crate::archive::archive;

fn exec(command: &str) -> ExecRequest {
    ExecRequest { command: vec![command.to_owned()], ..ExecRequest::default() }
}

#[test]
fn nothing_enters_a_container_that_does_not_run() {
    let host = Host::make();
    host.import("app", &archive(&[("a", "1")]));
    let id = host.create("app", "web");
    let error = host.engine.create_exec(&host.caller, "web", exec("ls")).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (Kind::Conflict, format!("Container {id} is not running")));
    assert_eq!(host.engine.create_exec(&host.caller, "web", exec("")).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(host.engine.create_exec(&host.caller, "db", exec("ls")).unwrap_err().kind(), Kind::NotFound);
    let error = host.engine.start_exec(&host.caller, &"0".repeat(64), ExecStart::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.to_string().starts_with("No such exec instance: 000"));
}

fn log(host: &Host, id: &str, lines: &[(&str, &str, u32)]) {
    let text: String = lines
        .iter()
        .map(|(stream, text, second)| {
            format!("{{\"log\":\"{text}\\n\",\"stream\":\"{stream}\",\"attrs\":{{\"tag\":\"t\"}},\"time\":\"2026-01-01T00:00:{second:02}Z\"}}\n")
        })
        .collect();
    std::fs::write(host.container(id).join("log"), text).unwrap();
}

fn read(host: &Host, request: &LogRequest) -> Vec<String> {
    let mut logs = host.engine.container_logs(&host.caller, "web", request).unwrap();
    let mut lines = Vec::new();
    loop {
        match logs.poll_entry(Duration::from_secs(5)).unwrap() {
            Polled::Item(entry) => {
                let mark = if entry.source == LogSource::Stderr { "!" } else { "" };
                let details: Vec<String> = entry.attributes.into_values().collect();
                lines.push(format!("{mark}{}{}", details.join(","), String::from_utf8(entry.line).unwrap().trim_end()));
            }
            Polled::Nothing => panic!("it never ends"),
            Polled::End => return lines,
        }
    }
}

#[test]
fn logs_of_a_container_that_does_not_run() {
    let host = Host::make();
    host.import("app", &archive(&[("a", "1")]));
    let id = host.create("app", "web");
    let all = LogRequest { stdout: true, stderr: true, ..LogRequest::default() };
    assert!(read(&host, &LogRequest { follow: true, ..all.clone() }).is_empty());
    log(&host, &id, &[("stdout", "a", 1), ("stderr", "b", 2), ("stdout", "c", 3)]);
    assert_eq!(read(&host, &all), ["a", "!b", "c"]);
    assert_eq!(read(&host, &LogRequest { follow: true, ..all.clone() }), ["a", "!b", "c"]);
    assert_eq!(read(&host, &LogRequest { stderr: false, ..all.clone() }), ["a", "c"]);
    assert_eq!(read(&host, &LogRequest { tail: Some(1), ..all.clone() }), ["c"]);
    assert_eq!(read(&host, &LogRequest { tail: Some(0), ..all.clone() }), [""; 0]);
    assert_eq!(read(&host, &LogRequest { details: true, tail: Some(1), ..all.clone() }), ["tc"]);
    let time = |text: &str| Some(text.parse().unwrap());
    assert_eq!(read(&host, &LogRequest { since: time("2026-01-01T00:00:02Z"), ..all.clone() }), ["!b", "c"]);
    assert_eq!(read(&host, &LogRequest { until: time("2026-01-01T00:00:02Z"), ..all }), ["a", "!b"]);
}

#[test]
fn what_was_logged_comes_first_in_frames() {
    let host = Host::make();
    host.import("app", &archive(&[("a", "1")]));
    let id = host.create("app", "web");
    log(&host, &id, &[("stdout", "a", 1), ("stderr", "b", 2)]);
    let request = AttachRequest { stdout: true, stderr: true, logs: true, ..AttachRequest::default() };
    let mut attached = host.engine.attach_container(&host.caller, "web", request).unwrap();
    let mut bytes = Vec::new();
    attached.stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"\x01\0\0\0\0\0\0\x02a\n\x02\0\0\0\0\0\0\x02b\n");
    // Without a supervisor the stream waits for the start.
    let request = AttachRequest { stdout: true, stream: true, ..AttachRequest::default() };
    let mut attached = host.engine.attach_container(&host.caller, "web", request).unwrap();
    attached.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(attached.stream.read(&mut [0]).is_err());
}
