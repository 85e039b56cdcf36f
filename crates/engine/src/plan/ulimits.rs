//! Limits of a container's processes.

use base::{Error, Result};
use rustix::process::Resource;
use rustix::thread::CapabilitySet;

use crate::containers::Ulimit;

/// Every limit by its name.
const LIMITS: &[(&str, Resource)] = &[
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

/// What programs expect that use `select`, and what a process may raise itself to.
const DEFAULT_NOFILE: (u64, u64) = (1024, 524_288);

/// One limit as the kernel takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Which one.
    pub resource: Resource,
    /// `u64::MAX`: no bound.
    pub soft: u64,
    /// `u64::MAX`: no bound.
    pub hard: u64,
}

/// The limits that are set: what was asked for, and open files, which nobody should inherit from the engine.
///
/// A hard limit above the engine's own, as `own_hard` tells it, is lowered to it where the engine may not raise it; the second value says so.
///
/// # Errors
/// `Invalid` for an unknown name or a soft limit above the hard one.
pub fn plan(ulimits: &[Ulimit], own_hard: impl Fn(Resource) -> Option<u64>) -> Result<(Vec<Limit>, Vec<String>)> {
    let (mut limits, mut warnings) = (Vec::new(), Vec::new());
    for ulimit in ulimits {
        let resource = resource_of(&ulimit.name)?;
        let (soft, hard) = (value(ulimit.soft), value(ulimit.hard));
        if soft > hard {
            return Err(Error::invalid(format!(
                "ulimit {}: soft limit must be less than or equal to hard limit: {} > {}",
                ulimit.name, ulimit.soft, ulimit.hard
            )));
        }
        let ceiling = own_hard(resource).unwrap_or(u64::MAX);
        if hard > ceiling {
            warnings.push(format!(
                "ulimit {}: the engine may not raise hard limits (CAP_SYS_RESOURCE): {ceiling} instead of {}",
                ulimit.name, ulimit.hard
            ));
        }
        limits.push(Limit { resource, soft: soft.min(ceiling), hard: hard.min(ceiling) });
    }
    if !limits.iter().any(|limit| limit.resource == Resource::Nofile) {
        let hard = DEFAULT_NOFILE.1.min(own_hard(Resource::Nofile).unwrap_or(u64::MAX));
        limits.push(Limit { resource: Resource::Nofile, soft: DEFAULT_NOFILE.0.min(hard), hard });
    }
    Ok((limits, warnings))
}

/// The name of a limit, as in `nofile`.
#[must_use]
pub fn name(resource: Resource) -> &'static str {
    LIMITS.iter().find(|(_, known)| *known == resource).map_or("", |(name, _)| name)
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
    let known = LIMITS.iter().find(|(known, _)| *known == name);
    known.map(|(_, resource)| *resource).ok_or_else(|| Error::invalid(format!("invalid ulimit type: {name}")))
}

fn value(limit: i64) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
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
        assert_eq!(limits, [Limit { resource: Resource::Nofile, soft: 1024, hard: 20_000 }]);
        assert!(warnings.is_empty());
        let (limits, _) = plan(&[], |_| None).unwrap();
        assert_eq!(limits[0].hard, 524_288);
    }

    #[test]
    fn what_is_above_the_own_limit_is_lowered_and_said() {
        let (limits, warnings) = plan(&[ulimit("nofile", 30_000, -1), ulimit("core", 0, 0)], |_| Some(20_000)).unwrap();
        assert_eq!(limits[0], Limit { resource: Resource::Nofile, soft: 20_000, hard: 20_000 });
        assert_eq!((limits.len(), warnings.len()), (2, 1));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(plan(&[ulimit("nonsense", 1, 1)], |_| None).is_err());
        assert!(plan(&[ulimit("nofile", 2, 1)], |_| None).is_err());
        assert!(plan(&[ulimit("nofile", -1, 1)], |_| None).is_err());
    }
}
