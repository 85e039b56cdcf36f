//! Layer edges: what the manifests say against what `xtask/layers.toml` allows.

use std::collections::BTreeMap;
use std::path::Path;

/// Every edge of a manifest that the list does not allow, and every crate that the list does not know.
pub fn check(root: &Path) -> Vec<String> {
    let allowed: BTreeMap<String, Vec<String>> = match read(&root.join("xtask/layers.toml")) {
        Ok(allowed) => allowed,
        Err(complaint) => return vec![complaint],
    };
    let mut complaints = Vec::new();
    for (name, manifest) in manifests(root) {
        let Some(edges) = allowed.get(&name) else {
            complaints.push(format!("crates/{name}: not in xtask/layers.toml"));
            continue;
        };
        let used = ["dependencies", "dev-dependencies"].iter().filter_map(|table| manifest.get(*table)?.as_table());
        for dependency in used.flat_map(|table| table.keys()) {
            if allowed.contains_key(dependency) && !edges.contains(dependency) && *dependency != name {
                complaints.push(format!(
                    "crates/{name}/Cargo.toml: {name} must not use {dependency}: layers only point downwards"
                ));
            }
        }
    }
    complaints
}

fn manifests(root: &Path) -> Vec<(String, toml::Table)> {
    let Ok(entries) = std::fs::read_dir(root.join("crates")) else { return Vec::new() };
    let mut manifests: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.to_owned();
            Some((name, read(&path.join("Cargo.toml")).ok()?))
        })
        .collect();
    manifests.sort_by(|one, two| one.0.cmp(&two.0));
    manifests
}

/// Reads a TOML file into whatever is asked for.
pub fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}
