//! A file that one thread appends to while another reads it from its beginning: a download and its extraction.
//!
//! The file is the pipe. So what was downloaded before an interruption is read like what comes now, the faster side never waits for the slower
//! one to drain a buffer, and memory use does not depend on the size of a layer. The end of the file is seen by the reader only after the writer has said that
//! the bytes are the right ones: whoever has read to the end has read verified bytes.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The state of both sides.
#[derive(Debug, Default)]
pub(super) struct Growing {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    length: u64,
    end: Option<End>,
    abandoned: bool,
    refused: bool,
}

/// How the writer has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All bytes are there and are the right ones.
    Verified,
    /// The writer has failed and says itself why.
    Failed,
}

impl Growing {
    /// Tells the reader that the file now has `length` bytes.
    pub(super) fn grow(&self, length: u64) {
        self.lock().length = length;
        self.changed.notify_all();
    }

    /// Tells the reader how it ended; the first word counts.
    pub(super) fn finish(&self, end: End) {
        let mut state = self.lock();
        state.end.get_or_insert(end);
        drop(state);
        self.changed.notify_all();
    }

    /// Tells the writer that nobody will read.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.refused |= state.end.is_none();
        state.abandoned = true;
    }

    /// Whether the reader has gone away.
    pub(super) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Whether the writer has said that all bytes are there and right.
    fn is_verified(&self) -> bool {
        self.lock().end == Some(End::Verified)
    }

    /// Whether the reader went away before the writer was done: then the writer's failure follows from the reader's.
    pub(super) fn is_refused(&self) -> bool {
        self.lock().refused
    }

    /// Waits until the file has more than `offset` bytes; nothing at its end.
    fn wait(&self, offset: u64) -> io::Result<Option<u64>> {
        let waiting = |state: &mut State| state.length <= offset && state.end.is_none();
        let state = self.changed.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        match state.end {
            Some(End::Failed) => Err(io::Error::other("the download has failed")),
            _ if state.length > offset => Ok(Some(state.length)),
            _ => Ok(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a growing file.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    growing: &'a Growing,
    file: &'a File,
    offset: u64,
    known: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(growing: &'a Growing, file: &'a File) -> Self {
        Self { growing, file, offset: 0, known: 0 }
    }

    /// Whether the file grows no more.
    pub(super) fn is_complete(&self) -> bool {
        self.growing.is_verified()
    }

    /// How many bytes were read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.offset == self.known {
            match self.growing.wait(self.offset)? {
                Some(length) => self.known = length,
                None => return Ok(0),
            }
        }
        let left = usize::try_from(self.known - self.offset).unwrap_or(usize::MAX);
        let want = buffer.len().min(left);
        let count = self.file.read_at(&mut buffer[..want], self.offset)?;
        if count == 0 && want > 0 {
            return Err(io::Error::other("the partial file was cut off by somebody else"));
        }
        self.offset += count as u64;
        Ok(count)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.growing.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn scratch() -> File {
        let path = std::env::temp_dir().join(format!(
            "engine-growing-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file
    }

    #[test]
    fn the_end_is_seen_only_after_verification() {
        let (growing, file) = (Growing::default(), scratch());
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let mut bytes = Vec::new();
                Reader::new(&growing, &file).read_to_end(&mut bytes).map(|_| bytes)
            });
            for piece in 1..=5 {
                (&file).write_all(&[piece; 1000]).unwrap();
                growing.grow(u64::from(piece) * 1000);
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            assert!(!reading.is_finished() && !growing.is_abandoned());
            growing.finish(End::Verified);
            let bytes = reading.join().unwrap().unwrap();
            assert_eq!((bytes.len(), bytes[0], bytes[4999]), (5000, 1, 5));
        });
        assert!(growing.is_abandoned());
    }

    #[test]
    fn a_failed_download_fails_its_reader() {
        let (growing, file) = (Growing::default(), scratch());
        (&file).write_all(b"half").unwrap();
        growing.grow(4);
        growing.finish(End::Failed);
        growing.finish(End::Verified);
        assert!(Reader::new(&growing, &file).read_to_end(&mut Vec::new()).is_err());
    }
}
