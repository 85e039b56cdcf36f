//! Patterns of references, in the notation of Go's `path.Match`: `*`, `?`, `[a-z]`, `[^a]`, `\` before a character that stands for itself.
//! None of them matches a slash, unless it is written.

/// Whether `pattern` matches all of `text`. A malformed pattern matches nothing.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // Where the last star is and from where on it was tried: the only place to which a match ever goes back.
    let mut star: Option<(usize, usize)> = None;
    let (mut at, mut position) = (0, 0);
    loop {
        if pattern.get(at) == Some(&'*') {
            star = Some((at + 1, position));
            at += 1;
            continue;
        }
        if at == pattern.len() && position == text.len() {
            return true;
        }
        let step = text.get(position).and_then(|character| one(&pattern[at..], *character));
        if let Some(length) = step {
            at += length;
            position += 1;
            continue;
        }
        match star {
            Some((after, from)) if text.get(from).is_some_and(|character| *character != '/') => {
                star = Some((after, from + 1));
                (at, position) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// How much of `pattern` stands for `character`, which its beginning matches; `None`: it does not.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern {
        ['?', ..] => (character != '/').then_some(1),
        ['[', rest @ ..] => class(rest, character),
        ['\\', escaped, ..] => (*escaped == character).then_some(2),
        ['\\'] => None,
        [own, ..] => (*own == character).then_some(1),
        [] => None,
    }
}

/// The same for what follows an opening bracket.
fn class(pattern: &[char], character: char) -> Option<usize> {
    let negated = pattern.first() == Some(&'^');
    let mut at = usize::from(negated);
    let mut found = false;
    let first = at;
    loop {
        if pattern.get(at) == Some(&']') && at > first {
            return (found != negated && character != '/').then_some(at + 2);
        }
        let (low, next) = literal(pattern, at)?;
        let (high, next) = match pattern.get(next) {
            Some('-') => literal(pattern, next + 1)?,
            _ => (low, next),
        };
        found |= (low..=high).contains(&character);
        at = next;
    }
}

fn literal(pattern: &[char], at: usize) -> Option<(char, usize)> {
    match pattern.get(at)? {
        '\\' => Some((*pattern.get(at + 1)?, at + 2)),
        '-' | ']' => None,
        own => Some((*own, at + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_matches_paths() {
        for (pattern, text, expected) in [
            ("alpine", "alpine", true),
            ("alpine", "alpine:latest", false),
            ("alp*", "alpine:latest", true),
            ("*", "user/app", false),
            ("*/*", "user/app", true),
            ("*:3.2?", "alpine:3.20", true),
            ("alpine:[0-9]*", "alpine:3.20", true),
            ("alpine:[^0-9]*", "alpine:3.20", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("", "", true),
            ("*", "", true),
            ("[", "[", false),
            ("[a", "a", false),
            ("\\*", "*", true),
            ("a\\", "a", false),
            ("[]a]", "]", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn hostile_patterns_end() {
        let pattern = format!("{}b", "a*".repeat(200));
        assert!(!matches(&pattern, &"a".repeat(5000)));
    }
}
