//! Heads of HTTP/1.1: what is written before a request's body, and read before a response's (RFC 9112 §2 to §6).

use std::fmt::Write as _;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use base::{Error, Result};
use rustix::net::RecvFlags;

use crate::message::{Headers, Method, Request, RequestBody};
use crate::percent;

/// A longer head is no engine's.
const LIMIT_BYTES: usize = 64 << 10;
/// More fields than this are no engine's.
const FIELDS_LIMIT: usize = 100;

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: Headers,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// At the chunk of no bytes.
    Chunked,
    /// Where the connection ends.
    UntilClose,
}

/// Writes the head of `request` for a server that speaks `prefix`, as in `/v1.51`.
///
/// # Errors
/// `Invalid` for a header field with a line break in it.
pub(super) fn write(request: &Request, prefix: &str) -> Result<Vec<u8>> {
    let mut head = format!("{} {prefix}{}", request.method.as_str(), percent::encode_path(&request.path));
    let query = request.query.encode();
    if !query.is_empty() {
        let _ = write!(head, "?{query}");
    }
    let _ = write!(head, " HTTP/1.1\r\nHost: berth\r\nUser-Agent: berth/{}\r\n", env!("CARGO_PKG_VERSION"));
    for (name, value) in request.headers.iter() {
        if name.contains(|own: char| !own.is_ascii_graphic() || own == ':') || value.contains(['\r', '\n', '\0']) {
            return Err(Error::invalid(format!("the header field {name:?} has a line break in it")));
        }
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if request.headers.get("Connection").is_none() {
        head.push_str("Connection: close\r\n");
    }
    match &request.body {
        RequestBody::Empty if matches!(request.method, Method::Get | Method::Head) => {}
        RequestBody::Empty => head.push_str("Content-Length: 0\r\n"),
        RequestBody::Bytes(bytes) => {
            let _ = write!(head, "Content-Length: {}\r\n", bytes.len());
        }
        RequestBody::Reader(_) => head.push_str("Transfer-Encoding: chunked\r\n"),
    }
    head.push_str("\r\n");
    Ok(head.into_bytes())
}

/// Reads the head of a response, and not a byte more: what follows may be a stream that is somebody else's to read.
///
/// # Errors
/// `Unavailable` when the connection ends before, `Corrupt` for what is no head of HTTP.
pub(super) fn read(stream: &UnixStream) -> Result<Head> {
    loop {
        let head = parse(&read_bytes(stream)?)?;
        // What comes before the answer, as in `100 Continue`.
        if !(100..200).contains(&head.status) || head.status == 101 {
            return Ok(head);
        }
    }
}

fn read_bytes(mut stream: &UnixStream) -> Result<Vec<u8>> {
    let gone = |error: io::Error| Error::unavailable(format!("read the engine's answer: {error}"));
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while head.len() < LIMIT_BYTES {
        let (_, seen) = match rustix::net::recv(stream, &mut buffer, RecvFlags::PEEK) {
            Err(rustix::io::Errno::INTR) => continue,
            outcome => outcome.map_err(|errno| gone(errno.into()))?,
        };
        if seen == 0 {
            return Err(Error::unavailable("the engine went away before it answered"));
        }
        let before = head.len();
        head.extend_from_slice(&buffer[..seen]);
        let end = end(&head, before);
        let consumed = end.map_or(seen, |end| end - before);
        stream.read_exact(&mut buffer[..consumed]).map_err(gone)?;
        if let Some(end) = end {
            head.truncate(end);
            return Ok(head);
        }
    }
    Err(Error::corrupt(format!("the engine's answer is no HTTP: its head is longer than {LIMIT_BYTES} bytes")))
}

/// Where the empty line ends, when everything before `from` was looked at already.
pub(crate) fn end(head: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    head[from..].windows(4).position(|window| window == b"\r\n\r\n").map(|position| from + position + 4)
}

fn parse(bytes: &[u8]) -> Result<Head> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_LIMIT];
    let mut response = httparse::Response::new(&mut fields);
    let corrupt = |what: &dyn std::fmt::Display| Error::corrupt(format!("the engine's answer is no HTTP: {what}"));
    let parsed = response.parse(bytes).map_err(|error| corrupt(&error))?;
    let (true, Some(status)) = (parsed.is_complete(), response.code) else { return Err(corrupt(&"half a head")) };
    let mut headers = Headers::default();
    for field in response.headers.iter() {
        headers.add(field.name, String::from_utf8_lossy(field.value));
    }
    Ok(Head { status, headers })
}

