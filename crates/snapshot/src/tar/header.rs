//! One header block: its checksum and its fields.

use base::{Error, Result};

/// Everything in an archive is a multiple of this.
pub(super) const BLOCK_BYTES: usize = 512;

const CHECKSUM: std::ops::Range<usize> = 148..156;

/// A header block whose checksum is right.
pub(super) struct Block([u8; BLOCK_BYTES]);

impl Block {
    /// # Errors
    /// `Corrupt` where the checksum says that this is no header.
    pub(super) fn check(bytes: [u8; BLOCK_BYTES]) -> Result<Self> {
        let stated = number(&bytes[CHECKSUM])?;
        let weigh = |(at, byte): (usize, &u8)| if CHECKSUM.contains(&at) { b' ' } else { *byte };
        let unsigned: i64 = bytes.iter().enumerate().map(weigh).map(i64::from).sum();
        // Some old programs summed up signed characters.
        let signed: i64 = bytes.iter().enumerate().map(weigh).map(|byte| i64::from(byte as i8)).sum();
        if stated != unsigned && stated != signed {
            return Err(Error::corrupt("this is no tar archive, or it is damaged: the checksum of a header is wrong"));
        }
        Ok(Self(bytes))
    }

    pub(super) fn type_flag(&self) -> u8 {
        self.0[156]
    }

    /// Name with its prefix, where the format has one.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[0..100]);
        // GNU's own format has times where POSIX has the prefix.
        let is_posix = &self.0[257..263] == b"ustar\0";
        let is_star = &self.0[508..512] == b"tar\0";
        let prefix = text(&self.0[345..if is_star { 476 } else { 500 }]);
        if !is_posix || prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, name].join(&b'/')
    }

    pub(super) fn link(&self) -> &[u8] {
        text(&self.0[157..257])
    }

    pub(super) fn mode(&self) -> Result<i64> {
        number(&self.0[100..108])
    }

    pub(super) fn uid(&self) -> Result<i64> {
        number(&self.0[108..116])
    }

    pub(super) fn gid(&self) -> Result<i64> {
        number(&self.0[116..124])
    }

    pub(super) fn size(&self) -> Result<u64> {
        length(&self.0[124..136])
    }

    pub(super) fn modified_seconds(&self) -> Result<i64> {
        number(&self.0[136..148])
    }

    pub(super) fn device(&self) -> Result<(i64, i64)> {
        Ok((number(&self.0[329..337])?, number(&self.0[337..345])?))
    }

    /// The part in which GNU's format keeps the map of a sparse file.
    pub(super) fn sparse_map(&self) -> &[u8] {
        &self.0[386..482]
    }

    pub(super) fn sparse_continues(&self) -> bool {
        self.0[482] != 0
    }

    pub(super) fn sparse_real_size(&self) -> Result<u64> {
        length(&self.0[483..495])
    }
}

fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..end]
}

/// A number of bytes: not negative.
pub(super) fn length(field: &[u8]) -> Result<u64> {
    u64::try_from(number(field)?).map_err(|_| Error::corrupt("a length in the archive is negative"))
}

/// A number in octal digits, or in GNU's binary form, which a set first bit announces.
pub(super) fn number(field: &[u8]) -> Result<i64> {
    if field.first().is_some_and(|byte| byte & 0x80 != 0) {
        return binary(field);
    }
    let is_filler = |byte: &u8| *byte == b' ' || *byte == 0;
    let start = field.iter().position(|byte| !is_filler(byte)).unwrap_or(field.len());
    let digits = &field[start..];
    let end = digits.iter().position(is_filler).unwrap_or(digits.len());
    let mut value: i64 = 0;
    for digit in &digits[..end] {
        if !(b'0'..=b'7').contains(digit) {
            return Err(Error::corrupt("a number in a header of the archive is not octal"));
        }
        // Twelve octal digits fit.
        value = value * 8 + i64::from(digit - b'0');
    }
    Ok(value)
}

fn binary(field: &[u8]) -> Result<i64> {
    // The first bit only announces; the second is the sign.
    let is_negative = field[0] & 0x40 != 0;
    let mut value: i128 = if is_negative { -1 } else { 0 };
    for (at, byte) in field.iter().enumerate() {
        let byte = match (at, is_negative) {
            (0, true) => byte | 0x80,
            (0, false) => byte & 0x7f,
            _ => *byte,
        };
        value = (value << 8) | i128::from(byte);
    }
    i64::try_from(value).map_err(|_| Error::corrupt("a number in a header of the archive is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_form() {
        let table: [(&[u8], Option<i64>); 10] = [
            (b"0000644\0", Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"00000000001\0", Some(1)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"\x80\0\0\0\0\0\0\0\0\0\x01\0", Some(256)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"0000689\0", None),
            (b"-1\0\0\0\0\0\0", None),
        ];
        for (field, expected) in table {
            assert_eq!(number(field).ok(), expected, "{field:?}");
        }
    }
}
