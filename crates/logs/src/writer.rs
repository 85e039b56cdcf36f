//! The writing end of a log.

use crate::entry::{Stream, encode};
use crate::options::{Driver, Options};
use crate::segments::{Encoding, segment_name};
use base::time::Timestamp;
use base::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

/// A longer line is written in parts.
const PART_BYTES: usize = 16 << 10;
/// So much is written at once.
const BATCH_BYTES: usize = 32 << 10;
/// So much is compressed at once.
const COMPRESSED_AT_ONCE: usize = 64 << 10;
/// A rotation that failed is tried again when the file has grown by this part of its size limit.
const POSTPONED_PART: u64 = 16;

/// Writes what a container says to its log. There is one writer of a log at a time.
#[derive(Debug)]
pub struct Writer {
    directory: OwnedFd,
    name: String,
    options: Options,
    /// The attributes of every entry, as JSON.
    attributes: Vec<u8>,
    file: Option<File>,
    size: u64,
    /// No rotation before the file is this big.
    postponed_to: u64,
    /// The file ends within a line: a crash or a full disk.
    torn: bool,
    batch: Vec<u8>,
    partial: [Partial; 2],
    compressing: Option<Compressing>,
}

/// The beginning of a line whose end has not come yet.
#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    began: Option<Timestamp>,
}

#[derive(Debug)]
struct Compressing {
    source: File,
    target: GzEncoder<File>,
}

