//! Typed requests, as `--mount` and the API make them, to planned mounts; and what a target may be.

use std::path::{Component, Path};

use base::{Error, Result};
use runtime::spec::{Propagation, ReadOnly};

use super::bind::parse_propagation;
use super::planned::{Missing, Planned, Source};
use super::tmpfs::TmpfsOptions;
use crate::containers::{MountKind, MountRequest, ReadOnlyReach};

/// A target without `.` and repeated slashes.
///
/// # Errors
/// `Invalid`, in Docker's words, for one that is not absolute or is the root itself.
pub(super) fn target(text: &str) -> Result<String> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err(Error::invalid(format!("invalid mount path: '{text}' mount path must be absolute")));
    }
    let mut names: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_str().unwrap_or_default()),
            Component::ParentDir => {
                names.pop();
            }
            _ => {}
        }
    }
    if names.is_empty() {
        return Err(Error::invalid(format!("invalid specification: destination can't be '/': {text}")));
    }
    if text.contains('\0') || text.len() > 4095 {
        return Err(Error::invalid("invalid mount path: it is too long or has a zero byte"));
    }
    Ok(format!("/{}", names.join("/")))
}

/// What one request asks for. A volume that has no name yet keeps an empty one.
///
/// # Errors
/// `Invalid` for contradictions, in Docker's words.
pub(super) fn plan(request: &MountRequest) -> Result<Planned> {
    let kind = match &request.kind {
        MountKind::Bind { .. } => "bind",
        MountKind::Volume { .. } => "volume",
        MountKind::Tmpfs { .. } => "tmpfs",
    };
    plan_kind(request).map_err(|error| error.context(format!("invalid mount config for type \"{kind}\"")))
}

fn plan_kind(request: &MountRequest) -> Result<Planned> {
    let target = target(&request.target)?;
    let simple = if request.read_only { ReadOnly::Recursive } else { ReadOnly::No };
    let planned =
        |source, read_only, propagation| Planned { target, source, read_only, propagation, mode: String::new() };
    match &request.kind {
        MountKind::Bind { source, propagation, non_recursive, create_source, read_only_reach } => {
            if !Path::new(source).is_absolute() {
                return Err(Error::invalid(format!("invalid mount path: '{source}' mount path must be absolute")));
            }
            let propagation = match propagation.as_str() {
                "" => Propagation::default(),
                text => parse_propagation(text)
                    .ok_or_else(|| Error::invalid(format!("invalid propagation mode: {text}")))?,
            };
            let missing = if *create_source { Missing::Make } else { Missing::Refuse };
            if missing == Missing::Refuse && !Path::new(source).exists() {
                return Err(Error::invalid(format!("bind source path does not exist: {source}")));
            }
            let read_only = reach(request, *read_only_reach, propagation)?;
            let source = Source::Bind { path: source.clone(), recursive: !non_recursive, missing };
            Ok(planned(source, read_only, propagation))
        }
        MountKind::Volume { name, no_copy, subpath, driver, .. } => {
            crate::volumes::check_driver(driver)?;
            check_subpath(subpath)?;
            let source = Source::Volume {
                name: name.clone(),
                subpath: subpath.clone(),
                is_anonymous: name.is_empty(),
                no_copy: *no_copy,
            };
            Ok(planned(source, simple, Propagation::default()))
        }
        MountKind::Tmpfs { size_bytes, mode, options } => {
            let mut tmpfs = TmpfsOptions::default();
            for option in options {
                tmpfs.take(option)?;
            }
            if let Some(bytes) = size_bytes.filter(|bytes| *bytes > 0) {
                tmpfs.set("size", bytes.to_string());
            }
            if let Some(mode) = mode {
                tmpfs.set("mode", format!("{:o}", mode & 0o7777));
            }
            let read_only = if request.read_only { ReadOnly::Single } else { tmpfs.options.read_only };
            Ok(planned(Source::Tmpfs(tmpfs), read_only, Propagation::default()))
        }
    }
}

fn reach(request: &MountRequest, wanted: ReadOnlyReach, propagation: Propagation) -> Result<ReadOnly> {
    let is_single = matches!(request.kind, MountKind::Bind { non_recursive: true, .. });
    match (request.read_only, wanted) {
        (false, ReadOnlyReach::Everything) => {
            Err(Error::invalid("mount is not read-only, but is asked to be so recursively: add readonly"))
        }
        (true, ReadOnlyReach::Everything) if propagation != Propagation::Rprivate => {
            Err(Error::invalid("a recursively read-only mount needs bind-propagation=rprivate"))
        }
        (false, _) => Ok(ReadOnly::No),
        (true, ReadOnlyReach::TopOnly) => Ok(ReadOnly::Single),
        (true, _) if is_single => Ok(ReadOnly::Single),
        (true, _) => Ok(ReadOnly::Recursive),
    }
}

fn check_subpath(subpath: &str) -> Result<()> {
    let path = Path::new(subpath);
    if path.is_absolute() || path.components().any(|component| component == Component::ParentDir) {
        return Err(Error::invalid(format!("subpath must be a relative path within the volume: {subpath}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (text, expected) in [
            ("/a", Some("/a")),
            ("//a/./b/", Some("/a/b")),
            ("/a/../b", Some("/b")),
            ("a", None),
            ("", None),
            ("/", None),
            ("/..", None),
        ] {
            assert_eq!(target(text).ok().as_deref(), expected, "{text}");
        }
    }

    fn bind(read_only: bool, reach: ReadOnlyReach, propagation: &str) -> MountRequest {
        let kind = MountKind::Bind {
            source: "/".to_owned(),
            propagation: propagation.to_owned(),
            non_recursive: false,
            create_source: false,
            read_only_reach: reach,
        };
        MountRequest { target: "/x".to_owned(), read_only, kind }
    }

    #[test]
    fn how_far_read_only_reaches() {
        use ReadOnlyReach::{Everything, TopOnly, WherePossible};
        let table = [
            (bind(false, WherePossible, ""), Some(ReadOnly::No)),
            (bind(true, WherePossible, ""), Some(ReadOnly::Recursive)),
            (bind(true, TopOnly, ""), Some(ReadOnly::Single)),
            (bind(true, Everything, "rprivate"), Some(ReadOnly::Recursive)),
            (bind(true, Everything, "rshared"), None),
            (bind(false, Everything, ""), None),
            (bind(false, WherePossible, "sideways"), None),
        ];
        for (request, expected) in table {
            assert_eq!(plan(&request).ok().map(|planned| planned.read_only), expected, "{request:?}");
        }
    }
}
