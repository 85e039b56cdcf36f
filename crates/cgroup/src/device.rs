//! Rules about devices, as `--device-cgroup-rule` writes them: `c 1:3 rwm`.

use base::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};

/// Which devices a rule speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// All of them; the numbers are not looked at.
    All,
    /// Block devices.
    Block,
    /// Character devices.
    Character,
}

/// What a rule allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Opening for reading.
    pub read: bool,
    /// Opening for writing.
    pub write: bool,
    /// Making device files (mknod(2)).
    pub make: bool,
}

impl Access {
    /// Everything.
    pub const ALL: Self = Self { read: true, write: true, make: true };

    /// Reads some of `r`, `w` and `m`, each at most once and at least one.
    ///
    /// # Errors
    /// [`Kind::Invalid`](base::Kind::Invalid) for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || Error::invalid(format!("invalid device permissions {text:?}: use some of r, w, m"));
        let mut access = Self { read: false, write: false, make: false };
        for letter in text.chars() {
            let bit = match letter {
                'r' => &mut access.read,
                'w' => &mut access.write,
                'm' => &mut access.make,
                _ => return Err(refuse()),
            };
            if std::mem::replace(bit, true) {
                return Err(refuse());
            }
        }
        if text.is_empty() { Err(refuse()) } else { Ok(access) }
    }
}

impl Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (set, letter) in [(self.read, "r"), (self.write, "w"), (self.make, "m")] {
            if set {
                formatter.write_str(letter)?;
            }
        }
        Ok(())
    }
}

/// One rule; of all that match an access, the last decides, and where none matches it is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// Allowed or denied.
    pub allow: bool,
    /// Which kind.
    pub kind: DeviceKind,
    /// Major number; `None`: any.
    pub major: Option<u32>,
    /// Minor number; `None`: any.
    pub minor: Option<u32>,
    /// What is allowed or denied; not looked at for [`DeviceKind::All`].
    pub access: Access,
}

impl DeviceRule {
    /// Denies everything: what a list of allowed devices begins with.
    pub const DENY_ALL: Self =
        Self { allow: false, kind: DeviceKind::All, major: None, minor: None, access: Access::ALL };
    /// Allows everything, as `--privileged` does.
    pub const ALLOW_ALL: Self = Self { allow: true, ..Self::DENY_ALL };

    /// Reads an allowing rule like `c 1:3 rwm`, `b 8:* r` or `a *:* rwm`; the last kind is a rule for each of the others, since the kernel takes
    /// numbers and access only for one.
    ///
    /// # Errors
    /// [`Kind::Invalid`](base::Kind::Invalid) in Docker's words.
    pub fn parse(text: &str) -> Result<Vec<Self>> {
        let refuse = || Error::invalid(format!("invalid device cgroup format '{text}'"));
        let parts: Vec<&str> = text.split(' ').collect();
        let [kind, numbers, access] = parts[..] else { return Err(refuse()) };
        let kinds: &[DeviceKind] = match kind {
            "a" => &[DeviceKind::Block, DeviceKind::Character],
            "b" => &[DeviceKind::Block],
            "c" => &[DeviceKind::Character],
            _ => return Err(refuse()),
        };
        let (major, minor) = numbers.split_once(':').ok_or_else(refuse)?;
        let number = |text: &str| match text {
            "*" => Ok(None),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map(Some).map_err(|_| refuse())
            }
            _ => Err(refuse()),
        };
        let (major, minor) = (number(major)?, number(minor)?);
        let access = Access::parse(access).map_err(|_| refuse())?;
        Ok(kinds.iter().map(|kind| Self { allow: true, kind: *kind, major, minor, access }).collect())
    }

    /// The devices that every container may use, after [`Self::DENY_ALL`]: all of them may be made, and the harmless
    /// ones opened (Docker's list).
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        const MAKE: Access = Access { read: false, write: false, make: true };
        const OPENED: &[(u32, Option<u32>)] = &[
            (1, Some(3)), // null
            (1, Some(5)), // zero
            (1, Some(7)), // full
            (1, Some(8)), // random
            (1, Some(9)), // urandom
            (5, Some(0)), // tty
            (5, Some(1)), // console
            (5, Some(2)), // ptmx
            (136, None),  // pts
        ];
        let allow = |kind, major, minor, access| Self { allow: true, kind, major, minor, access };
        let mut rules = vec![
            Self::DENY_ALL,
            allow(DeviceKind::Character, None, None, MAKE),
            allow(DeviceKind::Block, None, None, MAKE),
        ];
        let opened =
            OPENED.iter().map(|(major, minor)| allow(DeviceKind::Character, Some(*major), *minor, Access::ALL));
        rules.extend(opened);
        rules
    }

    /// As v1's `devices.allow` and `devices.deny` want it.
    pub(crate) fn to_v1(self) -> String {
        let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
        match self.kind {
            DeviceKind::All => "a".to_owned(),
            DeviceKind::Block => format!("b {}:{} {}", number(self.major), number(self.minor), self.access),
            DeviceKind::Character => format!("c {}:{} {}", number(self.major), number(self.minor), self.access),
        }
    }

    /// The rules that count: those after the last one about everything.
    pub(crate) fn effective(rules: &[Self]) -> &[Self] {
        let last = rules.iter().rposition(|rule| rule.kind == DeviceKind::All);
        &rules[last.unwrap_or(0)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> DeviceRule {
        DeviceRule::parse(text).unwrap()[0]
    }

    #[test]
    fn rules_are_read() {
        let null = rule("c 1:3 rwm");
        assert_eq!((null.kind, null.major, null.minor), (DeviceKind::Character, Some(1), Some(3)));
        assert_eq!(null.access, Access::ALL);
        for text in ["b 8:* r", "c *:* m", "c 1:3 rw"] {
            assert_eq!(rule(text).to_v1(), text);
        }
        let texts: Vec<String> = DeviceRule::parse("a 10:1 r").unwrap().into_iter().map(DeviceRule::to_v1).collect();
        assert_eq!(texts, ["b 10:1 r", "c 10:1 r"]);
        for wrong in [
            "",
            "c",
            "c 1:3",
            "d 1:3 r",
            "c 1 r",
            "c 1:3 ",
            "c 1:3 x",
            "c 1:3 rr",
            "c 1:3 r x",
            "c -1:3 r",
            "c +1:3 r",
            "c 4294967296:0 r",
            "c 1::3 r",
            "c  1:3 r",
            "c : r",
        ] {
            assert!(DeviceRule::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_precedes_a_rule_about_everything_does_not_count() {
        let null = rule("c 1:3 rwm");
        let rules = [null, DeviceRule::DENY_ALL, null];
        assert_eq!(DeviceRule::effective(&rules), &rules[1..]);
        assert_eq!(DeviceRule::effective(&rules[..1]), &rules[..1]);
        assert!(DeviceRule::effective(&[]).is_empty());
    }
}
