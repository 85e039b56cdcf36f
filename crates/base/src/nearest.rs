//! Which known word somebody meant.

/// The one of `words` that is closest to `word`, where one is close enough to be meant.
#[must_use]
pub fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = 1 + word.chars().count() / 4;
    words
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed || (word.len() > 2 && candidate.starts_with(word)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, deleted, replaced or swapped with their neighbour (optimal string alignment); case and `_` against
/// `-` count nothing.
fn distance(left: &str, right: &str) -> usize {
    let fold = |letter: char| if letter == '_' { '-' } else { letter.to_ascii_lowercase() };
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().map(fold).collect(), right.chars().map(fold).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, to) in right.iter().enumerate() {
            let replaced = above[column] + usize::from(from != to);
            let mut best = replaced.min(above[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && *from == right[column - 1] && left[row - 1] == *to {
                best = best.min(before[column - 1] + 1);
            }
            line.push(best);
        }
        before = std::mem::replace(&mut above, line);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let words = ["run", "rm", "rmi", "inspect", "images", "container", "volume"];
        for (word, meant) in [
            ("rnu", Some("run")),
            ("inspetc", Some("inspect")),
            ("image", Some("images")),
            ("cont", Some("container")),
            ("Volume", Some("volume")),
            ("xyzzy", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words.into_iter()), meant, "{word}");
        }
    }
}
