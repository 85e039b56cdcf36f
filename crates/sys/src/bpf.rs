//! Programs of the kernel's extended BPF machine, as far as control groups need them (bpf(2)), which rustix lacks.

use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Commands, types and flags of linux/bpf.h.
const COMMAND_LOAD: libc::c_int = 5;
const COMMAND_ATTACH: libc::c_int = 8;
const COMMAND_DETACH: libc::c_int = 9;
const COMMAND_DESCRIPTOR_BY_ID: libc::c_int = 13;
const COMMAND_QUERY: libc::c_int = 16;
const PROGRAM_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTIPLE: u32 = 2;
/// More programs than the kernel attaches to one group (`BPF_CGROUP_MAX_PROGS`).
const PROGRAMS_LIMIT: usize = 64;

/// A register of the machine, 0 to 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register(pub u8);

/// How much a load takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// 32 bits.
    Word,
}

/// A computation with a constant, on 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Bitwise and.
    And,
    /// Logical shift to the right.
    ShiftRight,
}

/// A comparison with a constant, on 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Jumps where both are the same.
    Equal,
    /// Jumps where they differ.
    NotEqual,
}

/// One instruction, laid out as the kernel's `struct bpf_insn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    const fn new(code: u8, target: Register, source: Register, offset: i16, immediate: i32) -> Self {
        // Bit fields start at the low end on little-endian machines, at the high end on the others.
        let registers = if cfg!(target_endian = "little") {
            source.0 << 4 | target.0 & 0xf
        } else {
            target.0 << 4 | source.0 & 0xf
        };
        Self { code, registers, offset, immediate }
    }

    /// Loads from memory at `source` plus `offset` bytes.
    #[must_use]
    pub const fn load(width: Width, target: Register, source: Register, offset: i16) -> Self {
        match width {
            Width::Word => Self::new(0x61, target, source, offset, 0),
        }
    }

    /// Copies the low 32 bits of a register.
    #[must_use]
    pub const fn copy(target: Register, source: Register) -> Self {
        Self::new(0xbc, target, source, 0, 0)
    }

    /// Sets a register to a constant.
    #[must_use]
    pub const fn set(target: Register, value: i32) -> Self {
        Self::new(0xb4, target, Register(0), 0, value)
    }

    /// Computes with a constant, in place.
    #[must_use]
    pub const fn compute(operation: Operation, target: Register, value: i32) -> Self {
        let code = match operation {
            Operation::And => 0x54,
            Operation::ShiftRight => 0x74,
        };
        Self::new(code, target, Register(0), 0, value)
    }

    /// Compares with a constant; the way of the jump is set by [`Instruction::with_jump`]. `BPF_JMP32`, Linux 5.1.
    #[must_use]
    pub const fn jump(comparison: Comparison, register: Register, value: i32) -> Self {
        let code = match comparison {
            Comparison::Equal => 0x16,
            Comparison::NotEqual => 0x56,
        };
        Self::new(code, register, Register(0), 0, value)
    }

    /// Ends the program with the verdict in register 0.
    #[must_use]
    pub const fn exit() -> Self {
        Self::new(0x95, Register(0), Register(0), 0, 0)
    }

    /// The same jump, over `skipped` instructions; anything but a jump is left as it is.
    #[must_use]
    pub const fn with_jump(self, skipped: i16) -> Self {
        match self.code {
            0x16 | 0x56 => Self { offset: skipped, ..self },
            _ => self,
        }
    }
}

/// `union bpf_attr` for loading, up to the last member that is used here.
#[repr(C)]
#[derive(Default)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    licence: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

/// `union bpf_attr` for attaching and detaching.
#[repr(C)]
#[derive(Default)]
struct Attach {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
}

/// `union bpf_attr` for listing.
#[repr(C)]
#[derive(Default)]
struct Query {
    target: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

/// `union bpf_attr` for opening by id.
#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

/// Calls bpf(2) with one of the structures above.
fn call<T>(command: libc::c_int, attributes: &mut T) -> Result<libc::c_int, Errno> {
    // SAFETY: `T` is one of this module's `repr(C)` structures, of which the kernel reads and writes `size_of::<T>()`
    // bytes; the buffers that it points to are owned by the callers and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>()) };
    match libc::c_int::try_from(result) {
        Ok(-1) | Err(_) => Err(crate::last_errno()),
        Ok(result) => Ok(result),
    }
}

fn adopt(descriptor: libc::c_int) -> OwnedFd {
    // SAFETY: bpf(2) has just opened it, close-on-exec, for us alone.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// Loads a program that judges accesses to devices.
///
/// # Errors
/// `EPERM` without `CAP_BPF` and `CAP_NET_ADMIN` (or `CAP_SYS_ADMIN`), `EINVAL` or `EACCES` where the verifier refuses it.
pub fn load_device_program(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let mut name = [0; 16];
    name[..12].copy_from_slice(b"berth_device");
    let mut attributes = Load {
        program_type: PROGRAM_CGROUP_DEVICE,
        instruction_count: u32::try_from(program.len()).map_err(|_| Errno::TOOBIG)?,
        instructions: program.as_ptr().expose_provenance() as u64,
        licence: c"Apache-2.0".as_ptr().expose_provenance() as u64,
        name,
        ..Load::default()
    };
    call(COMMAND_LOAD, &mut attributes).map(adopt)
}

/// Attaches a device program to a control group of v2, beside those that it and its parents have: all must agree.
///
/// # Errors
/// As in bpf(2).
pub fn attach_device_program(group: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut attributes = Attach {
        target: group.as_raw_fd().cast_unsigned(),
        program: program.as_raw_fd().cast_unsigned(),
        attach_type: ATTACH_CGROUP_DEVICE,
        flags: ALLOW_MULTIPLE,
    };
    call(COMMAND_ATTACH, &mut attributes).map(drop)
}

/// Takes a device program off a control group.
///
/// # Errors
/// As in bpf(2).
pub fn detach_device_program(group: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut attributes = Attach {
        target: group.as_raw_fd().cast_unsigned(),
        program: program.as_raw_fd().cast_unsigned(),
        attach_type: ATTACH_CGROUP_DEVICE,
        flags: 0,
    };
    call(COMMAND_DETACH, &mut attributes).map(drop)
}

/// The device programs that are attached to this very group.
///
/// # Errors
/// As in bpf(2).
pub fn attached_device_programs(group: BorrowedFd<'_>) -> Result<Vec<OwnedFd>, Errno> {
    let mut ids = [0_u32; PROGRAMS_LIMIT];
    let mut attributes = Query {
        target: group.as_raw_fd().cast_unsigned(),
        attach_type: ATTACH_CGROUP_DEVICE,
        ids: ids.as_mut_ptr().expose_provenance() as u64,
        count: PROGRAMS_LIMIT as u32,
        ..Query::default()
    };
    call(COMMAND_QUERY, &mut attributes)?;
    let count = (attributes.count as usize).min(PROGRAMS_LIMIT);
    let open = |id: &u32| call(COMMAND_DESCRIPTOR_BY_ID, &mut ById { id: *id, ..ById::default() }).map(adopt);
    ids[..count].iter().map(open).collect()
}
