//! From an archive as it is stored to the bytes that are hashed and extracted, on a thread of its own.
//!
//! The format is told from the first bytes: registries mislabel layers, and every engine looks at the bytes.

use base::digest::{Algorithm, Digest, Hasher};
use base::{Context, Error, Result};
use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

const PIECE_BYTES: usize = 256 << 10;
/// Pieces under way: enough to keep both sides busy, little enough to forget about.
const PIECES: usize = 4;

/// The error of the house inside of what a reader failed with.
pub(crate) fn recover(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => {
            let kind = error.kind();
            let failed: Result<(), io::Error> = Err(error);
            let error = failed.context("read the archive").err().unwrap_or_else(|| Error::internal("read the archive"));
            match kind {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                    error.with_kind(base::Kind::Corrupt)
                }
                _ => error,
            }
        }
    }
}

/// Decompresses and hashes `archive` on another thread while `consume` reads the result on this one; returns what `consume`
/// returned and the digest of everything that came, to the end of the stream.
///
/// # Errors
/// The archive's, then `consume`'s.
pub(crate) fn pump<T>(
    archive: &mut (dyn Read + Send),
    algorithm: Algorithm,
    consume: impl FnOnce(&mut Pieces) -> Result<T>,
) -> Result<(T, Digest)> {
    let (full_sender, full) = sync_channel::<Vec<u8>>(PIECES);
    let (empty, empty_receiver) = sync_channel::<Vec<u8>>(PIECES + 1);
    std::thread::scope(|scope| {
        let producer = scope.spawn(move || produce(archive, algorithm, &full_sender, &empty_receiver));
        let mut pieces = Pieces { full, empty, piece: Vec::new(), offset: 0 };
        let consumed = consume(&mut pieces);
        // Wakes a producer that waits for room.
        drop(pieces);
        let produced = producer.join().unwrap_or_else(|_| Err(Error::internal("decompressing an archive panicked")));
        match (produced, consumed) {
            (Ok(Some(digest)), Ok(value)) => Ok((value, digest)),
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(None), Ok(_)) => Err(Error::internal("an archive was not read to its end")),
        }
    })
}

/// `None` when the consumer went away first.
fn produce(
    archive: &mut dyn Read,
    algorithm: Algorithm,
    full: &SyncSender<Vec<u8>>,
    empty: &Receiver<Vec<u8>>,
) -> Result<Option<Digest>> {
    let mut decoder = decoder(archive)?;
    let mut hasher = Hasher::new(algorithm);
    loop {
        let mut piece = empty.try_recv().unwrap_or_default();
        piece.resize(PIECE_BYTES, 0);
        let mut filled = 0;
        while filled < piece.len() {
            match decoder.read(&mut piece[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(recover(error)),
            }
        }
        if filled == 0 {
            return Ok(Some(hasher.finish()));
        }
        piece.truncate(filled);
        hasher.update(&piece);
        if full.send(piece).is_err() {
            return Ok(None);
        }
    }
}

fn decoder<'a>(archive: &'a mut dyn Read) -> Result<Box<dyn Read + 'a>> {
    let mut magic = [0_u8; 6];
    let mut length = 0;
    while length < magic.len() {
        match archive.read(&mut magic[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(recover(error)),
        }
    }
    let stream = BufReader::with_capacity(64 << 10, io::Cursor::new(magic[..length].to_vec()).chain(archive));
    match &magic[..length] {
        [0x1f, 0x8b, ..] => Ok(Box::new(flate2::bufread::MultiGzDecoder::new(stream))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            let decoder = zstd::stream::read::Decoder::with_buffer(stream).context("begin to decompress")?;
            Ok(Box::new(decoder))
        }
        [b'B', b'Z', b'h', ..] => Err(unsupported("bzip2")),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Err(unsupported("xz")),
        _ => Ok(Box::new(stream)),
    }
}

fn unsupported(format: &str) -> Error {
    Error::unsupported(format!("the archive is compressed with {format}: decompress it first, or use gzip or zstd"))
}

/// The decompressed bytes, as they come.
#[derive(Debug)]
pub(crate) struct Pieces {
    full: Receiver<Vec<u8>>,
    empty: SyncSender<Vec<u8>>,
    piece: Vec<u8>,
    offset: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.offset == self.piece.len() {
            let Ok(next) = self.full.recv() else { return Ok(0) };
            let done = std::mem::replace(&mut self.piece, next);
            let _ = self.empty.try_send(done);
            self.offset = 0;
        }
        let count = buffer.len().min(self.piece.len() - self.offset);
        buffer[..count].copy_from_slice(&self.piece[self.offset..self.offset + count]);
        self.offset += count;
        Ok(count)
    }
}
