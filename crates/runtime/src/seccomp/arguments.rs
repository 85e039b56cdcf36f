//! Conditions on arguments as instructions: 64 bits are compared as two halves of 32, and of an `int` only the half that the kernel takes.

use super::profile::{Action, Argument, Comparison};
use super::widths::is_narrow;
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

/// What one argument must be, of one system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    argument: Argument,
    /// Whether the kernel takes only the lower 32 bits.
    is_narrow: bool,
}

impl Condition {
    pub(super) fn new(argument: Argument, name: &str) -> Self {
        Self { argument, is_narrow: is_narrow(name, argument.index) }
    }
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
pub(super) fn rule(conditions: &[Condition], action: Action) -> Vec<Instruction> {
    let conditions: Vec<Vec<Step>> = conditions.iter().map(steps).collect();
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

fn steps(condition: &Condition) -> Vec<Step> {
    let argument = &condition.argument;
    let low = ARGUMENTS + ARGUMENT_SIZE * u32::from(argument.index);
    let load = |offset| Step(instruction(LOAD, offset), None);
    let compare =
        |code, operand, when_true, when_false| Step(instruction(code, operand), Some((when_true, when_false)));
    let (high_value, low_value) = ((argument.value >> 32) as u32, argument.value as u32);
    let (next, held, missed) = (To::Next, To::Held, To::Missed);
    // Nothing of the upper half of an int is looked at.
    let wide = |steps: Vec<Step>| if condition.is_narrow { Vec::new() } else { steps };
    let equal = || {
        let mut steps = wide(vec![load(low + 4), compare(JUMP_EQUAL, high_value, next, missed)]);
        steps.extend([load(low), compare(JUMP_EQUAL, low_value, held, missed)]);
        steps
    };
    let above = |last| {
        let mut steps = wide(vec![
            load(low + 4),
            compare(JUMP_GREATER, high_value, held, next),
            compare(JUMP_EQUAL, high_value, next, missed),
        ]);
        steps.extend([load(low), compare(last, low_value, held, missed)]);
        steps
    };
    match argument.comparison {
        Comparison::Equal => equal(),
        Comparison::NotEqual => invert(equal()),
        Comparison::Greater => above(JUMP_GREATER),
        Comparison::GreaterOrEqual => above(JUMP_GREATER_OR_EQUAL),
        Comparison::LessOrEqual => invert(above(JUMP_GREATER)),
        Comparison::Less => invert(above(JUMP_GREATER_OR_EQUAL)),
        Comparison::MaskedEqual => {
            let masked = |mask| Step(instruction(AND, mask), None);
            let high_expected = (argument.masked >> 32) as u32;
            let high = [load(low + 4), masked(high_value), compare(JUMP_EQUAL, high_expected, next, missed)];
            let mut steps = wide(high.into());
            steps.extend([load(low), masked(low_value), compare(JUMP_EQUAL, argument.masked as u32, held, missed)]);
            steps
        }
    }
}

fn invert(steps: Vec<Step>) -> Vec<Step> {
    let invert = |Step(instruction, targets): Step| {
        Step(instruction, targets.map(|(when_true, when_false)| (when_true.inverted(), when_false.inverted())))
    };
    steps.into_iter().map(invert).collect()
}
