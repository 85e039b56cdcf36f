//! Bodies of HTTP/1.1 on a blocking connection: a response's is read as it comes, a request's is sent from a thread of its own.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use super::head::Framing;

/// Lines between chunks are short; what a longer one would hold means nothing to us.
const LINE_LIMIT_BYTES: u64 = 4096;
/// Fields behind the last chunk, of which there are none as a rule.
const TRAILERS_LIMIT: usize = 100;
/// A piece of a request's body.
const PIECE_BYTES: usize = 64 << 10;

/// Why a request's body could not be sent as a whole: its own reader failed.
pub(super) type Failure = Arc<Mutex<Option<io::Error>>>;

/// The body of a response. Dropping it ends the connection.
#[derive(Debug)]
pub(super) struct Body {
    reader: BufReader<UnixStream>,
    rest: Rest,
    failure: Failure,
}

/// What is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// So many bytes.
    Bytes(u64),
    /// So many bytes of a chunk, and its line break.
    Chunk(u64),
    /// The line that tells a chunk's length.
    Size,
    /// Nobody knows.
    UntilClose,
    Nothing,
}

impl Body {
    pub(super) fn new(stream: UnixStream, framing: Framing, failure: Failure) -> Self {
        let rest = match framing {
            Framing::Length(length) => Rest::Bytes(length),
            Framing::Chunked => Rest::Size,
            Framing::UntilClose => Rest::UntilClose,
        };
        Self { reader: BufReader::new(stream), rest, failure }
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.rest {
                Rest::Nothing | Rest::Bytes(0) => return Ok(0),
                Rest::UntilClose => return self.reader.read(buffer),
                Rest::Bytes(left) => {
                    let length = self.read_of(left, buffer)?;
                    self.rest = Rest::Bytes(left - length as u64);
                    return Ok(length);
                }
                Rest::Chunk(0) => {
                    if !self.line()?.is_empty() {
                        return Err(malformed());
                    }
                    self.rest = Rest::Size;
                }
                Rest::Chunk(left) => {
                    let length = self.read_of(left, buffer)?;
                    self.rest = Rest::Chunk(left - length as u64);
                    return Ok(length);
                }
                Rest::Size => match size(&self.line()?)? {
                    0 => {
                        self.skip_trailers()?;
                        self.rest = Rest::Nothing;
                    }
                    size => self.rest = Rest::Chunk(size),
                },
            }
        }
    }

    /// Reads at most `left` bytes, of which there must be one.
    fn read_of(&mut self, left: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match self.reader.read(&mut buffer[..most])? {
            0 if most > 0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "the engine went away")),
            length => Ok(length),
        }
    }

    /// A line without its end.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.reader.by_ref().take(LINE_LIMIT_BYTES).read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(line.to_vec()),
            None if line.len() as u64 == LINE_LIMIT_BYTES => Err(malformed()),
            None if line.ends_with(b"\n") => Err(malformed()),
            None => Err(io::Error::new(ErrorKind::UnexpectedEof, "the engine went away")),
        }
    }

    fn skip_trailers(&mut self) -> io::Result<()> {
        for _ in 0..TRAILERS_LIMIT {
            if self.line()?.is_empty() {
                return Ok(());
            }
        }
        Err(malformed())
    }
}

/// The length at the beginning of a chunk (RFC 9112 §7.1).
fn size(line: &[u8]) -> io::Result<u64> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let text = std::str::from_utf8(digits).map_err(|_| malformed())?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(malformed());
    }
    u64::from_str_radix(text, 16).map_err(|_| malformed())
}

fn malformed() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the engine's answer is no HTTP: a chunk is malformed")
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let outcome = self.read_some(buffer);
        match (outcome, take(&self.failure)) {
            // That the answer broke off only follows from this.
            (Err(_) | Ok(0), Some(cause)) => Err(cause),
            (outcome, _) => outcome,
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // A thread that still sends holds the connection too.
        let _ = self.reader.get_ref().shutdown(Shutdown::Both);
    }
}

