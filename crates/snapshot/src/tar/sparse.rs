//! Files with holes: where the data that the archive has of them goes.

use super::header::{BLOCK_BYTES, Block, length};
use super::pax::decimal;
use base::{Error, Result};

/// More chunks than any file has that is worth an image.
const CHUNK_LIMIT: usize = 1 << 16;

/// A run of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Where in the file, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

/// A file with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sparse {
    /// The file's length in bytes, holes included.
    pub real_size: u64,
    /// Ascending, apart from each other.
    pub chunks: Vec<Chunk>,
}

impl Sparse {
    pub(super) fn check(&self, data: u64) -> Result<()> {
        let mut end = 0;
        let mut total: u64 = 0;
        for chunk in &self.chunks {
            let Some(next) = chunk.offset.checked_add(chunk.length).filter(|_| chunk.offset >= end) else {
                return Err(contradiction());
            };
            end = next;
            total += chunk.length;
        }
        if end > self.real_size || total != data || self.real_size > i64::MAX as u64 {
            return Err(contradiction());
        }
        Ok(())
    }
}

fn contradiction() -> Error {
    Error::corrupt("the map of a sparse file of the archive contradicts itself")
}

/// GNU's oldest format: four chunks in the header, and blocks of twenty-one that follow it.
pub(super) fn from_header(block: &Block, mut next_block: impl FnMut() -> Result<[u8; BLOCK_BYTES]>) -> Result<Sparse> {
    let mut chunks = Vec::new();
    take_chunks(block.sparse_map(), &mut chunks)?;
    let mut continues = block.sparse_continues();
    while continues {
        let bytes = next_block()?;
        take_chunks(&bytes[..504], &mut chunks)?;
        continues = bytes[504] != 0;
    }
    Ok(Sparse { real_size: block.sparse_real_size()?, chunks })
}

fn take_chunks(map: &[u8], chunks: &mut Vec<Chunk>) -> Result<()> {
    for pair in map.chunks_exact(24) {
        // The first unused one ends the list.
        if pair[0] == 0 || pair[12] == 0 {
            break;
        }
        chunks.push(Chunk { offset: length(&pair[..12])?, length: length(&pair[12..])? });
    }
    if chunks.len() > CHUNK_LIMIT { Err(too_many()) } else { Ok(()) }
}

/// Format 0.1: `offset,length,offset,length…`.
pub(super) fn parse_map(text: &[u8]) -> Result<Vec<Chunk>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<u64> = text.split(|byte| *byte == b',').map(decimal).collect::<Result<_>>()?;
    pairs(&numbers)
}

/// Format 1.0: decimal numbers in lines before the data, the first one their number, padded to a block.
pub(super) fn read_map(mut next_block: impl FnMut() -> Result<[u8; BLOCK_BYTES]>) -> Result<Vec<Chunk>> {
    let mut text: Vec<u8> = Vec::new();
    let mut numbers = Vec::new();
    let mut wanted = None;
    loop {
        text.extend_from_slice(&next_block()?);
        if text.len() > 2 * BLOCK_BYTES {
            return Err(contradiction());
        }
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let number = decimal(&text[..end])?;
            text.drain(..=end);
            match wanted {
                None if number > CHUNK_LIMIT as u64 => return Err(too_many()),
                None => wanted = Some(number as usize * 2),
                Some(_) => numbers.push(number),
            }
            if wanted == Some(numbers.len()) {
                return pairs(&numbers);
            }
        }
    }
}

fn pairs(numbers: &[u64]) -> Result<Vec<Chunk>> {
    if numbers.len() > CHUNK_LIMIT * 2 {
        return Err(too_many());
    }
    if !numbers.len().is_multiple_of(2) {
        return Err(contradiction());
    }
    Ok(numbers.chunks_exact(2).map(|pair| Chunk { offset: pair[0], length: pair[1] }).collect())
}

fn too_many() -> Error {
    Error::invalid(format!("a sparse file of the archive has more than {CHUNK_LIMIT} chunks"))
}
