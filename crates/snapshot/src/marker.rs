//! What is remembered of an extracted layer or a seam, beside its files.

use base::digest::Digest;
use base::{Context, Result};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The marker's name, beside [`TREE`].
pub(crate) const MARKER: &str = "layer.json";
/// The files.
pub(crate) const TREE: &str = "tree";

/// Whether the files survive a power cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Written {
    /// They were written during this boot and count until it ends.
    Boot(String),
    /// They are on disk.
    Synced,
}

/// `layers/<digest>/layer.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerMarker {
    pub(crate) content: Digest,
    pub(crate) written: Written,
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    /// Directories that no entry of the archive describes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) implied: Vec<TreePath>,
    /// Hard links whose targets are not in the layer: name, target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) links: Vec<(TreePath, TreePath)>,
}

/// `seams/<digest of the chain>/layer.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeamMarker {
    /// The layers of the chain that it completes, lowest first.
    pub(crate) chain: Vec<Digest>,
    pub(crate) written: Written,
    /// Without content, the chain needs no seam here.
    pub(crate) is_empty: bool,
}

/// A path inside a layer without `.`, `..` and a slash at its beginning; text where it is UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum TreePath {
    Text(String),
    Bytes(Vec<u8>),
}

impl TreePath {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(crate) fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.as_bytes()))
    }
}

/// Tells this boot from others.
pub(crate) fn boot_id() -> Result<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").context("read the boot id")?;
    Ok(text.trim().to_owned())
}

impl Written {
    pub(crate) fn counts(&self, boot: &str) -> bool {
        match self {
            Self::Synced => true,
            Self::Boot(own) => own == boot,
        }
    }
}
