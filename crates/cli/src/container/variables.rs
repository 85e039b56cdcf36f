//! Environment variables and labels: `-e`, `--env-file`, `-l`, `--label-file`.

use std::collections::BTreeMap;

use base::{Error, Result};

/// What a name without `=` means.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A file of variables or labels that is longer is none.
const LONGEST_FILE: u64 = 16 << 20;

/// The variables of `--env-file` and `-e`, in this order.
///
/// A name alone takes the value that it has here; without one, `-e NAME` stays a name, which removes what the image sets, and a
/// line of a file says nothing.
///
/// # Errors
/// `Invalid` for a variable without a name and a file that is not made of such lines.
pub(crate) fn environment(files: &[&str], variables: &[&str], lookup: Lookup<'_>) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for file in files {
        all.extend(lines(file, "env", lookup)?);
    }
    for variable in variables {
        match variable.split_once('=') {
            Some(("", _)) => return Err(Error::invalid(format!("invalid environment variable: {variable}"))),
            None if variable.is_empty() => {
                return Err(Error::invalid("invalid environment variable: a name is missing"));
            }
            Some(_) => all.push((*variable).to_owned()),
            None => all.push(match lookup(variable) {
                Some(value) => format!("{variable}={value}"),
                None => (*variable).to_owned(),
            }),
        }
    }
    Ok(all)
}

/// The labels of `--label-file` and `-l`; the last one of a name counts.
///
/// # Errors
/// `Invalid` for a label without a name and a file that is not made of labels.
pub(crate) fn labels(files: &[&str], labels: &[&str]) -> Result<BTreeMap<String, String>> {
    let mut all = Vec::new();
    for file in files {
        all.extend(lines(file, "label", &|_| Some(String::new()))?);
    }
    all.extend(labels.iter().map(|label| (*label).to_owned()));
    map("label", all.iter().map(String::as_str))
}

/// `name=value` pairs, as `--sysctl`, `--log-opt` and `--opt` take them; a name alone has an empty value.
///
/// # Errors
/// `Invalid` for a pair without a name; `what` is what the message calls it.
pub(crate) fn map<'a>(what: &str, pairs: impl Iterator<Item = &'a str>) -> Result<BTreeMap<String, String>> {
    pairs
        .map(|pair| match pair.split_once('=').unwrap_or((pair, "")) {
            ("", _) => Err(Error::invalid(format!("invalid {what} '{pair}': empty name"))),
            (name, value) => Ok((name.to_owned(), value.to_owned())),
        })
        .collect()
}

fn lines(file: &str, what: &str, lookup: Lookup<'_>) -> Result<Vec<String>> {
    let failed = |reason: String| Error::invalid(format!("invalid {what} file ({file}): {reason}"));
    let bytes = read(file).map_err(|error| failed(error.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| failed("not UTF-8".to_owned()))?;
    let mut pairs = Vec::new();
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).lines() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (line, lookup(line.trim())),
        };
        let name = if value.is_some() && line.contains('=') { name } else { name.trim() };
        if name.is_empty() {
            return Err(failed(format!("no variable name on line '{line}'")));
        }
        if name.contains(char::is_whitespace) {
            return Err(failed(format!("variable '{name}' contains whitespaces")));
        }
        pairs.extend(value.map(|value| format!("{name}={value}")));
    }
    Ok(pairs)
}

fn read(file: &str) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(LONGEST_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/root".to_owned())
    }

    fn with_file<T>(content: &str, test: impl FnOnce(&str) -> T) -> T {
        let file = std::env::temp_dir().join(format!("berth-variables-{}", base::id::Id::random().unwrap().short()));
        std::fs::write(&file, content).unwrap();
        let outcome = test(file.to_str().unwrap());
        std::fs::remove_file(&file).unwrap();
        outcome
    }

    #[test]
    fn variables() {
        for (given, expected) in [
            (&["A=1", "B=", "C=x=y"][..], &["A=1", "B=", "C=x=y"][..]),
            (&["HOME"], &["HOME=/root"]),
            (&["UNSET"], &["UNSET"]),
        ] {
            assert_eq!(environment(&[], given, &lookup).unwrap(), expected);
        }
        assert_eq!(environment(&[], &["=x"], &lookup).unwrap_err().to_string(), "invalid environment variable: =x");
    }

    #[test]
    fn files() {
        let content = "\u{feff}# comment\n\n  A=1 2\nHOME\nUNSET\nB=\"quoted\"\r\nC=\n";
        with_file(content, |file| {
            let all = environment(&[file], &["A=3"], &lookup).unwrap();
            assert_eq!(all, ["A=1 2", "HOME=/root", "B=\"quoted\"", "C=", "A=3"]);
            let labels = labels(&[file], &["A=3"]).unwrap();
            assert_eq!(labels.get("UNSET").unwrap(), "");
            assert_eq!(labels.get("A").unwrap(), "3");
        });
        for (content, reason) in
            [("A B=1\n", "variable 'A B' contains whitespaces"), ("=1\n", "no variable name on line '=1'")]
        {
            with_file(content, |file| {
                let message = environment(&[file], &[], &lookup).unwrap_err().to_string();
                assert_eq!(message, format!("invalid env file ({file}): {reason}"));
            });
        }
        assert!(environment(&["/nonexistent"], &[], &lookup).is_err());
    }
}
