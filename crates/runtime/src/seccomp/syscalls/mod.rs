//! Names and numbers of system calls.
//!
//! The tables come from the kernel's own headers: the lines `#define __NR_name number` of `asm/unistd_64.h` and
//! `asm/unistd_32.h` for x86, of `asm-generic/unistd.h` and `arch/arm/tools/syscall.tbl` for ARM, sorted by name. A new
//! kernel's calls are added at any time: a call without a number here cannot be allowed by name.

mod aarch64;
mod arm;
mod i386;
mod x86_64;

pub(super) use aarch64::TABLE as AARCH64;
pub(super) use arm::TABLE as ARM;
pub(super) use i386::TABLE as I386;
pub(super) use x86_64::TABLE as X86_64;
