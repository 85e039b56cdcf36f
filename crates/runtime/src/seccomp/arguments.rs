//! Conditions on arguments as instructions: 64 bits are compared as two halves of 32.

use super::profile::{Action, Argument, Comparison};
use sys::seccomp::Instruction;

/// Operations of the classic machine (linux/bpf_common.h).
pub(super) const LOAD: u16 = 0x20;
pub(super) const JUMP: u16 = 0x05;
pub(super) const JUMP_EQUAL: u16 = 0x15;
pub(super) const JUMP_GREATER: u16 = 0x25;
pub(super) const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
pub(super) const AND: u16 = 0x54;
pub(super) const RETURN: u16 = 0x06;
/// Where the arguments begin in `struct seccomp_data`, and how far apart they are.
const ARGUMENTS: u32 = 16;
const ARGUMENT_SIZE: u32 = 8;

pub(super) const fn instruction(code: u16, operand: u32) -> Instruction {
    Instruction { code, jump_true: 0, jump_false: 0, operand }
}

pub(super) const fn give(action: Action) -> Instruction {
    instruction(RETURN, action.value())
}

/// Where a comparison leads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    /// The next instruction.
    Next,
    /// Behind this condition: it holds.
    Held,
    /// Behind the whole rule: it does not apply.
    Missed,
}

impl To {
    const fn inverted(self) -> Self {
        match self {
            Self::Next => Self::Next,
            Self::Held => Self::Missed,
            Self::Missed => Self::Held,
        }
    }
}

/// An instruction, and where it leads when it is a comparison.
struct Step(Instruction, Option<(To, To)>);

/// A rule: its conditions, then its action. Control goes on behind it where a condition does not hold.
pub(super) fn rule(arguments: &[Argument], action: Action) -> Vec<Instruction> {
    let conditions: Vec<Vec<Step>> = arguments.iter().map(condition).collect();
    let length = conditions.iter().map(Vec::len).sum::<usize>() + 1;
    let mut code = Vec::with_capacity(length);
    for condition in conditions {
        let end = code.len() + condition.len();
        for Step(instruction, targets) in condition {
            let here = code.len() + 1;
            // A rule has at most six conditions of six instructions: no jump is too far.
            let distance = |to| match to {
                To::Next => 0,
                To::Held => (end - here) as u8,
                To::Missed => (length - here) as u8,
            };
            let (jump_true, jump_false) =
                targets.map_or((0, 0), |(when_true, when_false)| (distance(when_true), distance(when_false)));
            code.push(Instruction { jump_true, jump_false, ..instruction });
        }
    }
    code.push(give(action));
    code
}

fn condition(argument: &Argument) -> Vec<Step> {
    let low = ARGUMENTS + ARGUMENT_SIZE * u32::from(argument.index);
    let load = |offset| Step(instruction(LOAD, offset), None);
    let compare =
        |code, operand, when_true, when_false| Step(instruction(code, operand), Some((when_true, when_false)));
    let (high_value, low_value) = ((argument.value >> 32) as u32, argument.value as u32);
    let (next, held, missed) = (To::Next, To::Held, To::Missed);
    let equal = || {
        vec![
            load(low + 4),
            compare(JUMP_EQUAL, high_value, next, missed),
            load(low),
            compare(JUMP_EQUAL, low_value, held, missed),
        ]
    };
    let above = |last| {
        vec![
            load(low + 4),
            compare(JUMP_GREATER, high_value, held, next),
            compare(JUMP_EQUAL, high_value, next, missed),
            load(low),
            compare(last, low_value, held, missed),
        ]
    };
    match argument.comparison {
        Comparison::Equal => equal(),
        Comparison::NotEqual => invert(equal()),
        Comparison::Greater => above(JUMP_GREATER),
        Comparison::GreaterOrEqual => above(JUMP_GREATER_OR_EQUAL),
        Comparison::LessOrEqual => invert(above(JUMP_GREATER)),
        Comparison::Less => invert(above(JUMP_GREATER_OR_EQUAL)),
        Comparison::MaskedEqual => vec![
            load(low + 4),
            Step(instruction(AND, high_value), None),
            compare(JUMP_EQUAL, (argument.masked >> 32) as u32, next, missed),
            load(low),
            Step(instruction(AND, low_value), None),
            compare(JUMP_EQUAL, argument.masked as u32, held, missed),
        ],
    }
}

fn invert(steps: Vec<Step>) -> Vec<Step> {
    let invert = |Step(instruction, targets): Step| {
        Step(instruction, targets.map(|(when_true, when_false)| (when_true.inverted(), when_false.inverted())))
    };
    steps.into_iter().map(invert).collect()
}
