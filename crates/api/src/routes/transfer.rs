//! Long transfers with progress: pull, push, import. Each runs in a thread of its own whose reports become the lines of the answer.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use base::{Context, Error, Result};
use engine::{Polled, Progress, Stage, Update};

use super::streams::{PATIENCE, Pieces};
use crate::convert;
use crate::message::{Response, ResponseBody};

/// So many lines wait for a client that reads slowly; then the transfer waits too.
const LINES_WAITING: usize = 256;
/// A client that takes no line for so long while the transfer waits for it is given up: it would keep others from what the transfer has locked.
const CLIENT_PATIENCE: Duration = Duration::from_secs(60);
/// How often a transfer that waits looks whether a line was taken.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What the thread of a transfer says.
enum Said {
    /// What may stand before a failure that still is the answer's status.
    Opening(Vec<u8>),
    /// A line.
    Line(Vec<u8>),
    /// The end.
    Done(Result<Option<Vec<u8>>>),
}

/// What the transfer knows of its client.
#[derive(Default)]
struct Client {
    /// It hears nothing more.
    gone: AtomicBool,
    /// So many lines were taken.
    taken: AtomicU64,
}

/// Passes reports on as lines, until nobody listens.
pub(crate) struct Lines {
    sender: SyncSender<Said>,
    client: Arc<Client>,
    patience: Duration,
}

impl Lines {
    /// Waits for a client that reads slowly, and gives up one that does not read.
    fn say(&self, mut said: Said) {
        let (mut taken, mut since) = (self.client.taken.load(Ordering::Relaxed), Instant::now());
        while !self.is_cancelled() {
            said = match self.sender.try_send(said) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(said)) => said,
            };
            let taken_now = self.client.taken.load(Ordering::Relaxed);
            if taken_now != taken {
                (taken, since) = (taken_now, Instant::now());
            } else if since.elapsed() >= self.patience {
                self.client.gone.store(true, Ordering::Relaxed);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
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
            _ => self.say(said),
        }
    }

    fn is_cancelled(&self) -> bool {
        self.client.gone.load(Ordering::Relaxed)
    }
}

/// Tells the transfer that nobody listens any more.
struct Listener {
    receiver: Receiver<Said>,
    client: Arc<Client>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.client.gone.store(true, Ordering::Relaxed);
    }
}

impl Listener {
    fn poll(&self) -> Polled<Said> {
        match self.receiver.recv_timeout(PATIENCE) {
            Ok(said) => {
                self.client.taken.fetch_add(1, Ordering::Relaxed);
                Polled::Item(said)
            }
            Err(RecvTimeoutError::Timeout) => Polled::Nothing,
            Err(RecvTimeoutError::Disconnected) => Polled::End,
        }
    }

    /// Why the transfer's end was not told.
    fn silence(&self) -> Error {
        match self.client.gone.load(Ordering::Relaxed) {
            true => Error::unavailable("this client read too slowly and was cut off: ask again"),
            false => Error::internal("the transfer's thread ended without an outcome"),
        }
    }
}

/// Runs `transfer` and answers with its progress, and at the end with the line that it returns. A transfer that fails before it did anything is an
/// error of its own; a later failure is the last line.
pub(crate) fn run(transfer: impl FnOnce(&Lines) -> Result<Option<Vec<u8>>> + Send + 'static) -> Result<Response> {
    run_for(CLIENT_PATIENCE, transfer)
}

fn run_for(
    patience: Duration,
    transfer: impl FnOnce(&Lines) -> Result<Option<Vec<u8>>> + Send + 'static,
) -> Result<Response> {
    let (sender, receiver) = sync_channel(LINES_WAITING);
    let client = Arc::new(Client::default());
    let listener = Listener { receiver, client: client.clone() };
    let work = move || {
        let lines = Lines { sender, client, patience };
        let outcome = transfer(&lines);
        lines.say(Said::Done(outcome));
    };
    std::thread::Builder::new().name("transfer".to_owned()).spawn(work).context("start a thread for a transfer")?;
    let (held, mut is_over) = first(&listener)?;
    let mut held = Some(held);
    let body = Pieces::new(move || {
        if let Some(line) = held.take() {
            return Ok(Polled::Item(line));
        }
        if is_over {
            return Ok(Polled::End);
        }
        let outcome = match listener.poll() {
            Polled::Item(Said::Opening(line) | Said::Line(line)) => return Ok(Polled::Item(line)),
            Polled::Nothing => return Ok(Polled::Nothing),
            Polled::Item(Said::Done(outcome)) => outcome,
            Polled::End => Err(listener.silence()),
        };
        is_over = true;
        Ok(match outcome {
            Ok(line) => line.map_or(Polled::End, Polled::Item),
            Err(error) => Polled::Item(convert::progress::failure(&error)?),
        })
    });
    let reader: Box<dyn Read + Send> = Box::new(body);
    Ok(Response::new(200, "application/json", ResponseBody::Reader(reader)))
}

/// The lines up to the first that shows that the transfer is on its way, and whether it is over; its failure, where it is not on its way.
fn first(listener: &Listener) -> Result<(Vec<u8>, bool)> {
    let mut held = Vec::new();
    loop {
        match listener.poll() {
            Polled::Item(Said::Opening(line)) => held.extend(line),
            Polled::Item(Said::Line(line)) => {
                held.extend(line);
                return Ok((held, false));
            }
            Polled::Item(Said::Done(outcome)) => {
                held.extend(outcome?.unwrap_or_default());
                return Ok((held, true));
            }
            Polled::Nothing => {}
            Polled::End => return Err(listener.silence()),
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

    #[test]
    fn a_client_that_stops_reading_ends_the_transfer_and_is_told() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let response = run_for(Duration::ZERO, move |lines| {
            while !lines.is_cancelled() {
                report(lines, Stage::Message("on its way".to_owned()));
            }
            let _ = sender.send(());
            Ok(None)
        });
        receiver.recv_timeout(Duration::from_secs(30)).unwrap();
        let text = String::from_utf8(response.unwrap().into_bytes().unwrap()).unwrap();
        assert!(text.lines().count() > LINES_WAITING);
        assert!(text.lines().last().unwrap().contains("this client read too slowly and was cut off"), "{text}");
    }

    #[test]
    fn a_client_that_reads_slowly_gets_every_line() {
        let response = run(|lines| {
            for number in 0..LINES_WAITING * 3 {
                report(lines, Stage::Message(number.to_string()));
            }
            Ok(Some(b"the end".to_vec()))
        });
        let text = String::from_utf8(response.unwrap().into_bytes().unwrap()).unwrap();
        assert_eq!(text.lines().count(), LINES_WAITING * 3 + 1);
        assert_eq!(text.lines().last(), Some("the end"));
    }

    #[test]
    fn a_transfer_that_breaks_off_is_no_success() {
        let response = run(|lines| {
            report(lines, Stage::Message("half".to_owned()));
            std::panic::resume_unwind(Box::new(()));
        });
        let text = String::from_utf8(response.unwrap().into_bytes().unwrap()).unwrap();
        assert!(text.lines().last().unwrap().contains("ended without an outcome"), "{text}");
    }
}