impl Writer {
    /// Opens the log `name` in `directory` and goes on behind what is there.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(directory: BorrowedFd<'_>, name: &str, options: Options) -> Result<Self> {
        let attributes = match options.attributes.is_empty() {
            true => Vec::new(),
            false => serde_json::to_vec(&options.attributes).context("encode the log's attributes")?,
        };
        let mut writer = Self {
            directory: directory.try_clone_to_owned().context("keep the log's directory open")?,
            name: name.to_owned(),
            options,
            attributes,
            file: None,
            size: 0,
            postponed_to: 0,
            torn: false,
            batch: Vec::new(),
            partial: Default::default(),
            compressing: None,
        };
        if writer.options.driver != Driver::None {
            // What a crash cut short. A full disk may lack what they hold for the log itself.
            writer.remove(&writer.new_name());
            writer.remove(&writer.compressed_name());
            writer.open_file()?;
        }
        Ok(writer)
    }

    /// Writes bytes as they came from a pipe or a terminal: whole lines at once, the beginning of a line when its end has come.
    ///
    /// # Errors
    /// When the disk is full or broken: what could not be written is lost, and writing can go on. A rotation that fails loses nothing; the file grows
    /// until it succeeds.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) -> Result<()> {
        if self.file.is_none() {
            return Ok(());
        }
        let now = Timestamp::now();
        let now_text = now.rfc3339_nano();
        let mut outcome = Ok(());
        let mut rest = bytes;
        while !rest.is_empty() {
            let partial = &mut self.partial[stream as usize];
            let room = PART_BYTES - partial.bytes.len();
            let line_break = rest.iter().take(room).position(|byte| *byte == b'\n');
            let length = line_break.map_or(room.min(rest.len()), |position| position + 1);
            let (line, behind) = rest.split_at(length);
            rest = behind;
            if line_break.is_some() && partial.bytes.is_empty() {
                let text = partial.began.take().map(Timestamp::rfc3339_nano);
                outcome = outcome.and(self.append(stream, line, text.as_deref().unwrap_or(&now_text)));
                continue;
            }
            partial.bytes.extend_from_slice(line);
            partial.began.get_or_insert(now);
            if line_break.is_some() {
                outcome = outcome.and(self.append_partial(stream));
                self.partial[stream as usize].began = None;
            } else if self.partial[stream as usize].bytes.len() == PART_BYTES {
                outcome = outcome.and(self.append_partial(stream));
            }
        }
        outcome.and(self.flush())
    }

    /// Writes the beginnings of lines whose ends will not come: the container has exited.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn finish(&mut self) -> Result<()> {
        let mut outcome = Ok(());
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.partial[stream as usize].bytes.is_empty() {
                outcome = outcome.and(self.append_partial(stream));
            }
            self.partial[stream as usize].began = None;
        }
        outcome.and(self.flush())
    }

    /// Compresses a little of what was rotated; whether there is more to do. Nothing waits for it but the next rotation.
    ///
    /// # Errors
    /// When it cannot be done: the file then stays as it is.
    pub fn compress(&mut self) -> Result<bool> {
        let Some(compressing) = &mut self.compressing else { return Ok(false) };
        let mut block = vec![0; COMPRESSED_AT_ONCE];
        let step = compressing.source.read(&mut block).and_then(|length| {
            compressing.target.write_all(&block[..length])?;
            Ok(length > 0)
        });
        match step {
            Ok(true) => Ok(true),
            Ok(false) => self.end_compression().map(|()| false),
            Err(error) => {
                self.compressing = None;
                self.remove(&self.compressed_name());
                Err(error).context("compress a rotated log")
            }
        }
    }

    fn append_partial(&mut self, stream: Stream) -> Result<()> {
        let partial = &mut self.partial[stream as usize];
        let bytes = std::mem::take(&mut partial.bytes);
        let time = partial.began.unwrap_or(Timestamp::ZERO).rfc3339_nano();
        let outcome = self.append(stream, &bytes, &time);
        // The allocation is used again.
        self.partial[stream as usize].bytes = bytes;
        self.partial[stream as usize].bytes.clear();
        outcome
    }

    fn append(&mut self, stream: Stream, line: &[u8], time: &str) -> Result<()> {
        let size = self.size + self.batch.len() as u64;
        let full = self.options.max_size_bytes.is_some_and(|limit| size >= limit.max(self.postponed_to));
        let mut outcome = Ok(());
        if full {
            outcome = self.flush().and_then(|()| self.rotate());
        }
        encode(&mut self.batch, stream, line, &self.attributes, time);
        if self.batch.len() >= BATCH_BYTES {
            outcome = outcome.and(self.flush());
        }
        outcome
    }

    fn flush(&mut self) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.torn && !self.batch.is_empty() {
            self.batch.insert(0, b'\n');
        }
        let mut rest = self.batch.as_slice();
        let mut outcome = Ok(());
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(length) => {
                    self.size += length as u64;
                    self.torn = rest.get(length.wrapping_sub(1)).is_some_and(|last| *last != b'\n');
                    rest = &rest[length..];
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    outcome = Err(error).context("write the log");
                    break;
                }
            }
        }
        self.batch.clear();
        outcome
    }

    fn open_file(&mut self) -> Result<()> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&self.directory, &*self.name, flags, Mode::from_raw_mode(0o600))
            .with_context(|| format!("open {}", self.name))?;
        let file = File::from(file);
        self.size = file.metadata().context("look at the log")?.len();
        let mut last = [b'\n'];
        if self.size > 0 {
            file.read_exact_at(&mut last, self.size - 1).context("read the log's end")?;
        }
        self.torn = last != [b'\n'];
        self.file = Some(file);
        Ok(())
    }

    /// Begins a new file, which is there before anything is moved: where none can be made, nothing is lost.
    fn rotate(&mut self) -> Result<()> {
        self.postponed_to = self.size.saturating_add(self.options.max_size_bytes.unwrap_or(0) / POSTPONED_PART);
        while self.compress()? {}
        let file = self.make_file()?;
        base::crash_point!("logs.before-rotation");
        self.shift()?;
        base::crash_point!("logs.rotated");
        // Where no other file is kept, it takes the place of the old one: who reads that can finish it.
        self.rename(&self.new_name(), &self.name)?;
        (self.file, self.size, self.postponed_to, self.torn) = (Some(file), 0, 0, false);
        if self.options.compress && self.options.max_files > 1 { self.begin_compression() } else { Ok(()) }
    }

    fn make_file(&self) -> Result<File> {
        let name = self.new_name();
        // A rotation that failed may have left one.
        self.remove(&name);
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, name, flags, Mode::from_raw_mode(0o600));
        file.map(File::from).context("make a new log")
    }

    /// Moves every file by one, up to the first gap: where a shift was cut short, this goes on with it, and only what is one too many is overwritten.
    fn shift(&self) -> Result<()> {
        let mut files = Vec::new();
        for index in 0..self.options.max_files.saturating_sub(1) {
            let Some(encoding) = self.encoding(index)? else { break };
            files.push((index, encoding));
        }
        for (index, encoding) in files.into_iter().rev() {
            if encoding == Encoding::Gzip {
                // A crash may have left what was compressed.
                self.remove(&segment_name(&self.name, index, Encoding::Plain));
            }
            // The new name may be taken by a file of the other encoding.
            let other = if encoding == Encoding::Plain { Encoding::Gzip } else { Encoding::Plain };
            self.remove(&segment_name(&self.name, index + 1, other));
            let from = segment_name(&self.name, index, encoding);
            self.rename(&from, &segment_name(&self.name, index + 1, encoding))?;
        }
        Ok(())
    }

    /// How the file at `index` is stored; `None` where there is none.
    fn encoding(&self, index: u32) -> Result<Option<Encoding>> {
        for encoding in [Encoding::Gzip, Encoding::Plain] {
            let name = segment_name(&self.name, index, encoding);
            match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) if index > 0 => return Ok(Some(encoding)),
                // The current one is never compressed.
                Ok(_) => return Ok(Some(Encoding::Plain)),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno).context("look at the log"),
            }
        }
        Ok(None)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        rustix::fs::renameat(&self.directory, from, &self.directory, to).context("rotate the log")
    }

    fn remove(&self, name: &str) {
        let _ = rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
    }

    fn new_name(&self) -> String {
        format!(".{}.new", self.name)
    }

    fn compressed_name(&self) -> String {
        format!(".{}.gz", self.name)
    }

    fn begin_compression(&mut self) -> Result<()> {
        let source = segment_name(&self.name, 1, Encoding::Plain);
        let source = rustix::fs::openat(&self.directory, source, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .context("open a rotated log")?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let target = rustix::fs::openat(&self.directory, self.compressed_name(), flags, Mode::from_raw_mode(0o600))
            .context("make a compressed log")?;
        let target = GzEncoder::new(File::from(target), Compression::fast());
        self.compressing = Some(Compressing { source: File::from(source), target });
        Ok(())
    }

    fn end_compression(&mut self) -> Result<()> {
        let Some(compressing) = self.compressing.take() else { return Ok(()) };
        compressing.target.finish().context("compress a rotated log")?;
        let directory = self.directory.as_fd();
        let compressed = segment_name(&self.name, 1, Encoding::Gzip);
        rustix::fs::renameat(directory, self.compressed_name(), directory, compressed)
            .context("keep a compressed log")?;
        base::crash_point!("logs.compressed");
        let plain = segment_name(&self.name, 1, Encoding::Plain);
        rustix::fs::unlinkat(directory, plain, AtFlags::empty()).context("remove a rotated log")
    }
}
