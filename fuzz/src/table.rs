//! Changes tables of lines and colons, as in passwd(5): lines come, go and multiply, and fields become another line's.

use crate::Random;

/// Changes one line of `input`, with a line of `other` now and then.
pub fn reshape(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let mut lines: Vec<Vec<u8>> = split(input, b'\n');
    let others = split(other, b'\n');
    let (at, piece) = (random.below(lines.len()), others[random.below(others.len())].clone());
    match random.below(5) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, piece),
        2 => {
            let line = lines[at].clone();
            lines.splice(at..at, std::iter::repeat_n(line, 1 + random.below(256)));
        }
        3 => {
            let mut fields = split(&lines[at], b':');
            let count = fields.len();
            fields.swap(random.below(count), random.below(count));
            lines[at] = fields.join(&b':');
        }
        _ => {
            let (mut fields, theirs) = (split(&lines[at], b':'), split(&piece, b':'));
            let place = random.below(fields.len());
            fields[place].clone_from(&theirs[random.below(theirs.len())]);
            lines[at] = fields.join(&b':');
        }
    }
    *input = lines.join(&b'\n');
}

/// At least one piece.
fn split(bytes: &[u8], at: u8) -> Vec<Vec<u8>> {
    bytes.split(|byte| *byte == at).map(<[u8]>::to_vec).collect()
}
