//! Programs that were compiled before, by what they were made from.

use super::compile::compile;
use super::conditions::Conditions;
use super::filter::Filter;
use super::profile::Profile;
use base::Result;
use base::digest::Digest;
use base::file::Durability;
use rustix::fs::{Mode, OFlags};
use std::os::fd::BorrowedFd;

/// Raised with every change of what the generator makes: older programs are then not found.
const GENERATOR_VERSION: u32 = 2;

/// A filter that is ready, and its name in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The file's name in the cache's directory, for [`Filter::open`].
    pub name: String,
    /// The filter.
    pub filter: Filter,
}

/// Finds the filter of a profile in the cache, or compiles it and puts it there.
///
/// A file of the cache that is not ours, not whole or made from something else is replaced.
///
/// # Errors
/// As [`Profile::parse`] and [`compile()`], and when the cache cannot be written.
pub fn prepare(cache: BorrowedFd<'_>, profile: &str, conditions: &Conditions) -> Result<Prepared> {
    let name = key(profile, conditions);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    if let Ok(file) = rustix::fs::openat(cache, &name, flags, Mode::empty())
        && let Ok(filter) = Filter::read(file, &name)
    {
        return Ok(Prepared { name, filter });
    }
    let filter = compile(&Profile::parse(profile.as_bytes())?, conditions)?;
    base::file::replace(cache, &name, &filter.encode(&name), Durability::Lazy)
        .map_err(|error| error.context("keep a compiled seccomp filter"))?;
    Ok(Prepared { name, filter })
}

fn key(profile: &str, conditions: &Conditions) -> String {
    let Conditions { architecture, kernel: (major, minor), capabilities } = conditions;
    let architecture = architecture.token();
    let text = format!("{GENERATOR_VERSION} {architecture} {major}.{minor} {capabilities:x}\n{profile}");
    Digest::sha256(text.as_bytes()).hex().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::{Architecture, DEFAULT_PROFILE};
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_second_time_reads_and_mistrusts() {
        let path = std::env::temp_dir().join(format!("runtime-seccomp-{}", std::process::id()));
        let cache = base::file::make_directories(&path, 0o700).unwrap();
        let conditions = Conditions { architecture: Architecture::X86_64, kernel: (6, 18), capabilities: 0 };
        let first = prepare(cache.as_fd(), DEFAULT_PROFILE, &conditions).unwrap();
        let file = path.join(&first.name);
        assert_eq!(prepare(cache.as_fd(), DEFAULT_PROFILE, &conditions).unwrap(), first);
        assert_eq!(Filter::open(&file).unwrap(), first.filter);
        assert_ne!(key(DEFAULT_PROFILE, &Conditions { capabilities: 1, ..conditions }), first.name);
        // Writable by others, cut off, exchanged for a link: each is replaced by a good one.
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(Filter::open(&file).is_err());
        prepare(cache.as_fd(), DEFAULT_PROFILE, &conditions).unwrap();
        std::fs::write(&file, b"berthBP1").unwrap();
        assert_eq!(prepare(cache.as_fd(), DEFAULT_PROFILE, &conditions).unwrap(), first);
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
        assert!(Filter::open(&file).is_err());
        prepare(cache.as_fd(), DEFAULT_PROFILE, &conditions).unwrap();
        assert_eq!(Filter::open(&file).unwrap(), first.filter);
        std::fs::remove_dir_all(path).unwrap();
    }
}
