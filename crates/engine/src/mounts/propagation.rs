//! Whether a bind mount's source can propagate as asked: what is mounted later goes from mount to mount only where the source's own mount lets it.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use base::{Context, Error, Result, file};
use runtime::spec::Propagation;
use rustix::fs::{CWD, Mode, OFlags};

use super::bind::propagation_name;

/// More than any machine's mounts need.
const MOUNTS_LIMIT_BYTES: u64 = 64 << 20;

/// Refuses `shared` where the mount that `source` lies on is not shared, and `slave` where it neither is nor receives itself.
///
/// # Errors
/// `Invalid` with the name of that mount.
pub(super) fn check(source: &Path, propagation: Propagation) -> Result<()> {
    if matches!(propagation, Propagation::Private | Propagation::Rprivate) {
        return Ok(());
    }
    let what = || format!("look up the mount of {}", source.display());
    let opened = rustix::fs::openat(CWD, source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).with_context(what)?;
    let mounts = File::open("/proc/self/mountinfo").with_context(what)?;
    let mounts = file::read_file_bounded(mounts.into(), MOUNTS_LIMIT_BYTES).with_context(what)?;
    let (id, mounts) = (mount_id(&opened).with_context(what)?, String::from_utf8_lossy(&mounts));
    // A mount that the list does not have is not reached by anything.
    let (point, groups) = mounts.lines().find_map(|line| groups(line, &id)).unwrap_or(("/", Vec::new()));
    let is_in = |kind: &str| groups.iter().any(|group| group.starts_with(kind));
    let (can, kind) = match propagation {
        Propagation::Shared | Propagation::Rshared => (is_in("shared:"), "shared"),
        _ => (is_in("shared:") || is_in("master:"), "shared or slave"),
    };
    if can {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "path {} is mounted on {point} but it is not a {kind} mount: leave out {}, or run mount --make-shared {point}",
        source.display(),
        propagation_name(propagation)
    )))
}

/// The number by which mountinfo knows the mount that an open file lies on (proc_pid_fdinfo(5), since Linux 3.15).
fn mount_id(opened: &OwnedFd) -> Result<String> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", opened.as_raw_fd())).context("read fdinfo")?;
    let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    id.map(|id| id.trim().to_owned()).ok_or_else(|| Error::unsupported("the kernel does not tell mounts' numbers"))
}

/// The mount point and the peer groups in a line of mountinfo (proc_pid_mountinfo(5)), if it is the mount `id`.
fn groups<'a>(line: &'a str, id: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let mut words = line.split(' ');
    let point = words.next().filter(|own| *own == id).and_then(|_| words.nth(3))?;
    // Of the mount, before the fields of the kind that end with a dash.
    Some((point, words.skip(1).take_while(|word| *word != "-").collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_mountinfo() {
        let line = "36 35 98:0 /mnt1 /mnt2 rw,noatime shared:7 master:1 - ext3 /dev/root rw,errors=continue";
        assert_eq!(groups(line, "36"), Some(("/mnt2", vec!["shared:7", "master:1"])));
        assert_eq!(groups(line, "3"), None);
        assert_eq!(groups("36 35 98:0 / /x rw - tmpfs none rw", "36"), Some(("/x", vec![])));
        assert_eq!(groups("36", "36"), None);
    }

    #[test]
    fn what_propagates_nowhere_is_not_looked_up() {
        assert!(check(Path::new("/nonexistent"), Propagation::Rprivate).is_ok());
        assert!(check(Path::new("/nonexistent"), Propagation::Rslave).is_err());
        // The kernel's own files are on no shared mount of anybody's making.
        let error = check(Path::new("/proc/self/ns/mnt"), Propagation::Rshared).unwrap_err();
        assert!(error.to_string().contains("not a shared mount: leave out rshared"), "{error}");
    }
}
