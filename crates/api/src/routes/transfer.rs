//! Long transfers with progress: pull, push, import. Each runs in a thread of its own whose reports become the lines of the answer.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

use base::{Context, Error, Result};
use engine::{Polled, Progress, Stage, Update};

use super::streams::{PATIENCE, Pieces};
use crate::convert;
use crate::message::{Response, ResponseBody};

/// So many lines wait for a client that reads slowly; then the transfer waits too.
const LINES_WAITING: usize = 256;

/// What the thread of a transfer says.
enum Said {
    /// What may stand before a failure that still is the answer's status.
    Opening(Vec<u8>),
    /// A line.
    Line(Vec<u8>),
    /// The end.
    Done(Result<Option<Vec<u8>>>),
}

/// Passes reports on as lines, until nobody listens.
pub(crate) struct Lines {
    sender: SyncSender<Said>,
    gone: Arc<AtomicBool>,
}

impl Progress for Lines {
    fn report(&self, update: &Update) {
        // Lines are maps of text: they cannot fail to be JSON.
        let Ok(line) = convert::progress::lines(update) else { return };
        let said = match update.stage {
            Stage::PullingFrom(_) | Stage::PushingTo(_) => Said::Opening(line),
            _ => Said::Line(line),
        };
        match update.stage {
            // The next one says it better.
            Stage::Downloading { .. } | Stage::Extracting { .. } | Stage::Pushing { .. } => {
                let _ = self.sender.try_send(said);
            }
            _ => {
                let _ = self.sender.send(said);
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

/// Tells the transfer that nobody listens any more.
struct Listener {
    receiver: Receiver<Said>,
    gone: Arc<AtomicBool>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

impl Listener {
    fn poll(&self) -> Polled<Said> {
        match self.receiver.recv_timeout(PATIENCE) {
            Ok(said) => Polled::Item(said),
            Err(RecvTimeoutError::Timeout) => Polled::Nothing,
            Err(RecvTimeoutError::Disconnected) => Polled::End,
        }
    }
}

/// Runs `transfer` and answers with its progress, and at the end with the line that it returns. A transfer that fails before it did anything is an
/// error of its own; a later failure is the last line.
pub(crate) fn run(transfer: impl FnOnce(&Lines) -> Result<Option<Vec<u8>>> + Send + 'static) -> Result<Response> {
    let (sender, receiver) = sync_channel(LINES_WAITING);
    let gone = Arc::new(AtomicBool::new(false));
    let listener = Listener { receiver, gone: gone.clone() };
    let work = move || {
        let lines = Lines { sender, gone };
        let outcome = transfer(&lines);
        let _ = lines.sender.send(Said::Done(outcome));
    };
    std::thread::Builder::new().name("transfer".to_owned()).spawn(work).context("start a thread for a transfer")?;
    let mut held = first(&listener)?;
    let body = Pieces::new(move || {
        if let Some(line) = held.take() {
            return Ok(Polled::Item(line));
        }
        Ok(match listener.poll() {
            Polled::Item(Said::Opening(line) | Said::Line(line)) => Polled::Item(line),
            Polled::Item(Said::Done(Ok(line))) => line.map_or(Polled::End, Polled::Item),
            Polled::Item(Said::Done(Err(error))) => Polled::Item(convert::progress::failure(&error)?),
            Polled::Nothing => Polled::Nothing,
            Polled::End => Polled::End,
        })
    });
    let reader: Box<dyn Read + Send> = Box::new(body);
    Ok(Response::new(200, "application/json", ResponseBody::Reader(reader)))
}

/// The lines up to the first that shows that the transfer is on its way; its failure, where it is not.
fn first(listener: &Listener) -> Result<Option<Vec<u8>>> {
    let mut held = Vec::new();
    loop {
        match listener.poll() {
            Polled::Item(Said::Opening(line)) => held.extend(line),
            Polled::Item(Said::Line(line)) => {
                held.extend(line);
                return Ok(Some(held));
            }
            Polled::Item(Said::Done(outcome)) => {
                held.extend(outcome?.unwrap_or_default());
                return Ok(Some(held));
            }
            Polled::Nothing => {}
            Polled::End => return Err(Error::internal("the transfer's thread ended without an outcome")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &Lines, stage: Stage) {
        lines.report(&Update { subject: None, stage });
    }

    #[test]
    fn an_early_failure_is_the_answer() {
        let outcome = run(|lines| {
            report(lines, Stage::PullingFrom("a".to_owned()));
            Err(Error::not_found("no such manifest"))
        });
        assert_eq!(outcome.unwrap_err().http_status(), 404);
    }

    #[test]
    fn a_late_failure_is_the_last_line() {
        let response = run(|lines| {
            report(lines, Stage::PullingFrom("library/a".to_owned()));
            report(lines, Stage::Message("half".to_owned()));
            Err(Error::unavailable("the registry hung up"))
        });
        let text = String::from_utf8(response.unwrap().into_bytes().unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                r#"{"status":"Pulling from library/a"}"#,
                r#"{"status":"half"}"#,
                r#"{"errorDetail":{"message":"the registry hung up"},"error":"the registry hung up"}"#
            ]
        );
    }

    #[test]
    fn a_client_that_leaves_ends_the_transfer() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let response = run(move |lines| {
            report(lines, Stage::Message("on its way".to_owned()));
            while !lines.is_cancelled() {
                std::thread::yield_now();
            }
            let _ = sender.send(());
            Ok(None)
        });
        drop(response);
        receiver.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
    }
}
