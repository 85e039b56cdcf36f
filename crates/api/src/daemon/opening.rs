//! The first bytes of a connection: does its first request take the connection over without asking?
//!
//! Clients of Docker's from before `Upgrade: tcp` (API 1.20), and simple ones like curl, send attach and exec start as plain requests and speak the stream
//! from then on. HTTP has no such thing, so these are recognised before HTTP's library gets the connection; all others are handed to it untouched.

use std::io;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::message::{BODY_LIMIT_BYTES, Headers, Method, Request, RequestBody};
use crate::query::Query;
use crate::socket::head;
use crate::{percent, router};

/// A longer head is left to HTTP's library, which refuses it.
const HEAD_LIMIT_BYTES: usize = 32 << 10;
const FIELDS_LIMIT: usize = 100;

/// How a connection begins.
#[derive(Debug)]
pub(super) enum Opening {
    /// As any other: these bytes have been read already.
    Ordinary(BytesMut),
    /// With a request that takes it over. What came behind it belongs to the stream.
    TakenOver(Box<Request>, BytesMut),
}

#[derive(Debug)]
enum Verdict {
    MoreNeeded,
    Ordinary,
    TakenOver { request: Box<Request>, head_bytes: usize, body_bytes: usize },
}

/// Reads as much of a connection as it takes to know; `None` where it ends first.
///
/// # Errors
/// When the connection breaks.
pub(super) async fn read(stream: &mut UnixStream) -> io::Result<Option<Opening>> {
    let mut seen = BytesMut::new();
    loop {
        if stream.read_buf(&mut seen).await? == 0 {
            // Whoever sent half a request and goes on listening is told so.
            return Ok((!seen.is_empty()).then_some(Opening::Ordinary(seen)));
        }
        match judge(&seen) {
            Verdict::MoreNeeded => {}
            Verdict::Ordinary => return Ok(Some(Opening::Ordinary(seen))),
            Verdict::TakenOver { mut request, head_bytes, body_bytes } => {
                let mut rest = seen.split_off(head_bytes);
                while rest.len() < body_bytes {
                    if stream.read_buf(&mut rest).await? == 0 {
                        return Ok(None);
                    }
                }
                request.body = RequestBody::Bytes(rest.split_to(body_bytes).to_vec());
                return Ok(Some(Opening::TakenOver(request, rest)));
            }
        }
    }
}

fn judge(seen: &[u8]) -> Verdict {
    const METHOD: &[u8] = b"POST ";
    let compared = seen.len().min(METHOD.len());
    if seen[..compared] != METHOD[..compared] {
        return Verdict::Ordinary;
    }
    let more = if seen.len() < HEAD_LIMIT_BYTES { Verdict::MoreNeeded } else { Verdict::Ordinary };
    let Some(line_end) = seen.iter().position(|byte| *byte == b'\r') else { return more };
    let target = seen[METHOD.len()..line_end].split(|byte| *byte == b' ').next().unwrap_or_default();
    let Some(request) = std::str::from_utf8(target).ok().and_then(taking_over) else { return Verdict::Ordinary };
    match head::end(seen, 0) {
        None => more,
        Some(head_bytes) => with_fields(request, &seen[..head_bytes]).unwrap_or(Verdict::Ordinary),
    }
}

/// The request to `target`, where its answer takes the connection over.
fn taking_over(target: &str) -> Option<Request> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = percent::decode_path(path).ok()?;
    if !router::hijacks(Method::Post, &path) {
        return None;
    }
    let mut request = Request::new(Method::Post, path);
    request.query = Query::parse(query).ok()?;
    Some(request)
}

/// `None` where HTTP's library should see it: it asks, or its body has another form than a length.
fn with_fields(mut request: Request, head: &[u8]) -> Option<Verdict> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_LIMIT];
    let mut parsed = httparse::Request::new(&mut fields);
    if !parsed.parse(head).ok()?.is_complete() {
        return None;
    }
    let mut headers = Headers::default();
    for field in parsed.headers.iter() {
        headers.add(field.name, String::from_utf8_lossy(field.value));
    }
    if ["Upgrade", "Transfer-Encoding", "Expect"].iter().any(|name| headers.get(name).is_some()) {
        return None;
    }
    let body_bytes = headers.get("Content-Length").map_or(Ok(0), str::parse::<usize>).ok()?;
    if body_bytes as u64 > BODY_LIMIT_BYTES {
        return None;
    }
    request.headers = headers;
    Some(Verdict::TakenOver { request: Box::new(request), head_bytes: head.len(), body_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> String {
        match judge(text.as_bytes()) {
            Verdict::MoreNeeded => "more".to_owned(),
            Verdict::Ordinary => "ordinary".to_owned(),
            Verdict::TakenOver { request, body_bytes, .. } => format!("{} {body_bytes}", request.path),
        }
    }

    #[test]
    fn only_old_ways_of_taking_over_are_recognised() {
        let endless = format!("POST /containers/a/attach HTTP/1.1\r\n{}", "A: b\r\n".repeat(10_000));
        let table = [
            ("P", "more"),
            ("POST", "more"),
            ("G", "ordinary"),
            ("PUT /", "ordinary"),
            ("POST /containers/a/att", "more"),
            ("POST /containers/a/start HTTP/1.1\r\n", "ordinary"),
            ("POST /containers/a/attach?stream=1 HTTP/1.1\r\nHost: x\r\n", "more"),
            ("POST /containers/a/attach?stream=1 HTTP/1.1\r\nHost: x\r\n\r\n", "/containers/a/attach 0"),
            ("POST /v1.24/containers/a/attach HTTP/1.0\r\n\r\nbytes", "/v1.24/containers/a/attach 0"),
            ("POST /exec/a/start HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}", "/exec/a/start 2"),
            ("POST /exec/a/start HTTP/1.1\r\nContent-Length: -2\r\n\r\n{}", "ordinary"),
            ("POST /exec/a/start HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", "ordinary"),
            ("POST /exec/a/start HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "ordinary"),
            ("POST /containers/a/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", "ordinary"),
            ("POST /containers/a/attach HTTP/1.1\r\nbroken\r\n\r\n", "ordinary"),
            ("POST /v1.99/containers/a/attach HTTP/1.1\r\n\r\n", "ordinary"),
            ("POST /containers/%ff/attach HTTP/1.1\r\n\r\n", "ordinary"),
            (&*endless, "ordinary"),
        ];
        for (text, expected) in table {
            assert_eq!(verdict(text), expected, "{}", &text[..text.len().min(100)]);
        }
    }
}
