//! Architectures whose system calls can be filtered.

use super::syscalls;
use base::{Error, Result};

/// Bits of an `AUDIT_ARCH_…` value (linux/audit.h).
const LITTLE_ENDIAN: u32 = 0x4000_0000;
const SIXTY_FOUR: u32 = 0x8000_0000;

/// Names that profiles may use for machines on which we do not run: their rules have no effect here.
const OTHERS: &[&str] = &[
    "SCMP_ARCH_X32",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
];

/// A set of system calls and the way in which they are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// 64-bit x86, without x32.
    X86_64,
    /// 32-bit x86.
    I386,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM.
    Arm,
}

impl Architecture {
    /// The one that this program runs on; `None` where filters cannot be made.
    #[must_use]
    pub const fn native() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Aarch64)
        } else {
            None
        }
    }

    /// The name in `includes` and `excludes` of a profile.
    #[must_use]
    pub const fn profile_name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::I386 => "x86",
            Self::Aarch64 => "arm64",
            Self::Arm => "arm",
        }
    }

    /// The name in `architectures` and `archMap` of a profile.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::X86_64 => "SCMP_ARCH_X86_64",
            Self::I386 => "SCMP_ARCH_X86",
            Self::Aarch64 => "SCMP_ARCH_AARCH64",
            Self::Arm => "SCMP_ARCH_ARM",
        }
    }

    /// Reads such a name; `None` for an architecture that this program never runs on.
    ///
    /// # Errors
    /// [`Kind::Invalid`](base::Kind::Invalid) for a name that nobody uses.
    pub fn parse(token: &str) -> Result<Option<Self>> {
        let known = [Self::X86_64, Self::I386, Self::Aarch64, Self::Arm];
        match known.into_iter().find(|architecture| architecture.token() == token) {
            Some(found) => Ok(Some(found)),
            None if OTHERS.contains(&token) => Ok(None),
            None => Err(Error::invalid(format!("unknown architecture {token:?}"))),
        }
    }

    /// What the kernel reports in `seccomp_data.arch`.
    #[must_use]
    pub const fn audit_value(self) -> u32 {
        match self {
            Self::X86_64 => 62 | SIXTY_FOUR | LITTLE_ENDIAN,
            Self::I386 => 3 | LITTLE_ENDIAN,
            Self::Aarch64 => 183 | SIXTY_FOUR | LITTLE_ENDIAN,
            Self::Arm => 40 | LITTLE_ENDIAN,
        }
    }

    /// The number of a system call.
    #[must_use]
    pub fn number(self, name: &str) -> Option<u32> {
        let table = self.table();
        table.binary_search_by_key(&name, |(name, _)| name).ok().map(|index| table[index].1)
    }

    /// All its system calls, sorted by name.
    #[must_use]
    pub fn table(self) -> &'static [(&'static str, u32)] {
        match self {
            Self::X86_64 => syscalls::X86_64,
            Self::I386 => syscalls::I386,
            Self::Aarch64 => syscalls::AARCH64,
            Self::Arm => syscalls::ARM,
        }
    }

    /// The first number beyond those that new system calls get: x32 on x86-64, private ones on 32-bit ARM.
    pub(super) const fn numbers_end(self) -> u32 {
        match self {
            Self::X86_64 => 0x4000_0000,
            Self::Arm => 0x000f_0000,
            Self::I386 | Self::Aarch64 => u32::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_known() {
        for architecture in [Architecture::X86_64, Architecture::I386, Architecture::Aarch64, Architecture::Arm] {
            assert!(architecture.table().is_sorted_by(|a, b| a.0 < b.0), "{architecture:?}");
            assert_eq!(Architecture::parse(architecture.token()).unwrap(), Some(architecture));
            assert_eq!(architecture.number("openat2"), Some(437));
            assert_eq!(architecture.number("no_such_call"), None);
        }
        assert_eq!(Architecture::X86_64.number("read"), Some(0));
        assert_eq!(Architecture::I386.number("read"), Some(3));
        assert_eq!(Architecture::Aarch64.number("read"), Some(63));
        assert_eq!(Architecture::X86_64.audit_value(), 0xc000_003e);
        assert_eq!(Architecture::Aarch64.audit_value(), 0xc000_00b7);
        assert_eq!(Architecture::parse("SCMP_ARCH_S390X").unwrap(), None);
        assert!(Architecture::parse("amd64").is_err());
    }
}