/// What kept a body from being sent, once.
pub(super) fn take(failure: &Failure) -> Option<io::Error> {
    failure.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Sends `body` in chunks. Where it cannot be read to its end, the connection is ended instead, so that the other side does not take it for whole.
pub(super) fn send(body: &mut dyn Read, mut stream: &UnixStream, failure: &Failure) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let sent = match body.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Ok(length) => write_chunk(&mut stream, &piece[..length]).map(|()| length),
        };
        // The other side may have answered without reading all; its answer tells why.
        if !matches!(sent, Ok(1..)) {
            return;
        }
    }
}

fn write_chunk(stream: &mut &UnixStream, piece: &[u8]) -> io::Result<()> {
    // One write each: a chunk of nothing is the end.
    let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
    chunk.extend_from_slice(piece);
    chunk.extend_from_slice(b"\r\n");
    stream.write_all(&chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, framing: Framing) -> Result<String, ErrorKind> {
        let (mut there, here) = UnixStream::pair().unwrap();
        there.write_all(text.as_bytes()).unwrap();
        drop(there);
        let mut read = String::new();
        let outcome = Body::new(here, framing, Failure::default()).read_to_string(&mut read);
        outcome.map(|_| read).map_err(|error| error.kind())
    }

    #[test]
    fn bodies_are_read_to_their_end() {
        let long = format!("{}\r\n", "1".repeat(5000));
        let table: &[(&str, Framing, Result<&str, ErrorKind>)] = &[
            ("hello, more", Framing::Length(5), Ok("hello")),
            ("", Framing::Length(0), Ok("")),
            ("hel", Framing::Length(5), Err(ErrorKind::UnexpectedEof)),
            ("hello", Framing::UntilClose, Ok("hello")),
            ("5\r\nhello\r\n0\r\n\r\nmore", Framing::Chunked, Ok("hello")),
            ("3;name=value\r\nhel\r\n2 \r\nlo\r\n0\r\nTrailer: x\r\n\r\n", Framing::Chunked, Ok("hello")),
            ("A\r\n0123456789\r\n0\r\n\r\n", Framing::Chunked, Ok("0123456789")),
            ("5\r\nhello\r\n", Framing::Chunked, Err(ErrorKind::UnexpectedEof)),
            ("5\r\nhel", Framing::Chunked, Err(ErrorKind::UnexpectedEof)),
            ("0\r\n", Framing::Chunked, Err(ErrorKind::UnexpectedEof)),
            ("5\r\nhello!\r\n0\r\n\r\n", Framing::Chunked, Err(ErrorKind::InvalidData)),
            ("-1\r\n", Framing::Chunked, Err(ErrorKind::InvalidData)),
            ("+5\r\nhello\r\n0\r\n\r\n", Framing::Chunked, Err(ErrorKind::InvalidData)),
            ("\r\n", Framing::Chunked, Err(ErrorKind::InvalidData)),
            ("10000000000000000\r\n", Framing::Chunked, Err(ErrorKind::InvalidData)),
            (&long, Framing::Chunked, Err(ErrorKind::InvalidData)),
        ];
        for (text, framing, expected) in table {
            assert_eq!(read(text, *framing), expected.map(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn a_body_that_cannot_be_read_is_not_sent_as_whole() {
        struct Broken(bool);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(io::Error::other("the disk is gone"));
                }
                buffer[0] = b'a';
                Ok(1)
            }
        }
        let (mut there, here) = UnixStream::pair().unwrap();
        let failure = Failure::default();
        send(&mut Broken(false), &here, &failure);
        let mut received = String::new();
        there.read_to_string(&mut received).unwrap();
        assert_eq!(received, "1\r\na\r\n");
        assert_eq!(take(&failure).unwrap().to_string(), "the disk is gone");
    }
}
