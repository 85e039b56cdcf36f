//! Who a container's process is: `user`, `1000`, `user:group`, `1000:1000`, looked up in the container's own files.
//!
//! A number is never looked up as a name (CVE-2026-46680), and the files are the image's: they are bounded (CVE-2026-47262).

use crate::spec::Process;
use base::tree::{Links, Tree};
use base::{Error, Result};
use std::path::Path;

/// No passwd or group file needs more; a longer one is refused.
const FILE_LIMIT: u64 = 1 << 20;
/// As many as the kernel takes (`NGROUPS_MAX`).
const GROUPS_LIMIT: usize = 65_536;
/// As in Docker: the upper half of the numbers is nobody's.
const MAXIMUM_ID: i64 = 0x7fff_ffff;

/// Ids, and where the user is at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// All groups but the effective one, which is among them too.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

impl User {
    /// Looks up the user of `process` in the files below `root`.
    ///
    /// # Errors
    /// [`Kind::NotFound`](base::Kind::NotFound) for a name that is in no file, [`Kind::Corrupt`](base::Kind::Corrupt) for a file that
    /// is too long.
    pub(crate) fn find(process: &Process, root: &Tree) -> Result<Self> {
        let passwd = read(root, "/etc/passwd")?;
        let group = read(root, "/etc/group")?;
        resolve(&process.user, &process.additional_groups, &passwd, &group)
    }
}

fn read(root: &Tree, path: &str) -> Result<String> {
    let bytes = root.read_bounded(Path::new(path), FILE_LIMIT, Links::Follow)?;
    Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
}

/// A line of passwd(5).
struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let uid = id_of_file(fields.nth(1)?)?;
        let gid = id_of_file(fields.next()?)?;
        let home = fields.nth(1).unwrap_or_default();
        Some(Account { name, uid, gid, home })
    })
}

/// A line with another number is none: setresuid(2) takes -1 as "leave it", and who asks for that user would stay root.
fn id_of_file(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| i64::from(*id) <= MAXIMUM_ID)
}

/// A line of group(5).
struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

fn groups(group: &str) -> impl Iterator<Item = Group<'_>> {
    group.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let gid = id_of_file(fields.nth(1)?)?;
        Some(Group { name, gid, members: fields.next().unwrap_or_default() })
    })
}

fn resolve(user: &str, additional: &[String], passwd: &str, group: &str) -> Result<User> {
    let (user, group_name) = match user.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (user, None),
    };
    let number = if user.is_empty() { Some(0) } else { id(user)? };
    let account = match number {
        Some(uid) => accounts(passwd).find(|account| account.uid == uid),
        None => Some(accounts(passwd).find(|account| account.name == user).ok_or_else(|| {
            Error::not_found(format!("unable to find user {user}: no matching entries in passwd file"))
        })?),
    };
    let uid = number.or(account.as_ref().map(|account| account.uid)).unwrap_or(0);
    let mut found =
        User { uid, gid: account.as_ref().map_or(0, |account| account.gid), groups: Vec::new(), home: "/".to_owned() };
    if let Some(account) = &account
        && !account.home.is_empty()
    {
        found.home = account.home.to_owned();
    }
    if let Some(name) = group_name {
        found.gid = group_id(name, group)?;
    }
    found.groups.push(found.gid);
    if let (Some(account), None) = (&account, group_name) {
        let member = |group: &Group<'_>| group.members.split(',').any(|member| member.trim() == account.name);
        found.groups.extend(groups(group).filter(member).map(|group| group.gid));
    }
    for name in additional {
        found.groups.push(group_id(name, group)?);
    }
    let mut seen = std::collections::BTreeSet::new();
    found.groups.retain(|gid| seen.insert(*gid));
    if found.groups.len() > GROUPS_LIMIT {
        return Err(Error::corrupt("the container's group file has the user in more groups than the kernel takes"));
    }
    Ok(found)
}

fn group_id(name: &str, group: &str) -> Result<u32> {
    if let Some(gid) = id(name)? {
        return Ok(gid);
    }
    let found = groups(group).find(|group| group.name == name).map(|group| group.gid);
    found.ok_or_else(|| Error::not_found(format!("unable to find group {name}: no matching entries in group file")))
}

