//! Device rules as a BPF program, the way cgroup v2 takes them (`BPF_PROG_TYPE_CGROUP_DEVICE`, Linux 4.15).

use crate::device::{Access, DeviceKind, DeviceRule};
use base::{Context, Result};
use std::os::fd::{AsFd, BorrowedFd};
use sys::bpf::{self, Comparison, Instruction, Operation, Register, Width};

/// Offsets in `struct bpf_cgroup_dev_ctx` (linux/bpf.h).
const ACCESS_TYPE: i16 = 0;
const MAJOR: i16 = 4;
const MINOR: i16 = 8;
/// Device types and accesses of the same header.
const TYPE_BLOCK: i32 = 1;
const TYPE_CHARACTER: i32 = 2;
const ACCESS_MAKE: i32 = 1;
const ACCESS_READ: i32 = 2;
const ACCESS_WRITE: i32 = 4;

/// Registers of the program: the kernel's context arrives in the first.
const KIND: Register = Register(2);
const ASKED: Register = Register(3);
const MAJOR_NUMBER: Register = Register(4);
const MINOR_NUMBER: Register = Register(5);
const SCRATCH: Register = Register(1);
const VERDICT: Register = Register(0);

/// Puts the group under `rules`, in place of the ones that it had from here.
pub(crate) fn attach(group: BorrowedFd<'_>, rules: &[DeviceRule]) -> Result<()> {
    let program = bpf::load_device_program(&assemble(rules)).context("load the program of the device rules")?;
    let before = bpf::attached_device_programs(group).context("list the device programs")?;
    bpf::attach_device_program(group, program.as_fd()).context("attach the program of the device rules")?;
    for old in before {
        bpf::detach_device_program(group, old.as_fd()).context("detach the earlier program of the device rules")?;
    }
    Ok(())
}

/// The program: the last rule that matches decides, so they are tried from the last on.
fn assemble(rules: &[DeviceRule]) -> Vec<Instruction> {
    let rules = DeviceRule::effective(rules);
    let mut program = vec![
        Instruction::load(Width::Word, KIND, SCRATCH, ACCESS_TYPE),
        Instruction::copy(ASKED, KIND),
        Instruction::compute(Operation::And, KIND, 0xffff),
        Instruction::compute(Operation::ShiftRight, ASKED, 16),
        Instruction::load(Width::Word, MAJOR_NUMBER, SCRATCH, MAJOR),
        Instruction::load(Width::Word, MINOR_NUMBER, SCRATCH, MINOR),
    ];
    for rule in rules.iter().rev() {
        let (tests, verdict) = (tests(rule), i32::from(rule.allow));
        if rule.kind == DeviceKind::All {
            program.extend([Instruction::set(VERDICT, verdict), Instruction::exit()]);
            return program;
        }
        let length = tests.iter().map(|test| test.len()).sum::<usize>();
        let mut done = 0;
        for test in tests {
            done += test.len();
            // The last instruction of a test skips the rest of the rule, its two of the verdict included.
            let skip = i16::try_from(length - done + 2).unwrap_or(i16::MAX);
            program.extend(test.into_iter().map(|instruction| instruction.with_jump(skip)));
        }
        program.extend([Instruction::set(VERDICT, verdict), Instruction::exit()]);
    }
    program.extend([Instruction::set(VERDICT, 1), Instruction::exit()]);
    program
}

/// The tests of a rule, each ending with a jump that is taken where it does not match.
fn tests(rule: &DeviceRule) -> Vec<Vec<Instruction>> {
    let kind = match rule.kind {
        DeviceKind::All => return Vec::new(),
        DeviceKind::Block => TYPE_BLOCK,
        DeviceKind::Character => TYPE_CHARACTER,
    };
    let mut tests = vec![vec![Instruction::jump(Comparison::NotEqual, KIND, kind)]];
    if rule.access != Access::ALL {
        tests.push(access_test(rule));
    }
    for (register, number) in [(MAJOR_NUMBER, rule.major), (MINOR_NUMBER, rule.minor)] {
        if let Some(number) = number {
            tests.push(vec![Instruction::jump(Comparison::NotEqual, register, number.cast_signed())]);
        }
    }
    tests
}

/// An allowing rule must cover all that is asked for; a denying one denies already for a part of it.
fn access_test(rule: &DeviceRule) -> Vec<Instruction> {
    let access = rule.access;
    let bits = [(access.make, ACCESS_MAKE), (access.read, ACCESS_READ), (access.write, ACCESS_WRITE)];
    let mask = bits.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum::<i32>();
    let (mask, comparison) = if rule.allow { (!mask, Comparison::NotEqual) } else { (mask, Comparison::Equal) };
    vec![
        Instruction::copy(SCRATCH, ASKED),
        Instruction::compute(Operation::And, SCRATCH, mask),
        Instruction::jump(comparison, SCRATCH, 0),
    ]
}

#[cfg(test)]
mod tests_of_assembly {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(assemble(&[DeviceRule::DENY_ALL]).len(), 8);
        let null = DeviceRule::parse("c 1:3 rwm").unwrap()[0];
        assert_eq!(assemble(&[DeviceRule::DENY_ALL, null]).len(), 6 + 5 + 2);
        let reading = DeviceRule::parse("c 1:3 r").unwrap()[0];
        assert_eq!(assemble(&[reading]).len(), 6 + 8 + 2);
    }
}
