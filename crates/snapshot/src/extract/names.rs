//! Names in archives: what is accepted, and what they mean.

use crate::tar::Entry;
use base::{Error, Result};

/// The prefix of names that stand for something else (image-layer specification, *Whiteouts*).
pub(super) const WHITEOUT: &[u8] = b".wh.";
/// The prefix of names that AUFS kept for itself.
pub(super) const RESERVED: &[u8] = b".wh..wh.";

/// A path below the layer's top: names that are neither empty nor `.` nor `..`, joined by single slashes; empty for the top itself.
pub(super) fn normalise(path: &[u8]) -> Result<Vec<u8>> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => return Err(Error::invalid("the name leads out of the archive by ..: it is refused")),
            name => names.push(name),
        }
    }
    if path.first() == Some(&b'/') && !names.is_empty() {
        return Err(Error::invalid(
            "the name is absolute and refused: make the archive with names relative to its root file system",
        ));
    }
    Ok(names.join(&b'/'))
}

/// The target of a hard link; one that begins with a slash begins at the layer's top.
pub(super) fn normalise_target(entry: &Entry) -> Result<Vec<u8>> {
    let start = entry.link.iter().position(|byte| *byte != b'/').unwrap_or(entry.link.len());
    let target = normalise(&entry.link[start..]).map_err(|error| error.context("its link target"))?;
    if target.is_empty() {
        return Err(Error::invalid("it is a hard link to a directory"));
    }
    Ok(target)
}

/// The parent and the last name; `None` for the top itself.
pub(super) fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    Some(
        path.iter().rposition(|byte| *byte == b'/').map_or((b"".as_slice(), path), |at| (&path[..at], &path[at + 1..])),
    )
}

/// Whether `path` lies below `directory`, or is it.
pub(super) fn is_within(path: &[u8], directory: &[u8]) -> bool {
    directory.is_empty()
        || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_top() {
        let table: [(&[u8], Option<&[u8]>); 12] = [
            (b"a", Some(b"a")),
            (b"./a/", Some(b"a")),
            (b"a//b/./c", Some(b"a/b/c")),
            (b"./", Some(b"")),
            (b".", Some(b"")),
            (b"/", Some(b"")),
            (b"...", Some(b"...")),
            (b"..", None),
            (b"a/../b", None),
            (b"../../etc/passwd", None),
            (b"/etc/passwd", None),
            (b"//etc", None),
        ];
        for (path, expected) in table {
            assert_eq!(normalise(path).ok().as_deref(), expected, "{}", String::from_utf8_lossy(path));
        }
    }

    #[test]
    fn within() {
        for (path, directory, expected) in
            [("a/b", "a", true), ("a", "a", true), ("ab", "a", false), ("a", "", true), ("", "a", false)]
        {
            assert_eq!(is_within(path.as_bytes(), directory.as_bytes()), expected, "{path} {directory}");
        }
    }
}
