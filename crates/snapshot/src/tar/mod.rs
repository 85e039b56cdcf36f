//! Reads tar archives: ustar, GNU and PAX (POSIX.1-2001 pax, *ustar Interchange Format*; GNU tar manual, *Basic Tar Format* and *Storing Sparse Files*).
//!
//! It reads as Go's `archive/tar` does wherever archives can be understood in two ways, since nearly all images are made and checked with that. Every length
//! that an archive states is bounded before it is believed. It writes nothing and knows nothing of layers.

mod entry;
mod header;
mod pax;
mod sparse;

pub(crate) use entry::shown;
pub use entry::{Entry, EntryKind};
pub use sparse::{Chunk, Sparse};

use base::{Error, Result};
use header::{BLOCK_BYTES, Block};
use pax::Records;
use std::io::Read;

/// The longest extended header: 64 KiB of attributes of every kind and a path fit ten times.
const EXTENSION_LIMIT_BYTES: u64 = 1 << 20;
/// Zeros after the end of an archive; tapes pad to their records.
const TRAILER_LIMIT_BYTES: u64 = 256 << 20;

/// An archive that is read once, from front to back.
pub struct Archive<R> {
    reader: R,
    /// Headers and blocks of maps that may still come, and how many there were in the beginning.
    headers: (u64, u64),
    /// Bytes of the present entry's data that were not read yet.
    remaining: u64,
    /// Bytes after it up to the next block.
    padding: u64,
}

impl<R> std::fmt::Debug for Archive<R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Archive({} bytes remain of an entry)", self.remaining)
    }
}

/// What extended headers said of the entry that follows them.
#[derive(Debug, Default)]
struct Pending {
    records: Records,
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<R: Read> Archive<R> {
    /// The archive whose bytes `reader` gives, of at most so many headers: of entries, extended ones, and blocks that continue the map of a sparse file.
    pub fn new(reader: R, headers: u64) -> Self {
        Self { reader, headers: (headers, headers), remaining: 0, padding: 0 }
    }

    /// The next entry; what was not read of the data of the one before is passed over. `None` at the end.
    ///
    /// # Errors
    /// [`Corrupt`](base::Kind::Corrupt) for what is no archive or contradicts itself, [`Invalid`](base::Kind::Invalid) for what exceeds a bound.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        self.skip_data()?;
        let mut pending = Pending::default();
        loop {
            let Some(block) = self.read_header()? else { return Ok(None) };
            match block.type_flag() {
                b'x' => pending.records = Records::parse(&self.read_extension(&block)?)?,
                // Defaults for all entries: no tool that makes layers relies on them, and readers differ.
                b'g' => drop(self.read_extension(&block)?),
                b'L' => pending.long_path = Some(c_string(self.read_extension(&block)?)),
                b'K' => pending.long_link = Some(c_string(self.read_extension(&block)?)),
                _ => return self.assemble(&block, pending).map(Some),
            }
        }
    }

    /// Reads data of the present entry; 0 at its end.
    ///
    /// # Errors
    /// As the reader; [`Corrupt`](base::Kind::Corrupt) when the archive ends before.
    pub fn read_data(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let want = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(buffer.len());
        if want == 0 {
            return Ok(0);
        }
        let count = read(&mut self.reader, &mut buffer[..want])?;
        if count == 0 {
            return Err(truncated());
        }
        self.remaining -= count as u64;
        Ok(count)
    }

