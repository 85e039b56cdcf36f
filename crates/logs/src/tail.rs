//! Where the last so many lines of a log begin, found from its end.

use crate::segments::{Encoding, Segment};
use base::{Context, Result};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// How much is read at once.
const BLOCK_BYTES: usize = 64 << 10;

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// Which file, the oldest being the first.
    pub(crate) segment: usize,
    /// How many lines of it are passed over.
    pub(crate) skip_lines: u64,
    /// From which byte of it, before any line is passed over.
    pub(crate) offset: u64,
}

/// Finds the beginning of the last `wanted` lines of `segments`, which are ordered from the oldest on.
pub(crate) fn find(segments: &mut [Segment], wanted: u64) -> Result<Start> {
    let mut missing = wanted;
    for (index, segment) in segments.iter_mut().enumerate().rev() {
        let found = match segment.encoding {
            Encoding::Plain => plain(segment, missing)?.map(|offset| Start { segment: index, skip_lines: 0, offset }),
            Encoding::Gzip => {
                let lines = count_compressed(segment)?;
                let skipped = lines.checked_sub(missing).ok_or(lines);
                skipped.map(|skip_lines| Start { segment: index, skip_lines, offset: 0 })
            }
        };
        match found {
            Ok(start) => return Ok(start),
            Err(lines) => missing -= lines,
        }
    }
    Ok(Start { segment: 0, skip_lines: 0, offset: 0 })
}

/// The offset at which the last `wanted` lines of a plain file begin, or how many lines it has, being fewer.
fn plain(segment: &Segment, wanted: u64) -> Result<std::result::Result<u64, u64>> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut end = segment.size;
    // What follows the last line break is no line yet: reading goes on behind it when it has become one.
    let mut line_breaks = 0;
    while end > 0 {
        let length = end.min(BLOCK_BYTES as u64);
        let part = &mut block[..usize::try_from(length).unwrap_or(BLOCK_BYTES)];
        segment.file.read_exact_at(part, end - length).context("read the log")?;
        for (position, byte) in part.iter().enumerate().rev() {
            if *byte == b'\n' {
                if line_breaks == wanted {
                    return Ok(Ok(end - length + position as u64 + 1));
                }
                line_breaks += 1;
            }
        }
        end -= length;
    }
    Ok(if line_breaks == wanted { Ok(0) } else { Err(line_breaks) })
}

fn count_compressed(segment: &mut Segment) -> Result<u64> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut lines = 0;
    let mut decoder = flate2::read::GzDecoder::new(&segment.file);
    loop {
        match decoder.read(&mut block) {
            // What is damaged behind this point is not read either.
            Ok(0) | Err(_) => break,
            Ok(length) => lines += block[..length].iter().filter(|byte| **byte == b'\n').count() as u64,
        }
    }
    segment.file.seek(SeekFrom::Start(0)).context("read the log")?;
    Ok(lines)
}
