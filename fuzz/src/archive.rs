//! Changes tar archives as rows of entries: entries come, go, move and lie in one field; checksums are made true again.

use crate::Random;

const BLOCK: usize = 512;
/// Offset and length of a header's fields: name, mode, owner, group, size, time, kind, link, device, prefix.
const FIELDS: [(usize, usize); 11] = [
    (0, 100),
    (100, 8),
    (108, 8),
    (116, 8),
    (124, 12),
    (136, 12),
    (156, 1),
    (157, 100),
    (329, 8),
    (337, 8),
    (345, 155),
];
const NAMES: [&[u8]; 22] = [
    b"..",
    b"../outside",
    b"/outside",
    b"a/../../outside",
    b"a/../b",
    b".",
    b"./",
    b"",
    b"a",
    b"a/b",
    b"link",
    b"link/below",
    b"link/../outside",
    b"dir/",
    b"/proc/self/root/tmp/x",
    b".wh.a",
    b".wh.",
    b".wh..",
    b".wh...",
    b"dir/.wh..wh..opq",
    b"dir/.wh..wh.plnk",
    b"a//b///c",
];
const KINDS: &[u8] = b"0123456789xgLKSDVM\0A";

/// Changes one entry of the archive `input`, or takes one from `other`.
pub fn reshape(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let entries = entries(input);
    if entries.is_empty() {
        return;
    }
    let (start, end) = entries[random.below(entries.len())];
    let (place, _) = entries[random.below(entries.len())];
    match random.below(8) {
        0 => drop(input.drain(start..end)),
        1 => {
            let entry = input[start..end].to_vec();
            input.splice(place..place, entry);
        }
        2 => {
            let others = self::entries(other);
            if let Some((from, to)) = others.get(random.below(others.len())) {
                input.splice(place..place, other[*from..*to].iter().copied());
            }
        }
        3 => input[start + 156] = KINDS[random.below(KINDS.len())],
        4 => put(&mut input[start..start + 100], NAMES[random.below(NAMES.len())]),
        5 => put(&mut input[start + 157..start + 257], NAMES[random.below(NAMES.len())]),
        6 => number(&mut input[start..start + BLOCK], random),
        _ => {
            let (at, length) = FIELDS[random.below(FIELDS.len())];
            let byte = start + at + random.below(length);
            input[byte] = random.draw() as u8;
        }
    }
}

/// Makes the checksum of every header true, so that what was changed is looked at.
#[allow(clippy::ptr_arg, reason = "every repair has this shape; others change the length")]
pub fn repair(input: &mut Vec<u8>) {
    for (start, _) in entries(input) {
        let header = &mut input[start..start + BLOCK];
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

/// A number in octal or in base 256 that programs get wrong, for a field that is one.
fn number(header: &mut [u8], random: &mut Random) {
    let (at, length) = [(124, 12), (136, 12), (100, 8), (108, 8), (329, 8), (337, 8)][random.below(6)];
    let field = &mut header[at..at + length];
    match random.below(5) {
        0 => field.fill(b'7'),
        1 => field.fill(0xff),
        2 => {
            field.fill(0);
            field[0] = 0x80;
            field[length - 1] = random.draw() as u8;
        }
        3 => put(field, b"-1"),
        _ => put(field, format!("{:o}", random.below(5000)).as_bytes()),
    }
}

fn put(field: &mut [u8], bytes: &[u8]) {
    field.fill(0);
    let length = bytes.len().min(field.len());
    field[..length].copy_from_slice(&bytes[..length]);
}

/// Where entries begin and end: a header and the data that it speaks of.
fn entries(archive: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = 0;
    while start + BLOCK <= archive.len() && archive[start..start + BLOCK].iter().any(|byte| *byte != 0) {
        let digits = &archive[start + 124..start + 136];
        let size = digits
            .iter()
            .filter(|byte| byte.is_ascii_digit())
            .fold(0_usize, |size, digit| size.saturating_mul(8).saturating_add(usize::from(digit - b'0')));
        let end = size.checked_next_multiple_of(BLOCK).and_then(|data| data.checked_add(start + BLOCK));
        let end = end.filter(|end| *end <= archive.len()).unwrap_or(start + BLOCK);
        found.push((start, end));
        start = end;
    }
    found
}
