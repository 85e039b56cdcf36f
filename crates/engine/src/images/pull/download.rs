//! One layer's way from the registry into its partial file.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use base::digest::{Digest, Hasher};
use base::{Context, Error, Kind, Result};
use oci::manifest::Descriptor;
use registry::Repository;

use super::growing::Growing;
use crate::images::parallel::Stop;
use crate::{Progress, Stage, Update};

/// Bytes that are read, hashed and written at a time.
const PIECE_BYTES: usize = 256 << 10;
/// Progress is reported no more often than this.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// What a download needs beside its blob.
pub(super) struct Download<'a> {
    pub(super) repository: &'a Repository<'a>,
    pub(super) stop: &'a Stop<'a>,
    pub(super) progress: &'a dyn Progress,
}

/// Reports of one subject, not too many.
pub(crate) struct Reporter<'a> {
    progress: &'a dyn Progress,
    subject: String,
    last: Option<Instant>,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(progress: &'a dyn Progress, subject: &Digest) -> Self {
        Self { progress, subject: subject.short().to_owned(), last: None }
    }

    pub(crate) fn report(&self, stage: Stage) {
        self.progress.report(&Update { subject: Some(self.subject.clone()), stage });
    }

    /// Reports the stage that `stage` makes when it is time again.
    pub(crate) fn advance(&mut self, stage: impl FnOnce() -> Stage) {
        if self.last.is_none_or(|last| last.elapsed() >= REPORT_EVERY) {
            self.last = Some(Instant::now());
            self.report(stage());
        }
    }
}

impl Download<'_> {
    /// Completes `partial`, which may hold the beginning of `blob` from an earlier attempt, and returns the digest of all of it.
    ///
    /// Tells `growing` of each step, but not of the end. What a broken connection leaves stays for the next attempt; a full disk gets its bytes back.
    ///
    /// # Errors
    /// Those of the registry and of the disk.
    pub(super) fn run(&self, blob: &Descriptor, partial: &File, growing: &Growing) -> Result<Digest> {
        let result = self.transfer(blob, partial, growing);
        if let Err(error) = &result
            && matches!(error.kind(), Kind::Corrupt | Kind::Exhausted)
        {
            partial.set_len(0).context("empty a partial download")?;
        }
        result
    }

    fn transfer(&self, blob: &Descriptor, partial: &File, growing: &Growing) -> Result<Digest> {
        let mut reporter = Reporter::new(self.progress, &blob.digest);
        let mut hasher = Hasher::new(blob.digest.algorithm());
        let mut buffer = vec![0; PIECE_BYTES];
        let mut offset = self.take_up(blob, partial, &mut hasher, growing)?;
        let mut source = self.repository.blob(blob, offset)?;
        loop {
            self.stop.check()?;
            let count = source.read(&mut buffer).map_err(registry::recover)?;
            if count == 0 {
                break;
            }
            let piece = &buffer[..count];
            partial.write_all_at(piece, offset).context("write a partial download")?;
            hasher.update(piece);
            offset += count as u64;
            growing.grow(offset);
            reporter.advance(|| Stage::Downloading { current: offset, total: Some(blob.size) });
            if growing.is_abandoned() {
                return Err(Error::unavailable("the extraction has failed"));
            }
        }
        reporter.report(Stage::Verifying);
        let found = hasher.finish();
        if found == blob.digest {
            reporter.report(Stage::DownloadComplete);
        }
        Ok(found)
    }

    /// Hashes what an earlier attempt has left, and returns how much that is.
    fn take_up(&self, blob: &Descriptor, partial: &File, hasher: &mut Hasher, growing: &Growing) -> Result<u64> {
        let length = partial.metadata().context("stat a partial download")?.len();
        if length > blob.size {
            partial.set_len(0).context("empty a partial download")?;
            return Ok(0);
        }
        let mut buffer = vec![0; PIECE_BYTES];
        let mut offset = 0;
        while offset < length {
            self.stop.check()?;
            let count = partial.read_at(&mut buffer, offset).context("read a partial download")?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            offset += count as u64;
            growing.grow(offset);
        }
        Ok(offset)
    }
}
