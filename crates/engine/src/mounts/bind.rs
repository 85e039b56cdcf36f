//! `-v` notation: `source:target[:options]`, and how mounts propagate.

use base::{Error, Result};
use runtime::spec::{Propagation, ReadOnly};

/// One `-v`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) read_only: ReadOnly,
    pub(super) propagation: Option<Propagation>,
    pub(super) no_copy: bool,
    /// Whether the source's files get a label of SELinux.
    pub(super) relabels: bool,
    pub(super) mode: String,
}

impl Bind {
    /// Whether the source is a path of the host and no volume's name.
    pub(super) fn is_path(&self) -> bool {
        self.source.starts_with('/')
    }
}

/// # Errors
/// `Invalid`, in Docker's words, for what is no such notation.
pub(super) fn parse(text: &str) -> Result<Bind> {
    let refuse = || Error::invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [source, target] => (source, target, ""),
        [source, target, mode] => (source, target, mode),
        _ => return Err(refuse()),
    };
    if source.is_empty() || target.is_empty() {
        return Err(refuse());
    }
    let mut bind = Bind {
        source: source.to_owned(),
        target: target.to_owned(),
        read_only: ReadOnly::No,
        propagation: None,
        no_copy: false,
        relabels: false,
        mode: mode.to_owned(),
    };
    let mut seen: Vec<&str> = Vec::new();
    for option in mode.split(',').filter(|_| !mode.is_empty()) {
        let group = match option {
            "ro" | "rw" | "rro" => {
                bind.read_only = if option == "rw" { ReadOnly::No } else { ReadOnly::Recursive };
                "access"
            }
            "nocopy" => {
                bind.no_copy = true;
                "copy"
            }
            "z" | "Z" => {
                bind.relabels = true;
                "label"
            }
            // Only other systems know it.
            "consistent" | "cached" | "delegated" | "default" => "consistency",
            other => {
                bind.propagation =
                    Some(parse_propagation(other).ok_or_else(|| Error::invalid(format!("invalid mode: {mode}")))?);
                "propagation"
            }
        };
        if seen.contains(&group) {
            return Err(Error::invalid(format!("invalid mode: {mode}")));
        }
        seen.push(group);
    }
    // A volume is nobody's to tell of mounts; a path has nothing to be copied to.
    if (bind.is_path() && bind.no_copy) || (!bind.is_path() && bind.propagation.is_some()) {
        return Err(Error::invalid(format!("invalid mode: {mode}")));
    }
    Ok(bind)
}

/// `None` for what is no propagation.
pub(super) fn parse_propagation(text: &str) -> Option<Propagation> {
    Some(match text {
        "private" => Propagation::Private,
        "rprivate" => Propagation::Rprivate,
        "shared" => Propagation::Shared,
        "rshared" => Propagation::Rshared,
        "slave" => Propagation::Slave,
        "rslave" => Propagation::Rslave,
        _ => return None,
    })
}

pub(super) fn propagation_name(propagation: Propagation) -> &'static str {
    match propagation {
        Propagation::Private => "private",
        Propagation::Rprivate => "rprivate",
        Propagation::Shared => "shared",
        Propagation::Rshared => "rshared",
        Propagation::Slave => "slave",
        Propagation::Rslave => "rslave",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation() {
        let bind = parse("/a:/b:ro,rslave,z").unwrap();
        assert!(
            bind.relabels
                && bind.is_path()
                && bind.read_only == ReadOnly::Recursive
                && bind.propagation == Some(Propagation::Rslave)
        );
        let bind = parse("data:/b:nocopy").unwrap();
        assert!(bind.no_copy && !bind.relabels);
        for bad in [
            "",
            "a",
            ":/x",
            "/x:",
            "a:b:c:d",
            "/tmp:/x:nonsense",
            "/a:/b:ro,rw",
            "/a:/b:nocopy",
            "data:/b:rshared",
            "/a:/b:ro,",
            "/a:/b:z,Z",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
