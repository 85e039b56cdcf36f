//! The files of one log: `log`, and the rotated `log.1`, `log.2` …, of which the highest number is the oldest.

use base::{Context, Result};
use flate2::read::GzDecoder;
use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::fd::BorrowedFd;

/// How often a set of files is looked for again because the writer rotated meanwhile.
const ATTEMPTS: u32 = 20;

/// The name of a file of the log `name`; index 0 is the current one.
pub(crate) fn segment_name(name: &str, index: u32, encoding: Encoding) -> String {
    match (index, encoding) {
        (0, _) => name.to_owned(),
        (_, Encoding::Plain) => format!("{name}.{index}"),
        (_, Encoding::Gzip) => format!("{name}.{index}.gz"),
    }
}

/// How a file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Gzip,
}

/// Tells two files apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl From<&Stat> for Identity {
    fn from(status: &Stat) -> Self {
        Self { device: status.st_dev, inode: status.st_ino }
    }
}

/// An open file of a log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) file: File,
    pub(crate) encoding: Encoding,
    pub(crate) identity: Identity,
    /// Its size when it was opened.
    pub(crate) size: u64,
    /// When it was last written, in seconds since the epoch.
    pub(crate) modified_seconds: i64,
}

impl Segment {
    /// A reader of its lines, from where `file` stands.
    pub(crate) fn lines(self) -> Result<Lines> {
        let source: Box<dyn Read + Send> = match self.encoding {
            Encoding::Plain => Box::new(self.file),
            Encoding::Gzip => Box::new(GzDecoder::new(self.file)),
        };
        Ok(Lines { source: BufReader::with_capacity(64 << 10, source), identity: self.identity })
    }

    /// Moves a plain file to `offset`.
    pub(crate) fn seek(&mut self, offset: u64) -> Result<()> {
        self.file.seek(SeekFrom::Start(offset)).map(|_| ()).context("find a place in the log")
    }
}

/// What is read of one file.
pub(crate) struct Lines {
    source: BufReader<Box<dyn Read + Send>>,
    pub(crate) identity: Identity,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Lines").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Lines {
    /// Bytes that can be read now; empty at the end of the file, which may grow.
    pub(crate) fn fill(&mut self) -> Result<&[u8]> {
        self.source.fill_buf().context("read the log")
    }

    pub(crate) fn consume(&mut self, length: usize) {
        self.source.consume(length);
    }
}

/// Opens one file; `None` where it is not there.
pub(crate) fn open(directory: BorrowedFd<'_>, name: &str, index: u32) -> Result<Option<Segment>> {
    for encoding in [Encoding::Plain, Encoding::Gzip] {
        let file_name = segment_name(name, index, encoding);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(directory, &file_name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno).with_context(|| format!("open {file_name}")),
        };
        let status = rustix::fs::fstat(&file).with_context(|| format!("look at {file_name}"))?;
        return Ok(Some(Segment {
            file: File::from(file),
            encoding,
            identity: Identity::from(&status),
            size: u64::try_from(status.st_size).unwrap_or(0),
            modified_seconds: status.st_mtime,
        }));
    }
    Ok(None)
}

/// The identity of a file by its name; `None` where it is not there.
pub(crate) fn identity(directory: BorrowedFd<'_>, name: &str, index: u32) -> Result<Option<Identity>> {
    match rustix::fs::statat(directory, segment_name(name, index, Encoding::Plain), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(status) => Ok(Some(Identity::from(&status))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno).context("look at the log"),
    }
}

/// Opens all files of a log as they were at one moment, the oldest first.
pub(crate) fn open_all(directory: BorrowedFd<'_>, name: &str) -> Result<Vec<Segment>> {
    let mut segments: Vec<Segment> = Vec::new();
    for _ in 0..ATTEMPTS {
        segments.clear();
        let newest = identity(directory, name, 0)?;
        let (mut index, mut gaps) = (0, 0);
        // A rotation, even one that was cut short, leaves one gap before the end.
        while gaps < 2 {
            match open(directory, name, index)? {
                // It was moved on while the one before it was opened.
                Some(segment) if segments.last().is_some_and(|last| last.identity == segment.identity) => {}
                Some(segment) => segments.push(segment),
                None => gaps += 1,
            }
            index += 1;
        }
        // A rotation in between would have moved files past the place that was looked at.
        if newest == identity(directory, name, 0)? {
            break;
        }
    }
    segments.reverse();
    Ok(segments)
}

/// Opens the file that the writer began after the one with `identity`; `None` where that cannot be told any more.
pub(crate) fn open_successor(directory: BorrowedFd<'_>, name: &str, old: Identity) -> Result<Option<Segment>> {
    for _ in 0..ATTEMPTS {
        let mut index = 1;
        while let Some(found) = identity(directory, name, index)? {
            if found == old {
                break;
            }
            index += 1;
        }
        if identity(directory, name, index)? != Some(old) {
            return Ok(None);
        }
        let successor = open(directory, name, index - 1)?;
        if successor.is_some() && identity(directory, name, index)? == Some(old) {
            return Ok(successor);
        }
    }
    Ok(None)
}