impl Head {
    /// How the body of the answer to `method` ends (RFC 9112 §6.3).
    ///
    /// # Errors
    /// `Corrupt` for a length that is none.
    pub(super) fn framing(&self, method: Method) -> Result<Framing> {
        if method == Method::Head || matches!(self.status, 100..=199 | 204 | 304) {
            return Ok(Framing::Length(0));
        }
        if let Some(encoding) = self.headers.get("Transfer-Encoding") {
            let last = encoding.rsplit(',').next().unwrap_or_default().trim();
            return Ok(if last.eq_ignore_ascii_case("chunked") { Framing::Chunked } else { Framing::UntilClose });
        }
        match self.headers.get("Content-Length") {
            None => Ok(Framing::UntilClose),
            Some(length) => length
                .parse()
                .map(Framing::Length)
                .map_err(|_| Error::corrupt(format!("the engine's answer has the length {length:?}"))),
        }
    }

    /// Whether the connection is a container's streams from here on: asked for, or as engines before 1.22 did it.
    pub(super) fn is_upgraded(&self) -> bool {
        let stream = self.headers.get("Content-Type").is_some_and(|kind| kind.starts_with("application/vnd.docker."));
        let framed = ["Content-Length", "Transfer-Encoding"].iter().any(|name| self.headers.get(name).is_some());
        self.status == 101 || (self.status == 200 && stream && !framed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn heads_are_read_to_their_end_and_no_further() {
        let (mut there, mut here) = UnixStream::pair().unwrap();
        let writer = std::thread::spawn(move || {
            for piece in
                ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 1", "01 UPGRADED\r\nContent-Type: x\r", "\n\r", "\nstream"]
            {
                there.write_all(piece.as_bytes()).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        });
        let head = read(&here).unwrap();
        assert_eq!((head.status, head.headers.get("content-type")), (101, Some("x")));
        let mut rest = String::new();
        here.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "stream");
        writer.join().unwrap();
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let endless = format!("HTTP/1.1 200 OK\r\n{}", "A: b\r\n".repeat(20_000));
        for (text, expected) in [
            ("", "went away"),
            ("HTTP/1.1 200 OK\r\n", "went away"),
            ("SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"),
            (&*endless, "longer than"),
        ] {
            let (mut there, here) = UnixStream::pair().unwrap();
            let text = text.to_owned();
            let writer = std::thread::spawn(move || there.write_all(text.as_bytes()));
            let error = read(&here).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            drop(here);
            let _ = writer.join().unwrap();
        }
    }

    #[test]
    fn bodies_end_as_their_heads_say() {
        let table: &[(&str, Method, Option<Framing>)] = &[
            ("200 OK\r\nContent-Length: 12", Method::Get, Some(Framing::Length(12))),
            ("200 OK\r\nContent-Length: 12", Method::Head, Some(Framing::Length(0))),
            ("200 OK\r\nTransfer-Encoding: chunked", Method::Get, Some(Framing::Chunked)),
            ("200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 1", Method::Get, Some(Framing::Chunked)),
            ("200 OK", Method::Post, Some(Framing::UntilClose)),
            ("204 No Content", Method::Post, Some(Framing::Length(0))),
            ("304 Not Modified", Method::Post, Some(Framing::Length(0))),
            ("200 OK\r\nContent-Length: -1", Method::Get, None),
            ("200 OK\r\nContent-Length: 99999999999999999999", Method::Get, None),
        ];
        for (text, method, expected) in table {
            let head = parse(format!("HTTP/1.1 {text}\r\n\r\n").as_bytes()).unwrap();
            assert_eq!(head.framing(*method).ok(), *expected, "{text}");
        }
    }

    #[test]
    fn streams_are_recognised() {
        let raw = "Content-Type: application/vnd.docker.raw-stream";
        for (text, expected) in [
            (format!("101 UPGRADED\r\n{raw}"), true),
            (format!("200 OK\r\n{raw}"), true),
            (format!("200 OK\r\n{raw}\r\nTransfer-Encoding: chunked"), false),
            ("200 OK\r\nContent-Length: 0".to_owned(), false),
            (format!("404 Not Found\r\n{raw}"), false),
        ] {
            let head = parse(format!("HTTP/1.1 {text}\r\n\r\n").as_bytes()).unwrap();
            assert_eq!(head.is_upgraded(), expected, "{text}");
        }
    }

    #[test]
    fn requests_are_written() {
        let mut request = Request::new(Method::Post, "/images/a b/tag");
        request.query.add("repo", "x y");
        request.headers.add("Content-Type", "text/plain");
        let head = String::from_utf8(write(&request, "/v1.51").unwrap()).unwrap();
        assert!(head.starts_with("POST /v1.51/images/a%20b/tag?repo=x%20y HTTP/1.1\r\nHost: berth\r\n"), "{head}");
        assert!(head.ends_with("Content-Type: text/plain\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), "{head}");
        request.headers.add("X", "a\r\nEvil: b");
        assert!(write(&request, "").is_err());
    }
}
