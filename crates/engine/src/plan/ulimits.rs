//! Limits of a container's processes.

use base::{Error, Result};
use runtime::spec::Limit;
use rustix::process::Resource;
use rustix::thread::CapabilitySet;

use crate::containers::Ulimit;

/// Open files.
const NOFILE: &str = "nofile";
/// What programs expect that use `select`, and what a process may raise itself to.
const DEFAULT_NOFILE: (u64, u64) = (1024, 524_288);

/// The limits that are set: what was asked for, and open files, which nobody should inherit from the engine.
///
/// A hard limit above the engine's own, as `own_hard` tells it, is lowered to it where the engine may not raise it; the second value says so.
///
/// # Errors
/// `Invalid` for an unknown name or a soft limit above the hard one.
pub fn plan(ulimits: &[Ulimit], own_hard: impl Fn(Resource) -> Option<u64>) -> Result<(Vec<Limit>, Vec<String>)> {
    let (mut limits, mut warnings) = (Vec::new(), Vec::new());
    for Ulimit { name, soft, hard } in ulimits {
        let resource = resource_of(name)?;
        if value(*soft)? > value(*hard)? {
            return Err(Error::invalid(format!(
                "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
            )));
        }
        let ceiling = own_hard(resource).unwrap_or(u64::MAX);
        if value(*hard)? > ceiling {
            warnings.push(format!(
                "ulimit {name}: the engine may not raise hard limits (CAP_SYS_RESOURCE): {ceiling} instead of {hard}"
            ));
        }
        limits.push(limit(name, value(*soft)?.min(ceiling), value(*hard)?.min(ceiling)));
    }
    if !limits.iter().any(|limit| limit.resource == NOFILE) {
        let hard = DEFAULT_NOFILE.1.min(own_hard(Resource::Nofile).unwrap_or(u64::MAX));
        limits.push(limit(NOFILE, DEFAULT_NOFILE.0.min(hard), hard));
    }
    Ok((limits, warnings))
}

fn limit(name: &str, soft: u64, hard: u64) -> Limit {
    let bound = |value: u64| (value != u64::MAX).then_some(value);
    Limit { resource: name.to_owned(), soft: bound(soft), hard: bound(hard) }
}

/// The engine's own hard limit, where it may not raise it.
#[must_use]
pub fn own_hard_limit(resource: Resource) -> Option<u64> {
    let sets = rustix::thread::capabilities(None).ok()?;
    if sets.effective.contains(CapabilitySet::SYS_RESOURCE) {
        return None;
    }
    rustix::process::getrlimit(resource).maximum
}

/// Checks names and values without planning.
///
/// # Errors
/// As [`plan`].
pub fn check(ulimits: &[Ulimit]) -> Result<()> {
    plan(ulimits, |_| None).map(drop)
}

fn resource_of(name: &str) -> Result<Resource> {
    runtime::resource_of(name).ok_or_else(|| Error::invalid(format!("invalid ulimit type: {name}")))
}

/// `u64::MAX`: no bound.
fn value(limit: i64) -> Result<u64> {
    match limit {
        -1 => Ok(u64::MAX),
        limit => u64::try_from(limit).map_err(|_| Error::invalid(format!("invalid ulimit {limit}: -1 is no limit"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ulimit(name: &str, soft: i64, hard: i64) -> Ulimit {
        Ulimit { name: name.to_owned(), soft, hard }
    }

    #[test]
    fn open_files_are_never_inherited() {
        let (limits, warnings) = plan(&[], |_| Some(20_000)).unwrap();
        assert_eq!(limits, [limit(NOFILE, 1024, 20_000)]);
        assert!(warnings.is_empty());
        let (limits, _) = plan(&[], |_| None).unwrap();
        assert_eq!(limits[0].hard, Some(524_288));
    }

    #[test]
    fn what_is_above_the_own_limit_is_lowered_and_said() {
        let (limits, warnings) = plan(&[ulimit("nofile", 30_000, -1), ulimit("core", 0, 0)], |_| Some(20_000)).unwrap();
        assert_eq!(limits[0], limit(NOFILE, 20_000, 20_000));
        assert_eq!((limits.len(), warnings.len()), (2, 1));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(plan(&[ulimit("nonsense", 1, 1)], |_| None).is_err());
        assert!(plan(&[ulimit("nofile", 2, 1)], |_| None).is_err());
        assert!(plan(&[ulimit("nofile", -1, 1)], |_| None).is_err());
        assert!(plan(&[ulimit("nofile", -2, -2)], |_| None).is_err());
        assert!(plan(&[ulimit("NOFILE", 1, 1)], |_| None).is_err());
    }
}
