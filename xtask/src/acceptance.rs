//! The acceptance table: every promise has a row in `tests/acceptance.toml` with the test that observes its effect.

use crate::layers;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    row: Vec<Row>,
}

/// One promise. It has a test, or the reason why it is open.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// What was promised: a flag, a command, an error case, a crash point, a client, a CVE class.
    promise: String,
    /// The test, as `binary::path`.
    #[serde(default)]
    test: Option<String>,
    /// Further tests.
    #[serde(default)]
    tests: Vec<String>,
    /// Why there is none yet.
    #[serde(default)]
    open: Option<String>,
}

impl Row {
    fn all_tests(&self) -> impl Iterator<Item = &String> {
        self.test.iter().chain(&self.tests)
    }
}

fn read(root: &Path) -> Result<Vec<Row>, Vec<String>> {
    let table: Table = layers::read(&root.join("tests/acceptance.toml")).map_err(|complaint| vec![complaint])?;
    let mut seen = BTreeSet::new();
    let mut complaints = Vec::new();
    for row in &table.row {
        let promise = &row.promise;
        if !seen.insert(promise.clone()) {
            complaints.push(format!("tests/acceptance.toml: {promise:?} stands there twice"));
        }
        if row.all_tests().next().is_none() && row.open.is_none() {
            complaints.push(format!("tests/acceptance.toml: {promise:?} has neither a test nor a reason to be open"));
        }
    }
    if complaints.is_empty() { Ok(table.row) } else { Err(complaints) }
}

/// The names of the crash points in the sources below `folder`.
fn crash_points(folder: &Path) -> std::io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(crash_points(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)?;
            let names = text.split("crash_point!(\"").skip(1).filter_map(|rest| rest.split_once('"'));
            found.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
    Ok(found)
}

/// Checks the form of the table: every row has a promise of its own, and a test that is named as `binary::path` or a reason to be open; and every crash point
/// of the sources has a row.
pub fn check(root: &Path) -> Result<String, Vec<String>> {
    let rows = read(root)?;
    let is_name = |test: &str| {
        test.contains("::")
            && test
                .split("::")
                .all(|part| !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_'))
    };
    let wrong = rows.iter().flat_map(Row::all_tests).filter(|test| !is_name(test));
    let mut complaints: Vec<String> =
        wrong.map(|test| format!("tests/acceptance.toml: {test:?} is no binary::path")).collect();
    let points = crash_points(&root.join("crates")).map_err(|error| vec![format!("crates: {error}")])?;
    let named: BTreeSet<&str> = rows.iter().filter_map(|row| row.promise.strip_prefix("crash point ")).collect();
    let missing = points.iter().filter(|point| !named.contains(point.as_str()));
    complaints.extend(missing.map(|point| format!("tests/acceptance.toml: crash point {point} has no row")));
    let stale = named.iter().filter(|point| !points.contains(**point));
    complaints.extend(stale.map(|point| format!("tests/acceptance.toml: the sources have no crash point {point}")));
    let open = rows.iter().filter(|row| row.open.is_some()).count();
    if complaints.is_empty() {
        Ok(format!("acceptance: {} promises, {open} open", rows.len()))
    } else {
        Err(complaints)
    }
}

/// Compares the table with what test runs printed: every named test ran and passed.
pub fn compare(root: &Path, results: &[&str]) -> Result<String, Vec<String>> {
    let rows = read(root)?;
    let mut passed = Results::default();
    for path in results {
        passed.read(&std::fs::read_to_string(path).map_err(|error| vec![format!("{path}: {error}")])?);
    }
    let Results { passed, mut complaints } = passed;
    for row in &rows {
        for test in row.all_tests() {
            match passed.get(test) {
                Some(true) => {}
                Some(false) => complaints.push(format!("{}: its test {test} failed", row.promise)),
                None => complaints.push(format!("{}: its test {test} did not run", row.promise)),
            }
        }
    }
    let open = rows.iter().filter(|row| row.open.is_some()).count();
    if complaints.is_empty() {
        return Ok(format!("acceptance: {} promises kept, {open} open", rows.len() - open));
    }
    Err(complaints)
}

/// Lists the open rows with their reasons.
pub fn list_open(root: &Path) -> Result<String, Vec<String>> {
    let rows = read(root)?;
    let open = rows.iter().filter_map(|row| Some(format!("{}: {}", row.promise, row.open.as_ref()?)));
    Ok(open.collect::<Vec<_>>().join("\n"))
}

/// What `cargo test` printed, once or several times.
#[derive(Default)]
struct Results {
    /// The tests, as `binary::path`, and whether each passed.
    passed: BTreeMap<String, bool>,
    /// Names that stand for several tests, of which not all passed.
    complaints: Vec<String>,
}

impl Results {
    fn read(&mut self, text: &str) {
        let mut binary = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(running) = line.strip_prefix("Running ") {
                let file = running.rsplit('/').next().unwrap_or_default();
                binary = file.rsplit_once('-').map_or(file, |(name, _)| name).to_owned();
            } else if let Some((name, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
                // What a test prints may stand between its name and its outcome.
                let (name, outcome) = (format!("{binary}::{name}"), outcome.ends_with("ok"));
                let before = self.passed.insert(name.clone(), outcome);
                if before.is_some_and(|before| before != outcome) {
                    self.complaints.push(format!("{name}: there are two tests of this name; one passed, one failed"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_test_prints() {
        let text = "     Running unittests src/lib.rs (target/debug/deps/base-773fb96564a27342)\ntest id::tests::one ... ok\ntest id::tests::two ... FAILED\n     Running tests/integration/main.rs (target/debug/deps/integration-0123456789abcdef)\ntest run::three ... ok\ntest result: ok. 3 passed";
        let mut results = Results::default();
        results.read(text);
        assert_eq!(results.passed.get("base::id::tests::one"), Some(&true));
        assert_eq!(results.passed.get("base::id::tests::two"), Some(&false));
        assert_eq!(results.passed.get("integration::run::three"), Some(&true));
        assert_eq!((results.passed.len(), results.complaints.len()), (3, 0));
        results.read("Running tests/integration/main.rs (target/debug/deps/integration-0)\ntest run::three ... FAILED");
        assert_eq!(results.complaints.len(), 1);
    }
}
