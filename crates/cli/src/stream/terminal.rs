//! The user's terminal: raw while a container has it, and itself again afterwards.

use std::io::{stdin, stdout};
use std::os::fd::AsFd;
use std::sync::{Mutex, Once, PoisonError};

use base::{Context, Result};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// How stdin was before it became raw; the panic hook needs it where no destructor runs.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal is raw as long as this lives.
#[derive(Debug)]
pub(crate) struct Raw(());

impl Raw {
    /// Makes stdin raw: keys go to the container as they are.
    ///
    /// # Errors
    /// The system's, where the terminal has gone.
    pub(crate) fn enter() -> Result<Self> {
        let before = tcgetattr(stdin().as_fd()).context("read the terminal's settings")?;
        let mut raw = before.clone();
        raw.make_raw();
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        restore_on_panic();
        tcsetattr(stdin().as_fd(), OptionalActions::Drain, &raw).context("make the terminal raw")?;
        Ok(Self(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was; does nothing where it was not taken.
pub(crate) fn restore() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // A terminal that has gone needs nothing.
        let _ = tcsetattr(stdin().as_fd(), OptionalActions::Drain, &before);
    }
}

fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |information| {
            restore();
            next(information);
        }));
    });
}

/// Whether stdin is a terminal.
pub(crate) fn stdin_is_terminal() -> bool {
    isatty(stdin().as_fd())
}

/// How wide the terminal is that `output` is, where it is one; one that does not say is taken for 80 columns.
pub(crate) fn columns(output: impl AsFd) -> Option<usize> {
    if !isatty(&output) {
        return None;
    }
    let columns = tcgetwinsize(&output).map_or(0, |size| size.ws_col);
    Some(if columns == 0 { 80 } else { columns.into() })
}

/// Rows and columns of the terminal that stdout is, where it is one and knows them.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(stdout().as_fd()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}
