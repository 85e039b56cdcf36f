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

/// Checks the form of the table: every row has a promise of its own, and a test that is named as `binary::path` or a reason to be open.
pub fn check(root: &Path) -> Result<String, Vec<String>> {
    let rows = read(root)?;
    let is_name = |test: &str| {
        test.contains("::")
            && test
                .split("::")
                .all(|part| !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_'))
    };
    let wrong = rows.iter().flat_map(Row::all_tests).filter(|test| !is_name(test));
    let complaints: Vec<String> =
        wrong.map(|test| format!("tests/acceptance.toml: {test:?} is no binary::path")).collect();
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
    let mut passed = BTreeMap::new();
    for path in results {
        let text = std::fs::read_to_string(path).map_err(|error| vec![format!("{path}: {error}")])?;
        passed.extend(parse_results(&text));
    }
    let mut complaints = Vec::new();
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

/// The tests in the output of `cargo test`, as `binary::path`, and whether each passed.
fn parse_results(text: &str) -> BTreeMap<String, bool> {
    let mut results = BTreeMap::new();
    let mut binary = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(running) = line.strip_prefix("Running ") {
            let file = running.rsplit('/').next().unwrap_or_default();
            binary = file.rsplit_once('-').map_or(file, |(name, _)| name).to_owned();
        } else if let Some((name, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            // What a test prints may stand between its name and its outcome.
            results.insert(format!("{binary}::{name}"), outcome.ends_with("ok"));
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_test_prints() {
        let text = "     Running unittests src/lib.rs (target/debug/deps/base-773fb96564a27342)\ntest id::tests::one ... ok\ntest id::tests::two ... FAILED\n     Running tests/integration/main.rs (target/debug/deps/integration-0123456789abcdef)\ntest run::three ... ok\ntest result: ok. 3 passed";
        let results = parse_results(text);
        assert_eq!(results.get("base::id::tests::one"), Some(&true));
        assert_eq!(results.get("base::id::tests::two"), Some(&false));
        assert_eq!(results.get("integration::run::three"), Some(&true));
        assert_eq!(results.len(), 3);
    }
}
