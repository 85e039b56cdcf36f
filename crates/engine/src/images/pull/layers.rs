//! The layers of an image, several at a time: downloaded and extracted at once, or found, or waited for.

use std::fs::File;
use std::io::Read;
use std::thread;
use std::time::Duration;

use base::{Context, Error, Kind, Result};
use image::{Ingest, Partial};
use registry::Repository;
use snapshot::{Begin, Limits};

use super::documents::Layer;
use super::download::{Download, Reporter};
use super::growing::{End, Growing, Reader};
use super::local::Local;
use crate::images::parallel::{Stop, in_parallel};
use crate::{Progress, Stage};

/// Who waits for somebody else's download looks again after this time.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What all layers of a pull share.
pub(super) struct Layers<'a> {
    pub(super) repository: &'a Repository<'a>,
    pub(super) local: &'a Local<'a>,
    pub(super) stop: &'a Stop<'a>,
    pub(super) progress: &'a dyn Progress,
    /// So many at a time.
    pub(super) limit: usize,
}

/// What there is of a blob when its turn has come.
enum Turn {
    Stored(File),
    Partial(Partial),
}

impl Layers<'_> {
    /// Returns when all layers are extracted and their blobs are stored.
    pub(super) fn fetch(&self, layers: &[Layer]) -> Result<()> {
        let mut missing: Vec<&Layer> = Vec::new();
        for layer in layers {
            if missing.contains(&layer) {
                continue;
            }
            if self.local.presence(layer)?.is_complete() {
                self.reporter(layer).report(Stage::AlreadyExists);
            } else {
                self.reporter(layer).report(Stage::PullingLayer);
                missing.push(layer);
            }
        }
        for layer in missing.iter().skip(self.limit) {
            self.reporter(layer).report(Stage::Waiting);
        }
        in_parallel(&missing, self.limit, self.stop, |layer| {
            self.one(layer).map_err(|error| error.context(format!("layer {}", layer.blob.digest.short())))
        })
    }

    fn one(&self, layer: &Layer) -> Result<()> {
        match self.turn(layer)? {
            Turn::Stored(blob) => match self.extract_stored(layer, &blob) {
                // A disk that lost bytes: they are brought again, once.
                Err(error) if error.kind() == Kind::Corrupt && self.local.discard_if_damaged(&layer.blob.digest)? => {
                    self.bring_again(layer)?;
                }
                result => result?,
            },
            Turn::Partial(partial) => self.transfer(layer, partial)?,
        }
        self.reporter(layer).report(Stage::PullComplete);
        Ok(())
    }

    /// Waits until nobody else, in whatever process, brings the same blob.
    fn turn(&self, layer: &Layer) -> Result<Turn> {
        let mut is_told = false;
        loop {
            match self.local.begin(&layer.blob.digest)? {
                Ingest::Present(_) => return self.local.open_blob(&layer.blob.digest).map(Turn::Stored),
                Ingest::Partial(partial) => return Ok(Turn::Partial(partial)),
                Ingest::Busy => {}
            }
            if !is_told {
                self.reporter(layer).report(Stage::Waiting);
                is_told = true;
            }
            self.stop.check()?;
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Completes a blob. What an earlier attempt left may be wrong: then it is thrown away, once.
    fn transfer(&self, layer: &Layer, partial: Partial) -> Result<()> {
        let is_resumed = partial.file().metadata().is_ok_and(|metadata| metadata.len() > 0);
        match self.attempt(layer, partial) {
            Err(error) if is_resumed && error.kind() == Kind::Corrupt => self.bring_again(layer),
            result => result,
        }
    }

    fn bring_again(&self, layer: &Layer) -> Result<()> {
        match self.turn(layer)? {
            Turn::Stored(blob) => self.extract_stored(layer, &blob),
            Turn::Partial(partial) => self.attempt(layer, partial),
        }
    }

    /// Downloads and extracts at once. Each side is published by itself, after its digest was found right.
    fn attempt(&self, layer: &Layer, partial: Partial) -> Result<()> {
        let growing = Growing::default();
        let source = partial.file().try_clone().context("open a partial download")?;
        let download = Download { repository: self.repository, stop: self.stop, progress: self.progress };
        let (downloaded, extracted) = thread::scope(|scope| {
            let downloading = scope.spawn(|| {
                let found = download.run(&layer.blob, partial.file(), &growing);
                let is_right = found.as_ref().is_ok_and(|found| *found == layer.blob.digest);
                growing.finish(if is_right { End::Verified } else { End::Failed });
                self.local.publish(partial, &found?)
            });
            let extracted = self.extract(layer, &growing, &source);
            if extracted.is_err() {
                growing.abandon();
            }
            (downloading.join(), extracted)
        });
        let downloaded = downloaded.unwrap_or_else(|_| Err(Error::internal("the download has panicked")));
        match (downloaded, extracted) {
            // The download ended early because the extraction had failed.
            (Err(_), Err(error)) if growing.is_refused() => Err(error),
            (Err(error), _) | (Ok(()), Err(error)) => Err(error),
            (Ok(()), Ok(())) => Ok(()),
        }
    }

    fn extract_stored(&self, layer: &Layer, blob: &File) -> Result<()> {
        let growing = Growing::default();
        growing.grow(blob.metadata().context("stat a blob")?.len());
        growing.finish(End::Verified);
        self.extract(layer, &growing, blob)
    }

    /// Extracts the layer from a file that may still grow, unless its files are there or somebody else makes them.
    fn extract(&self, layer: &Layer, growing: &Growing, file: &File) -> Result<()> {
        loop {
            match self.local.begin_files(layer)? {
                Begin::Present(_) => return Ok(()),
                Begin::Busy => {
                    self.stop.check()?;
                    thread::sleep(LOOK_AGAIN);
                }
                Begin::Extraction(extraction) => {
                    let source = Reader::new(growing, file);
                    let reporter = self.reporter(layer);
                    let mut told = Told { source, reporter, stop: self.stop, total: layer.blob.size };
                    return extraction.apply(&mut told, &Limits::default()).map(|_| ());
                }
            }
        }
    }

    fn reporter(&self, layer: &Layer) -> Reporter<'_> {
        Reporter::new(self.progress, &layer.blob.digest)
    }
}

/// Tells how far an extraction is once its download is complete: a line shows one thing at a time.
struct Told<'a> {
    source: Reader<'a>,
    reporter: Reporter<'a>,
    stop: &'a Stop<'a>,
    total: u64,
}

impl Read for Told<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stop.check().map_err(std::io::Error::other)?;
        let count = self.source.read(buffer)?;
        if self.source.is_complete() {
            let current = self.source.offset();
            self.reporter.advance(|| Stage::Extracting { current, total: Some(self.total) });
        }
        Ok(count)
    }
}
