//! System call filters (seccomp(2)), which rustix lacks.

use rustix::io::Errno;

/// One instruction of classic BPF, laid out as the kernel's `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// How far to jump when a comparison holds.
    pub jump_true: u8,
    /// How far to jump when it does not.
    pub jump_false: u8,
    /// Operand.
    pub operand: u32,
}

/// Puts this thread, and all that it will start, under a filter for ever.
///
/// Without `CAP_SYS_ADMIN` the thread must have set `no_new_privs` before.
///
/// # Errors
/// `EINVAL` for a program that the kernel does not accept, `EACCES` without that privilege.
pub fn load(program: &[Instruction], flags: u32) -> Result<(), Errno> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    let description = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: `Instruction` is laid out as `sock_filter`, and description and program outlive the call, which only reads.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const description) };
    if result == -1 { Err(crate::last_errno()) } else { Ok(()) }
}
