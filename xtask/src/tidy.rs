//! The rules of style that a machine can check: layers, sizes, names, `unsafe`, headers, white space.

use crate::{layers, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const FUNCTION_LINES: usize = 70;
const PARAMETERS: usize = 5;
const FILE_LINES: usize = 800;
const BANNED_NAMES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "manager", "misc", "shared"];

/// `xtask/exceptions.toml`: a place and the reason.
#[derive(Default, serde::Deserialize)]
struct Exceptions {
    #[serde(default)]
    long_files: BTreeMap<String, String>,
    #[serde(default)]
    long_functions: BTreeMap<String, String>,
}

struct Tidy<'root> {
    root: &'root Path,
    exceptions: Exceptions,
    used: BTreeSet<String>,
    complaints: Vec<String>,
    lengths: Vec<usize>,
}

/// Checks the whole repository; the complaints, each with its place, or a summary.
pub fn check(root: &Path) -> Result<String, Vec<String>> {
    let exceptions = layers::read(&root.join("xtask/exceptions.toml")).map_err(|complaint| vec![complaint])?;
    let mut tidy =
        Tidy { root, exceptions, used: BTreeSet::new(), complaints: layers::check(root), lengths: Vec::new() };
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "tests", "bench"] {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    for file in &files {
        tidy.file(file);
    }
    tidy.unused_exceptions();
    if !tidy.complaints.is_empty() {
        return Err(tidy.complaints);
    }
    tidy.lengths.sort_unstable();
    let quantile = |percent: usize| tidy.lengths.get(tidy.lengths.len() * percent / 100).copied().unwrap_or(0);
    Ok(format!(
        "tidy: {} files, {} functions, lines of a function: median {}, p90 {}, p99 {}",
        files.len(),
        tidy.lengths.len(),
        quantile(50),
        quantile(90),
        quantile(99)
    ))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

impl Tidy<'_> {
    fn file(&mut self, path: &Path) {
        let place = path.strip_prefix(self.root).unwrap_or(path).display().to_string();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if BANNED_NAMES.contains(&stem) {
            self.complaints.push(format!("{place}: a file's name is a noun or a verb of the domain, not {stem:?}"));
        }
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.complaints.push(format!("{place}: {error}")),
        };
        self.text(&place, &text);
        match syn::parse_file(&text) {
            Ok(file) => self.source(&place, &text, &file),
            Err(error) => self.complaints.push(format!("{place}: {error}")),
        }
    }

    fn text(&mut self, place: &str, text: &str) {
        for (index, line) in text.lines().enumerate() {
            if line.ends_with([' ', '\t']) {
                self.complaints.push(format!("{place}:{}: trailing white space", index + 1));
            }
        }
        let is_root = place.ends_with("src/lib.rs") || place.ends_with("src/main.rs");
        if is_root && !place.starts_with("crates/sys/") && !text.contains("#![forbid(unsafe_code)]") {
            self.complaints.push(format!("{place}: #![forbid(unsafe_code)] is missing"));
        }
        if !text.starts_with("//!") {
            self.complaints.push(format!("{place}: a header (//!) that says what the module does is missing"));
        }
    }

    fn source(&mut self, place: &str, text: &str, file: &syn::File) {
        let findings = sources::inspect(file);
        let lines = text.lines().count() - findings.test_lines.min(text.lines().count());
        if lines > FILE_LINES && !place.starts_with("tests/") && !self.excepted_file(place) {
            self.complaints.push(format!(
                "{place}: {lines} lines, more than {FILE_LINES}: split it, or name it in xtask/exceptions.toml"
            ));
        }
        if !place.starts_with("crates/sys/") {
            for line in &findings.unsafe_lines {
                self.complaints.push(format!("{place}:{line}: unsafe belongs into crates/sys"));
            }
        }
        for function in findings.functions {
            let name = format!("{place}:{}", function.name);
            let at = format!("{place}:{}: {}", function.line, function.name);
            self.lengths.push(function.lines);
            if function.lines > FUNCTION_LINES && !self.excepted_function(&name) {
                self.complaints.push(format!("{at} has {} lines, more than {FUNCTION_LINES}", function.lines));
            }
            if function.parameters > PARAMETERS {
                self.complaints.push(format!("{at} has {} parameters, more than {PARAMETERS}", function.parameters));
            }
            if function.takes_bool {
                self.complaints.push(format!("{at} takes a bool: an enum or two functions say what it means"));
            }
        }
    }

    fn excepted_file(&mut self, place: &str) -> bool {
        let known = self.exceptions.long_files.contains_key(place);
        known && { self.used.insert(place.to_owned()) || known }
    }

    fn excepted_function(&mut self, name: &str) -> bool {
        let known = self.exceptions.long_functions.contains_key(name);
        known && { self.used.insert(name.to_owned()) || known }
    }

    fn unused_exceptions(&mut self) {
        let all = self.exceptions.long_files.keys().chain(self.exceptions.long_functions.keys());
        let unused: Vec<String> = all.filter(|name| !self.used.contains(*name)).cloned().collect();
        for name in unused {
            self.complaints.push(format!("xtask/exceptions.toml: {name} needs no exception (any more)"));
        }
    }
}
