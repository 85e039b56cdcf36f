//! `--tmpfs` and tmpfs mounts: options of the mount and of the file system.

use base::{Error, Result, size};
use runtime::spec::{MountOptions, ReadOnly};
use serde::{Deserialize, Serialize};

/// A memory file system as it will be mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TmpfsOptions {
    /// The kernel's: `size`, `mode`, `uid`, `gid`, `nr_inodes` and the like.
    pub(crate) values: Vec<(String, String)>,
    pub(crate) options: MountOptions,
}

impl Default for TmpfsOptions {
    /// Docker's: neither devices, nor set-user-id, nor programs.
    fn default() -> Self {
        let options = MountOptions { read_only: ReadOnly::No, no_suid: true, no_devices: true, no_exec: true };
        Self { values: Vec::new(), options }
    }
}

impl TmpfsOptions {
    /// Options as `--tmpfs` takes them: `size=64m,mode=1777,exec`.
    ///
    /// # Errors
    /// `Invalid` for one that is unknown or malformed.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut tmpfs = Self::default();
        for option in text.split(',').filter(|option| !option.is_empty()) {
            tmpfs.take(option)?;
        }
        Ok(tmpfs)
    }

    pub(crate) fn take(&mut self, option: &str) -> Result<()> {
        let refuse = |why: &str| Error::invalid(format!("invalid tmpfs option {option:?}: {why}"));
        match option {
            "ro" => self.options.read_only = ReadOnly::Single,
            "rw" => self.options.read_only = ReadOnly::No,
            "exec" => self.options.no_exec = false,
            "noexec" => self.options.no_exec = true,
            "suid" => self.options.no_suid = false,
            "nosuid" => self.options.no_suid = true,
            "dev" => self.options.no_devices = false,
            "nodev" => self.options.no_devices = true,
            // What the kernel does anyway, and notation that has no effect on memory.
            "defaults" | "relatime" | "async" | "sync" | "dirsync" | "noatime" | "nodiratime" | "strictatime"
            | "private" | "rprivate" => {}
            _ => {
                let (key, value) = option.split_once('=').ok_or_else(|| refuse("it is unknown"))?;
                let value = checked(key, value).ok_or_else(|| refuse("the key is unknown or the value malformed"))?;
                self.set(key, value);
            }
        }
        Ok(())
    }

    pub(crate) fn set(&mut self, key: &str, value: String) {
        self.values.retain(|(known, _)| known != key);
        self.values.push((key.to_owned(), value));
    }
}

fn checked(key: &str, value: &str) -> Option<String> {
    let is_number = !value.is_empty() && value.len() <= 19 && value.bytes().all(|byte| byte.is_ascii_digit());
    match key {
        "size" => match value.strip_suffix('%') {
            Some(percent) => percent.parse::<u8>().ok().filter(|percent| *percent <= 100).map(|_| value.to_owned()),
            None => size::parse_bytes(value).ok().map(|bytes| bytes.to_string()),
        },
        "nr_blocks" | "nr_inodes" => size::parse_bytes(value).ok().map(|number| number.to_string()),
        "mode" => u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o7777).map(|mode| format!("{mode:o}")),
        "uid" | "gid" if is_number => Some(value.to_owned()),
        "huge" if ["never", "always", "within_size", "advise"].contains(&value) => Some(value.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let tmpfs = TmpfsOptions::parse("size=64m,mode=0700,exec,ro,uid=1000").unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(tmpfs.values, [pair("size", "67108864"), pair("mode", "700"), pair("uid", "1000")]);
        assert!(!tmpfs.options.no_exec && tmpfs.options.no_suid && tmpfs.options.read_only == ReadOnly::Single);
        assert_eq!(TmpfsOptions::parse("").unwrap(), TmpfsOptions::default());
        for bad in ["nonsense", "size=x", "mode=9", "mode=77777", "uid=-1", "size=101%", "source=/x", "lowerdir=/"] {
            assert!(TmpfsOptions::parse(bad).is_err(), "{bad}");
        }
    }
}
