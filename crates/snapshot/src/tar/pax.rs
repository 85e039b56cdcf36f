//! Extended headers of the PAX format: `LENGTH KEY=VALUE\n`, again and again.

use super::entry::{Entry, EntryKind, owner};
use super::sparse::{self, Chunk, Sparse};
use base::{Error, Result};

/// More attributes than any file system keeps for a file.
const ATTRIBUTE_LIMIT: usize = 512;

/// What an extended header says.
#[derive(Debug, Default)]
pub(super) struct Records {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    modified: Option<(i64, u32)>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse: Option<SparseRecords>,
}

/// The `GNU.sparse.` keys of formats 0.0, 0.1 and 1.0.
#[derive(Debug, Default)]
pub(super) struct SparseRecords {
    major: Option<u64>,
    name: Option<Vec<u8>>,
    real_size: Option<u64>,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
    map: Option<Vec<Chunk>>,
}

impl Records {
    /// # Errors
    /// `Corrupt` for what is no sequence of records.
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self> {
        let mut records = Self::default();
        // Some writers pad with zeros.
        while bytes.first().is_some_and(|byte| *byte != 0) {
            let (record, rest) =
                split_record(bytes).ok_or_else(|| Error::corrupt("an extended header of the archive is damaged"))?;
            let equals = record.iter().position(|byte| *byte == b'=').filter(|at| *at > 0);
            let Some(equals) = equals else {
                return Err(Error::corrupt("an extended header of the archive is damaged"));
            };
            records.take(&record[..equals], &record[equals + 1..])?;
            bytes = rest;
        }
        Ok(records)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            if self.attributes.len() >= ATTRIBUTE_LIMIT {
                return Err(Error::invalid(format!(
                    "an entry of the archive has more than {ATTRIBUTE_LIMIT} attributes"
                )));
            }
            self.attributes.retain(|(known, _)| known != name);
            self.attributes.push((name.to_vec(), value.to_vec()));
            return Ok(());
        }
        if let Some(name) = key.strip_prefix(b"GNU.sparse.") {
            return self.sparse.get_or_insert_default().take(name, value);
        }
        // An empty value takes back what an earlier header said.
        let set = !value.is_empty();
        match key {
            b"path" => self.path = set.then(|| value.to_vec()),
            b"linkpath" => self.link = set.then(|| value.to_vec()),
            b"size" => self.size = set.then(|| decimal(value)).transpose()?,
            b"uid" => self.uid = set.then(|| signed(value).and_then(owner)).transpose()?,
            b"gid" => self.gid = set.then(|| signed(value).and_then(owner)).transpose()?,
            b"mtime" => self.modified = set.then(|| time(value)).transpose()?,
            _ => {}
        }
        Ok(())
    }

    /// Puts what was said in place of what the header says.
    pub(super) fn apply(&self, entry: &mut Entry) -> Result<()> {
        let sparse_name = self.sparse.as_ref().and_then(|sparse| sparse.name.clone());
        if let Some(path) = sparse_name.or_else(|| self.path.clone()) {
            entry.path = path;
        }
        if let Some(link) = &self.link {
            entry.link.clone_from(link);
        }
        entry.size = self.size.unwrap_or(entry.size);
        entry.uid = self.uid.unwrap_or(entry.uid);
        entry.gid = self.gid.unwrap_or(entry.gid);
        entry.modified = self.modified.unwrap_or(entry.modified);
        entry.attributes.clone_from(&self.attributes);
        if self.sparse.is_some() && entry.kind != EntryKind::File {
            return Err(Error::corrupt(format!("{} of the archive is sparse and no file", entry.shown())));
        }
        Ok(())
    }

    /// The map of a sparse file; `next_block` reads on where the map stands in the data.
    pub(super) fn sparse(&self, next_block: impl FnMut() -> Result<[u8; 512]>) -> Result<Option<Sparse>> {
        let Some(records) = &self.sparse else { return Ok(None) };
        let chunks = if records.major == Some(1) {
            sparse::read_map(next_block)?
        } else if let Some(map) = &records.map {
            map.clone()
        } else if records.offsets.len() == records.lengths.len() && !records.offsets.is_empty() {
            let pairs = records.offsets.iter().zip(&records.lengths);
            pairs.map(|(&offset, &length)| Chunk { offset, length }).collect()
        } else {
            return Ok(None);
        };
        let real_size =
            records.real_size.ok_or_else(|| Error::corrupt("a sparse file of the archive has no length"))?;
        Ok(Some(Sparse { real_size, chunks }))
    }
}

impl SparseRecords {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match key {
            b"major" => self.major = Some(decimal(value)?),
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.real_size = Some(decimal(value)?),
            b"offset" => self.offsets.push(decimal(value)?),
            b"numbytes" => self.lengths.push(decimal(value)?),
            b"map" => self.map = Some(sparse::parse_map(value)?),
            _ => {}
        }
        Ok(())
    }
}

/// The first record without its length and its line's end, and what follows it.
fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space]).ok()?).ok()?;
    if length < space + 2 || length > bytes.len() || bytes[length - 1] != b'\n' {
        return None;
    }
    Some((&bytes[space + 1..length - 1], &bytes[length..]))
}

/// A decimal number without sign.
pub(super) fn decimal(text: &[u8]) -> Result<u64> {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    // Beyond what a file's offset can be, nothing is meant seriously.
    let number = digits.and_then(|text| text.parse().ok()).filter(|number| *number <= i64::MAX as u64);
    number.ok_or_else(|| Error::corrupt("a number in an extended header of the archive is malformed or too large"))
}

fn signed(text: &[u8]) -> Result<i64> {
    Ok(decimal(text)? as i64)
}

fn time(text: &[u8]) -> Result<(i64, u32)> {
    let (is_negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let seconds = decimal(parts.next().unwrap_or_default())? as i64;
    let mut digits = [b'0'; 9];
    for (digit, given) in digits.iter_mut().zip(parts.next().unwrap_or_default()) {
        *digit = *given;
    }
    let nanoseconds = decimal(&digits)? as u32;
    Ok(match (is_negative, nanoseconds) {
        (false, _) => (seconds, nanoseconds),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanoseconds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_split_by_their_length_alone() {
        let records = Records::parse(b"31 path=a\n20 path=evil=\n\n12345\n15 mtime=-1.25\n").unwrap();
        assert_eq!(records.path.as_deref(), Some(b"a\n20 path=evil=\n\n12345".as_slice()));
        assert_eq!(records.modified, Some((-2, 750_000_000)));
    }

    #[test]
    fn damaged_records_are_refused() {
        let table: [&[u8]; 9] = [
            b"x",
            b"9 path=a",
            b"99 path=a\n",
            b"3 \n",
            b"0 path=a\n",
            b"10 path=ab",
            b"18446744073709551616 a=b\n",
            b"6 =ab\n\n",
            b"11 size=-1\n",
        ];
        for bytes in table {
            assert!(Records::parse(bytes).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn attributes_may_be_empty() {
        let records = Records::parse(b"39 SCHILY.xattr.user.overlay.origin=\n").err();
        assert!(records.is_some(), "the length is wrong");
        let records = Records::parse(b"37 SCHILY.xattr.user.overlay.origin=\n").unwrap();
        assert_eq!(records.attributes, [(b"user.overlay.origin".to_vec(), Vec::new())]);
    }
}
