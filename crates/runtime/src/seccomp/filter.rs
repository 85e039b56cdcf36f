//! A finished program, and the file that it is kept in.

use base::digest::Digest;
use base::{Context, Error, Result};
use rustix::fs::{Mode, OFlags};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use sys::seccomp::Instruction;

/// What a file begins with: the name of the format and its version.
const MAGIC: &[u8; 8] = b"berthBP1";
/// The kernel takes no longer program (`BPF_MAXINSNS`).
pub(super) const INSTRUCTIONS_LIMIT: usize = 4096;
const HEADER_LENGTH: usize = 8 + 64 + 64 + 4 + 4;
const FILE_LIMIT: u64 = (HEADER_LENGTH + INSTRUCTIONS_LIMIT * 8) as u64;

/// A program for `sys::seccomp::load`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The program.
    pub instructions: Vec<Instruction>,
    /// Flags of seccomp(2) that the profile asks for.
    pub flags: u32,
    /// Whether a listener must answer some of the calls (`SECCOMP_FILTER_FLAG_NEW_LISTENER`).
    pub notifies: bool,
}

impl Filter {
    /// Reads a filter from a file of the cache, which is trusted only when it is ours and whole.
    ///
    /// # Errors
    /// [`Kind::NotFound`](base::Kind::NotFound) where there is none, [`Kind::Corrupt`](base::Kind::Corrupt) for one that is
    /// not as it was written.
    pub fn open(path: &Path) -> Result<Self> {
        let what = || format!("seccomp filter {}", path.display());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Err(Error::not_found(format!("{} is missing", what()))),
            Err(errno) => return Err(errno).with_context(what),
        };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Self::read(file, name).map_err(|error| error.context(what()))
    }

    /// Reads an open file that was kept under the key `name`.
    pub(super) fn read(file: OwnedFd, name: &str) -> Result<Self> {
        let status = rustix::fs::fstat(file.as_fd()).context("stat")?;
        if status.st_uid != rustix::process::geteuid().as_raw() || status.st_mode & 0o022 != 0 {
            return Err(Error::corrupt("others can write it"));
        }
        Self::decode(&base::file::read_file_bounded(file, FILE_LIMIT)?, name)
    }

    pub(super) fn encode(&self, key: &str) -> Vec<u8> {
        let mut body = Vec::with_capacity(8 + self.instructions.len() * 8);
        body.extend(self.flags.to_le_bytes());
        body.extend(u32::from(self.notifies).to_le_bytes());
        for instruction in &self.instructions {
            body.extend(instruction.code.to_le_bytes());
            body.extend([instruction.jump_true, instruction.jump_false]);
            body.extend(instruction.operand.to_le_bytes());
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(key.as_bytes());
        bytes.extend(Digest::sha256(&body).hex().as_bytes());
        bytes.extend(body);
        bytes
    }

    fn decode(bytes: &[u8], key: &str) -> Result<Self> {
        let damaged = || Error::corrupt("it is not as it was written");
        let rest = bytes.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(key.as_bytes())).ok_or_else(damaged)?;
        let (digest, body) = rest.split_at_checked(64).ok_or_else(damaged)?;
        if key.len() != 64 || Digest::sha256(body).hex().as_bytes() != digest {
            return Err(damaged());
        }
        let (head, program) = body.split_at_checked(8).ok_or_else(damaged)?;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (instructions, rest) = program.as_chunks::<8>();
        if !rest.is_empty() || instructions.is_empty() || instructions.len() > INSTRUCTIONS_LIMIT {
            return Err(damaged());
        }
        let decode = |[a, b, jump_true, jump_false, operand @ ..]: &[u8; 8]| Instruction {
            code: u16::from_le_bytes([*a, *b]),
            jump_true: *jump_true,
            jump_false: *jump_false,
            operand: u32::from_le_bytes(*operand),
        };
        let instructions = instructions.iter().map(decode).collect();
        Ok(Self { instructions, flags: word(0), notifies: word(4) != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_was_and_damage_is_seen() {
        let instructions = vec![Instruction { code: 6, jump_true: 1, jump_false: 2, operand: 0x7fff_0000 }];
        let filter = Filter { instructions, flags: 2, notifies: true };
        let key = "a".repeat(64);
        let bytes = filter.encode(&key);
        assert_eq!(Filter::decode(&bytes, &key).unwrap(), filter);
        assert!(Filter::decode(&bytes, &"b".repeat(64)).is_err());
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            assert!(Filter::decode(&damaged, &key).is_err(), "byte {index}");
            assert!(Filter::decode(&bytes[..index], &key).is_err(), "length {index}");
        }
    }
}
