//! From a request of HTTP's library to ours.

use std::io::{self, Read};

use base::{Error, Result};
use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::message::{Headers, Method, Request, RequestBody};
use crate::percent;
use crate::query::Query;

/// So many pieces of a body wait for their handler; then the client waits.
const PIECES_WAITING: usize = 2;

/// Translates.
///
/// # Errors
/// `NotFound` for a method that nothing answers to, `Invalid` for a malformed address.
pub(super) fn translate(request: hyper::Request<Incoming>) -> Result<Request> {
    let (head, body) = request.into_parts();
    let method = Method::parse(head.method.as_str()).ok_or_else(|| Error::not_found("page not found"))?;
    let mut headers = Headers::default();
    for (name, value) in &head.headers {
        headers.add(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
    }
    Ok(Request {
        method,
        path: percent::decode_path(head.uri.path())?,
        query: Query::parse(head.uri.query().unwrap_or_default())?,
        headers,
        body: if body.is_end_stream() { RequestBody::Empty } else { RequestBody::Reader(Box::new(Pieces::of(body))) },
    })
}

/// A body as a reader for another thread.
struct Pieces {
    receiver: Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Pieces {
    fn of(body: Incoming) -> Self {
        let (sender, receiver) = channel(PIECES_WAITING);
        tokio::spawn(pass_on(body, sender));
        Self { receiver, piece: Bytes::new() }
    }
}

async fn pass_on(mut body: Incoming, sender: Sender<io::Result<Bytes>>) {
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            // The handler wants no more of it.
            () = sender.closed() => return,
        };
        let piece = match frame {
            None => return,
            Some(Ok(frame)) => frame.into_data().map(Ok).unwrap_or(Ok(Bytes::new())),
            Some(Err(error)) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, error)),
        };
        let broken = piece.is_err();
        if sender.send(piece).await.is_err() || broken {
            return;
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !buffer.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.piece = piece?,
            }
        }
        let length = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
