//! Serves one client.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use base::Error;
use bytes::{Buf, Bytes, BytesMut};
use engine::{Caller, LogLevel};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::UnixStream;

use super::opening::{self, Opening};
use super::response::{self, Answered, Asked};
use super::{Server, relay, request};
use crate::message::{Request, Response, ResponseBody};
use crate::router;
use crate::types::ErrorMessage;

/// What is read of a head, and buffered of a body.
const BUFFER_BYTES: usize = 64 << 10;

/// A client of a listener.
#[derive(Clone, Debug)]
struct Client {
    server: Arc<Server>,
    caller: Caller,
}

/// Serves `stream` until it ends.
pub(super) async fn serve(mut stream: UnixStream, host: String, server: Arc<Server>) {
    let user = stream.peer_cred().ok().map(|peer| peer.uid());
    let mut closing = server.closing.clone();
    let patience = server.patience;
    let opening = tokio::select! {
        opening = tokio::time::timeout(patience, opening::read(&mut stream)) => opening,
        _ = closing.changed() => return,
    };
    let client = Client { server, caller: Caller::socket(host, user) };
    // A client that breaks its connection, or says nothing in time, is owed nothing.
    match opening {
        Ok(Ok(Some(Opening::Ordinary(read)))) => client.speak_http(Opened { read, stream }).await,
        Ok(Ok(Some(Opening::TakenOver(request, early)))) => drop(client.hand_over(*request, stream, &early).await),
        Ok(Ok(None) | Err(_)) | Err(_) => {}
    }
}

impl Client {
    async fn speak_http(self, opened: Opened) {
        let (patience, mut closing) = (self.server.patience, self.server.closing.clone());
        let service = service_fn(move |request| self.clone().exchange(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(opened), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = closing.changed() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn exchange(self, mut request: hyper::Request<Incoming>) -> Answered {
        let upgrade = request.headers().contains_key(hyper::header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
        let asked = if upgrade.is_some() { Asked::Upgrade } else { Asked::Nothing };
        let line = format!("{} {}", request.method(), request.uri().path());
        let answer = match request::translate(request) {
            Ok(request) => self.answer(line, request).await,
            Err(error) => self.note(&line, router::failure(&error)),
        };
        let (response, container) = response::translate(answer, asked);
        if let (Some(container), Some(upgrade)) = (container, upgrade) {
            tokio::spawn(take_over(upgrade, container));
        }
        Ok(response)
    }

    /// Answers in a thread of its own, which goes on where the client does not wait for it.
    async fn answer(&self, line: String, request: Request) -> Response {
        let (server, caller) = (self.server.clone(), self.caller.clone());
        let busy = server.busy.clone();
        let answered = tokio::task::spawn_blocking(move || {
            let answer = router::answer(&server.engine, &caller, request);
            drop(busy);
            answer
        });
        let failed = |_| router::failure(&Error::internal("the request was not answered"));
        self.note(&line, answered.await.unwrap_or_else(failed))
    }

    /// Says where it is wished how a request ended. What the client got wrong it was told.
    fn note(&self, line: &str, answer: Response) -> Response {
        let message = match &answer.body {
            ResponseBody::Bytes(bytes) if answer.status >= 400 => {
                serde_json::from_slice(bytes).map(|error: ErrorMessage| format!(" {}", error.message)).ok()
            }
            _ => None,
        };
        let level = match answer.status {
            501 | 503 => LogLevel::Warn,
            500.. => LogLevel::Error,
            _ => LogLevel::Debug,
        };
        self.server.say(level, &format!("{line}: {}{}", answer.status, message.unwrap_or_default()));
        answer
    }

    /// Answers a request that takes the connection over without asking, in the way of old: what follows the head is the stream.
    async fn hand_over(self, request: Request, mut stream: UnixStream, early: &[u8]) -> io::Result<()> {
        let answer = self.answer(format!("POST {}", request.path), request).await;
        let (status, body, container) = match answer.body {
            ResponseBody::Upgraded(container) => (200, Vec::new(), Some(container)),
            ResponseBody::Bytes(bytes) => (answer.status, bytes, None),
            // No handler of these addresses has another body.
            ResponseBody::Empty | ResponseBody::Reader(_) => (answer.status, Vec::new(), None),
        };
        let reason = hyper::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or_default());
        for (name, value) in answer.headers.iter() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if container.is_none() {
            head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n", body.len()));
        }
        head.push_str("\r\n");
        stream.write_all(&[head.as_bytes(), &body].concat()).await?;
        match container {
            Some(container) => relay::run(stream, early, container).await,
            None => stream.shutdown().await,
        }
    }
}

/// Carries a container's streams once the client has been told that it may speak them.
async fn take_over(upgrade: OnUpgrade, container: std::os::unix::net::UnixStream) {
    // A client that went away before has nothing to be told.
    let Ok(upgraded) = upgrade.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<Opened>>() else { return };
    let opened = parts.io.into_inner();
    let early = [parts.read_buf, Bytes::from(opened.read)].concat();
    let _ = relay::run(opened.stream, &early, container).await;
}

/// A connection of which the first bytes have been read.
#[derive(Debug)]
struct Opened {
    read: BytesMut,
    stream: UnixStream,
}

impl AsyncRead for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read[..length]);
        self.read.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Opened {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
