//! The group whose members may use the sockets.

use std::fs::File;
use std::io::Read;

use base::{Context, Error, Result};

/// Docker's group, whose members expect to use an engine.
const DEFAULT: &str = "docker";
const GROUPS: &str = "/etc/group";
/// A longer file of groups is not read further.
const LIMIT_BYTES: u64 = 1 << 20;

/// The id of the group `named`, by name or number, or of `docker` where there is such a group.
///
/// # Errors
/// `NotFound` for a named group that does not exist.
pub(super) fn of_sockets(named: Option<&str>) -> Result<Option<u32>> {
    if let Some(id) = named.and_then(|name| name.parse().ok()) {
        return Ok(Some(id));
    }
    let mut groups = Vec::new();
    let file = File::open(GROUPS).with_context(|| format!("open {GROUPS}"));
    let read =
        file.and_then(|file| file.take(LIMIT_BYTES).read_to_end(&mut groups).with_context(|| format!("read {GROUPS}")));
    let groups = String::from_utf8_lossy(&groups);
    match named {
        // A machine without groups has none of that name.
        None => Ok(find(&groups, DEFAULT)),
        Some(name) => {
            read?;
            let missing = || {
                Error::not_found(format!(
                    "the group {name:?} of the daemon's socket does not exist: make it, or name another as \"group\""
                ))
            };
            find(&groups, name).map(Some).ok_or_else(missing)
        }
    }
}

/// The id of a group in the text of `/etc/group` (`group(5)`).
fn find(groups: &str, name: &str) -> Option<u32> {
    let ids = groups.lines().filter_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)).flatten()
    });
    ids.filter_map(|id| id.parse().ok()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_name_and_number() {
        let groups = "root:x:0:\n# docker:x:7:\ndockers:x:8:ann\nbroken\ndocker:x:\ndocker:x:998:ann,bob\n";
        assert_eq!(find(groups, "docker"), Some(998));
        assert_eq!(find(groups, "root"), Some(0));
        assert_eq!(find(groups, "ann"), None);
        assert_eq!(of_sockets(Some("1234")).unwrap(), Some(1234));
        assert!(of_sockets(Some("no such group")).is_err());
    }
}