/// The number that `text` is; `None` for a name.
fn id(text: &str) -> Result<Option<u32>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<i64>().ok().filter(|id| (0..=MAXIMUM_ID).contains(id)) {
        Some(id) => Ok(u32::try_from(id).ok()),
        None => Err(Error::invalid(format!("{text}: uids and gids must be in range 0-{MAXIMUM_ID}"))),
    }
}

/// The user and all groups, from what would be in `/etc/passwd` and `/etc/group`: for the fuzz targets.
///
/// # Errors
/// As a start fails that looks up such a user.
#[cfg(feature = "fuzz-targets")]
pub fn user_of(user: &str, additional: &[String], passwd: &str, group: &str) -> Result<(u32, Vec<u32>)> {
    resolve(user, additional, passwd, group).map(|found| (found.uid, found.groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# a comment\nbroken\nweb:x:33:44:Web:/var/www:\n1000:x:5:6::/trap:\nhomeless:x:7:8::::\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:web,root\nmore:x:9:other,web\n2000:x:1:web2\nweb:x:44:";

    fn found(user: &str, additional: &[&str]) -> Result<User> {
        let additional: Vec<String> = additional.iter().map(|name| (*name).to_owned()).collect();
        resolve(user, &additional, PASSWD, GROUP)
    }

    #[test]
    fn users() {
        for (user, additional, uid, gid, groups, home) in [
            ("", &[][..], 0, 0, vec![0, 4], "/root"),
            ("root", &[], 0, 0, vec![0, 4], "/root"),
            ("web", &[], 33, 44, vec![44, 4, 9], "/var/www"),
            ("33", &[], 33, 44, vec![44, 4, 9], "/var/www"),
            ("web:adm", &[], 33, 4, vec![4], "/var/www"),
            ("web:", &[], 33, 44, vec![44, 4, 9], "/var/www"),
            (":adm", &[], 0, 4, vec![4], "/root"),
            ("web", &["root", "55", "adm"], 33, 44, vec![44, 4, 9, 0, 55], "/var/www"),
            // A number is itself, whatever a file calls by it.
            ("1000", &[], 1000, 0, vec![0], "/"),
            ("1000:2000", &["2000"], 1000, 2000, vec![2000], "/"),
            ("homeless", &[], 7, 8, vec![8], "/"),
        ] {
            let expected = User { uid, gid, groups, home: home.to_owned() };
            assert_eq!(found(user, additional).unwrap(), expected, "{user} {additional:?}");
        }
    }

    #[test]
    fn ids_of_the_files_that_are_nobodys() {
        for line in ["evil:x:4294967295:1::/:", "evil:x:1:4294967295::/:", "evil:x:2147483648:1::/:", "evil:x:-1:1::/:"]
        {
            let error = resolve("evil", &[], line, "").unwrap_err();
            assert!(error.to_string().starts_with("unable to find user evil"), "{line}: {error}");
        }
        for group in ["evil:x:4294967295:web", "evil:x:2147483648:web"] {
            assert!(resolve("0:evil", &[], PASSWD, group).is_err(), "{group}");
            assert_eq!(resolve("web", &[], PASSWD, group).unwrap().groups, [44], "{group}");
        }
        assert_eq!(resolve("last", &[], "last:x:2147483647:2147483647::/:", "").unwrap().uid, 0x7fff_ffff);
    }

    #[test]
    fn refusals() {
        for (user, additional, words) in [
            ("nobody", &[][..], "unable to find user nobody: no matching entries in passwd file"),
            ("root:none", &[], "unable to find group none: no matching entries in group file"),
            ("root", &["none"], "unable to find group none: no matching entries in group file"),
            ("-1", &[], "-1: uids and gids must be in range 0-2147483647"),
            ("0:4294967296", &[], "4294967296: uids and gids must be in range 0-2147483647"),
            ("99999999999999999999", &[], "99999999999999999999: uids and gids must be in range 0-2147483647"),
            ("1000 ", &[], "unable to find user 1000 : no matching entries in passwd file"),
        ] {
            assert_eq!(found(user, additional).unwrap_err().to_string(), words);
        }
    }
}
