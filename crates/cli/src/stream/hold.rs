//! The user's terminal and signals, lent to a process elsewhere while its stream lasts.

use std::os::unix::net::UnixStream;

use base::Result;

use super::relay::{Ended, Relay, Shape};
use super::signals::{self, Signals, Wanted};
use super::terminal;

/// What the process elsewhere must be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The terminal has another size.
    Resized { height: u16, width: u16 },
    /// This process got a signal that is meant for the other one.
    Signal(i32),
}

/// Carries bytes until the stream ends or the user detaches; the terminal is raw meanwhile where its keys go over the stream.
///
/// Signals are told where all are caught; otherwise those that end a process end this one, with the terminal given back.
///
/// # Errors
/// As [`Relay::run`].
pub(crate) fn hold(
    stream: UnixStream,
    shape: Shape,
    signals: &mut Signals,
    tell: &mut dyn FnMut(Event),
) -> Result<Ended> {
    let tty = shape.tty;
    let takes_keys = tty && shape.input && terminal::stdin_is_terminal();
    let wanted = signals.wanted();
    let mut on_signal = |signal: i32| {
        if tty && signals::is_resize(signal) {
            tell_size(tell);
        } else if wanted == Wanted::All {
            tell(Event::Signal(signal));
        } else if signals::is_ending(signal) {
            terminal::restore();
            signals::obey(signal);
        }
    };
    let relay = Relay::new(stream, shape, signals, &mut on_signal)?;
    let raw = if takes_keys { Some(terminal::Raw::enter()?) } else { None };
    let ended = relay.run();
    drop(raw);
    ended
}

/// Tells the size of the terminal, where there is one.
pub(crate) fn tell_size(tell: &mut dyn FnMut(Event)) {
    if let Some((height, width)) = terminal::size() {
        tell(Event::Resized { height, width });
    }
}
