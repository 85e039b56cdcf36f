//! From our response to one of HTTP's library.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use hyper::{HeaderMap, StatusCode};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::message::{Headers, Response, ResponseBody};
use crate::routes::streams::PATIENCE;

/// So many pieces of a body wait for a slow client; then whoever makes them waits.
const PIECES_WAITING: usize = 2;
const PIECE_BYTES: usize = 32 << 10;

/// The body of a response.
#[derive(Debug)]
pub(super) enum Body {
    /// All of it; taken once it was sent.
    Whole(Option<Bytes>),
    /// What a thread reads. Dropping it stops that thread.
    Pieces(Receiver<io::Result<Bytes>>),
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(receiver) => {
                receiver.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

/// What a response becomes: one of HTTP's, and the streams that follow it where the connection is handed over.
pub(super) type Translated = (hyper::Response<Body>, Option<UnixStream>);

/// Whether the client asked to take over the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Upgrade,
    Nothing,
}

/// Translates.
pub(super) fn translate(response: Response, asked: Asked) -> Translated {
    let mut status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut headers = fields(&response.headers);
    let (body, stream) = match response.body {
        ResponseBody::Empty => (Body::Whole(None), None),
        ResponseBody::Bytes(bytes) => (Body::Whole(Some(bytes.into())), None),
        ResponseBody::Reader(reader) => (pieces(reader), None),
        ResponseBody::Upgraded(stream) if asked == Asked::Upgrade => {
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("tcp"));
            status = StatusCode::SWITCHING_PROTOCOLS;
            (Body::Whole(None), Some(stream))
        }
        // Not the first request of its connection, which would have been recognised: output is all that HTTP can carry then.
        ResponseBody::Upgraded(stream) => {
            status = StatusCode::OK;
            (pieces(Box::new(Output::of(stream))), None)
        }
    };
    let mut translated = hyper::Response::new(body);
    *translated.status_mut() = status;
    *translated.headers_mut() = headers;
    (translated, stream)
}

fn fields(headers: &Headers) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in headers.iter() {
        // All names are ours; a value may carry what somebody named something.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            fields.append(name, value);
        }
    }
    fields
}

fn pieces(reader: Box<dyn Read + Send>) -> Body {
    let (sender, receiver) = channel(PIECES_WAITING);
    tokio::task::spawn_blocking(move || pump(reader, &sender));
    Body::Pieces(receiver)
}

/// Reads until the end, or until nobody wants it.
fn pump(mut reader: Box<dyn Read + Send>, sender: &Sender<io::Result<Bytes>>) {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let piece = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => Ok(Bytes::copy_from_slice(&buffer[..length])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                if sender.is_closed() {
                    return;
                }
                continue;
            }
            Err(error) => Err(error),
        };
        let broken = piece.is_err();
        if sender.blocking_send(piece).is_err() || broken {
            return;
        }
    }
}

/// The output of a container's streams, as a reader that looks up now and then.
struct Output(UnixStream);

impl Output {
    fn of(stream: UnixStream) -> Self {
        // Where either fails, the reader only ends later.
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.set_read_timeout(Some(PATIENCE));
        Self(stream)
    }
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ErrorKind::Interrupted.into()),
            outcome => outcome,
        }
    }
}

/// What the service of a connection returns: its failures are answers.
pub(super) type Answered = Result<hyper::Response<Body>, Infallible>;
