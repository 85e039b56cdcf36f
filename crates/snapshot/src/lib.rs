//! Layers to mounts: extract, complete and chain.
//!
//! A layer is extracted from its archive into a directory of its own, independent of its parents, in any order and by several processes at once. What it
//! cannot know alone — attributes of directories that it only implies, targets of hard links below it — is completed by a thin *seam* directly above it, made
//! for the chain that needs it. A chain of layers then is a list of lower directories for overlayfs.
//!
//! Archives are hostile: everything is done relative to the handle of the layer's own directory, and nothing that an archive says is believed without a bound.
#![forbid(unsafe_code)]

mod chain;
mod copy;
mod decompress;
mod extract;
mod layers;
mod marker;
mod overlay;
mod probe;
mod seam;
pub mod tar;

pub use copy::{CopyReport, copy_tree};
pub use extract::{Extracted, Limits, apply};
pub use layers::{Begin, Collected, Extraction, Layer, Layers, ROOT_NAMES};
pub use overlay::{OVERLAY_LAYER_LIMIT, mount_read_only};
pub use probe::probe;

use tar::shown as tar_shown;

/// How many bytes `archive` holds when it is decompressed, counted up to `limit`: for the fuzz targets.
///
/// # Errors
/// [`Corrupt`](base::Kind::Corrupt) for a damaged archive, [`Unsupported`](base::Kind::Unsupported) for a compression that is not known.
#[cfg(feature = "fuzz-targets")]
pub fn count_decompressed(archive: &mut (dyn std::io::Read + Send), limit: u64) -> base::Result<u64> {
    use std::io::Read;
    let count = |pieces: &mut decompress::Pieces| {
        let mut counted = 0;
        let mut buffer = [0; 16 << 10];
        while counted < limit {
            match pieces.read(&mut buffer).map_err(decompress::recover)? {
                0 => return Ok(counted),
                read => counted += read as u64,
            }
        }
        Err(base::Error::invalid("longer than the limit"))
    };
    decompress::pump(archive, base::digest::Algorithm::Sha256, count).map(|(counted, _)| counted)
}
