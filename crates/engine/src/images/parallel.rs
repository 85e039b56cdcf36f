//! Many pieces of one transfer at a time, which stop together.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use base::{Error, Kind, Result};

use crate::Progress;

/// Tells the pieces of a transfer when to stop: one has failed, or whoever asked is gone.
pub(crate) struct Stop<'a> {
    failed: AtomicBool,
    progress: &'a dyn Progress,
}

impl<'a> Stop<'a> {
    pub(crate) fn new(progress: &'a dyn Progress) -> Self {
        Self { failed: AtomicBool::new(false), progress }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.progress.is_cancelled()
    }

    /// Asked between two steps of a piece.
    ///
    /// # Errors
    /// `Unavailable` when it is time to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_set() { Err(Error::new(Kind::Unavailable, "cancelled")) } else { Ok(()) }
    }
}

/// Does `work` for each item on at most `limit` threads, in their order, and returns the first failure after all have ended.
pub(crate) fn in_parallel<T: Sync>(
    items: &[T],
    limit: usize,
    stop: &Stop<'_>,
    work: impl Fn(&T) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let run = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = stop.check().and_then(|()| work(item)) {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                stop.failed.store(true, Ordering::Relaxed);
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..limit.clamp(1, items.len().max(1)) {
            scope.spawn(run);
        }
        run();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use std::time::Duration;

    #[test]
    fn everything_is_done_once_and_a_failure_ends_it() {
        let done = AtomicUsize::new(0);
        let items: Vec<usize> = (0..100).collect();
        let stop = Stop::new(&Silent);
        in_parallel(&items, 4, &stop, |_| {
            done.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
        assert_eq!(done.load(Ordering::Relaxed), 100);
        let error = in_parallel(&items, 4, &stop, |item| {
            std::thread::sleep(Duration::from_millis(1));
            if *item == 7 { Err(Error::corrupt("seven")) } else { Ok(()) }
        });
        assert_eq!(error.unwrap_err().to_string(), "seven");
        assert!(in_parallel(&[(); 0], 4, &Stop::new(&Silent), |()| Ok(())).is_ok());
    }
}