    /// Reads what follows the end of the archive, up to the end of the stream.
    ///
    /// # Errors
    /// As the reader; [`Invalid`](base::Kind::Invalid) when it is absurdly much.
    pub fn finish(mut self) -> Result<()> {
        let mut buffer = [0_u8; 16 << 10];
        let mut passed = 0;
        loop {
            let count = read(&mut self.reader, &mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            passed += count as u64;
            if passed > TRAILER_LIMIT_BYTES {
                return Err(Error::invalid(format!(
                    "the archive goes on for more than {TRAILER_LIMIT_BYTES} bytes after its end"
                )));
            }
        }
    }

    fn assemble(&mut self, block: &Block, pending: Pending) -> Result<Entry> {
        let mut entry = entry::from_header(block)?;
        pending.records.apply(&mut entry)?;
        if let Some(path) = pending.long_path {
            entry.path = path;
        }
        if let Some(link) = pending.long_link {
            entry.link = link;
        }
        // A directory of the oldest format is a file whose name ends in a slash.
        let is_directory = entry.kind == EntryKind::File && entry.path.ends_with(b"/");
        if entry.kind != EntryKind::File {
            // These have no data, whatever their header says: so reads everybody who makes images.
            entry.size = 0;
        }
        self.expect_data(entry.size)?;
        if block.type_flag() == b'S' {
            entry.sparse = Some(sparse::from_header(block, || self.read_block())?);
        } else if pending.records.sparse.is_some() {
            entry.sparse = pending.records.sparse(|| self.read_data_block())?;
        }
        if let Some(sparse) = &entry.sparse {
            sparse.check(self.remaining)?;
        }
        if is_directory {
            entry.kind = EntryKind::Directory;
        }
        entry.check()?;
        Ok(entry)
    }

    fn expect_data(&mut self, size: u64) -> Result<()> {
        self.remaining = size;
        self.padding = size.next_multiple_of(BLOCK_BYTES as u64) - size;
        Ok(())
    }

    fn skip_data(&mut self) -> Result<()> {
        let mut buffer = [0_u8; 16 << 10];
        while self.remaining > 0 {
            self.read_data(&mut buffer)?;
        }
        let mut padding = [0_u8; BLOCK_BYTES];
        let length = std::mem::take(&mut self.padding) as usize;
        fill(&mut self.reader, &mut padding[..length])
    }

    /// `None` at the end: a block of zeros or the end of the stream.
    fn read_header(&mut self) -> Result<Option<Block>> {
        let mut bytes = [0_u8; BLOCK_BYTES];
        let first = read(&mut self.reader, &mut bytes)?;
        if first == 0 {
            return Ok(None);
        }
        fill(&mut self.reader, &mut bytes[first..])?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        self.count_header()?;
        Block::check(bytes).map(Some)
    }

    fn count_header(&mut self) -> Result<()> {
        let (left, limit) = &mut self.headers;
        *left = left
            .checked_sub(1)
            .ok_or_else(|| Error::invalid(format!("the archive has more than {limit} entries and extended headers")))?;
        Ok(())
    }

    fn read_extension(&mut self, block: &Block) -> Result<Vec<u8>> {
        let size = block.size()?;
        if size > EXTENSION_LIMIT_BYTES {
            return Err(Error::invalid(format!(
                "an extended header of the archive has {size} bytes, more than {EXTENSION_LIMIT_BYTES}"
            )));
        }
        let mut bytes = vec![0; size as usize];
        fill(&mut self.reader, &mut bytes)?;
        self.expect_data(size)?;
        self.remaining = 0;
        self.skip_data()?;
        Ok(bytes)
    }

    fn read_block(&mut self) -> Result<[u8; BLOCK_BYTES]> {
        self.count_header()?;
        let mut bytes = [0_u8; BLOCK_BYTES];
        fill(&mut self.reader, &mut bytes)?;
        Ok(bytes)
    }

    /// A block of the present entry's own data.
    fn read_data_block(&mut self) -> Result<[u8; BLOCK_BYTES]> {
        if self.remaining < BLOCK_BYTES as u64 {
            return Err(Error::corrupt("the map of a sparse file is longer than the file"));
        }
        self.remaining -= BLOCK_BYTES as u64;
        self.read_block()
    }
}

fn c_string(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

fn read(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    loop {
        match reader.read(buffer) {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(crate::decompress::recover(error)),
        }
    }
}

fn fill(reader: &mut impl Read, mut buffer: &mut [u8]) -> Result<()> {
    while !buffer.is_empty() {
        let count = read(reader, buffer)?;
        if count == 0 {
            return Err(truncated());
        }
        buffer = &mut buffer[count..];
    }
    Ok(())
}

fn truncated() -> Error {
    Error::corrupt("the archive ends in the middle of an entry")
}
