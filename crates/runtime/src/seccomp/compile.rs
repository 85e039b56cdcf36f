//! From the rules that apply to a program: a search tree over the numbers of each architecture's system calls.

use super::architecture::Architecture;
use super::arguments::{self, Condition, JUMP, JUMP_EQUAL, JUMP_GREATER_OR_EQUAL, LOAD, give, instruction};
use super::conditions::Conditions;
use super::filter::{Filter, INSTRUCTIONS_LIMIT};
use super::profile::{Action, Argument, Profile, Rule};
use base::{Error, Result};
use std::collections::BTreeMap;
use sys::seccomp::Instruction;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ENOSYS: u16 = 38;
/// No comparison jumps further.
const JUMP_LIMIT: usize = u8::MAX as usize;

/// What becomes of one system call: conditional rules in their order, then what remains.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    conditional: Vec<(Vec<Condition>, Action)>,
    otherwise: Action,
}

/// Makes the program of `profile` under `conditions`.
///
/// For one system call, an unconditional rule stands above conditional ones, the first of several decides, and a rule
/// with the default's own action says nothing, as with libseccomp. Several conditions on the same argument are
/// alternatives, as Docker's and runc's users know it. Architectures that the profile does not name end the process.
///
/// # Errors
/// [`Kind::Invalid`](base::Kind::Invalid) for a profile whose program the kernel would find too long.
pub fn compile(profile: &Profile, conditions: &Conditions) -> Result<Filter> {
    let rules: Vec<&Rule> = profile.rules.iter().filter(|rule| conditions.admit(rule)).collect();
    let mut code = vec![instruction(LOAD, ARCHITECTURE)];
    for architecture in architectures(profile, conditions.architecture) {
        let block = block(profile, &rules, architecture);
        // Comparisons do not reach over a block: a jump does.
        code.push(Instruction { jump_false: 1, ..instruction(JUMP_EQUAL, architecture.audit_value()) });
        code.push(instruction(JUMP, 1));
        code.push(instruction(JUMP, u32::try_from(block.len()).unwrap_or(u32::MAX)));
        code.extend(block);
        if code.len() > INSTRUCTIONS_LIMIT {
            break;
        }
    }
    code.push(give(Action::KillProcess));
    if code.len() > INSTRUCTIONS_LIMIT {
        return Err(Error::invalid(format!(
            "seccomp profile: its program has more than the {INSTRUCTIONS_LIMIT} instructions that the kernel takes: \
             use fewer rules about arguments"
        )));
    }
    let notifies = rules.iter().any(|rule| rule.action == Action::Notify);
    Ok(Filter { instructions: code, flags: profile.flags, notifies })
}

/// The native architecture first, without repetition.
fn architectures(profile: &Profile, native: Architecture) -> Vec<Architecture> {
    let mut found = vec![native];
    let named = profile.architectures.iter().filter(|(main, _)| *main == native).flat_map(|(_, others)| others);
    for architecture in named {
        if !found.contains(architecture) && belongs_to(*architecture, native) {
            found.push(*architecture);
        }
    }
    found
}

/// Whether a kernel of `native` runs programs of `architecture`.
fn belongs_to(architecture: Architecture, native: Architecture) -> bool {
    matches!(
        (native, architecture),
        (Architecture::X86_64, Architecture::I386) | (Architecture::Aarch64, Architecture::Arm)
    )
}

/// The program for one architecture, which always ends in a verdict.
fn block(profile: &Profile, rules: &[&Rule], architecture: Architecture) -> Vec<Instruction> {
    let mut code = vec![instruction(LOAD, NUMBER)];
    code.extend(tree(&ranges(profile, rules, architecture)));
    code
}

/// The verdicts of all numbers: each range goes from its first number to the next one's.
fn ranges(profile: &Profile, rules: &[&Rule], architecture: Architecture) -> Vec<(u32, Verdict)> {
    let default = Verdict { conditional: Vec::new(), otherwise: profile.default_action };
    let missing = Verdict { conditional: Vec::new(), otherwise: Action::Errno(ENOSYS) };
    let mut ranges: Vec<(u32, Verdict)> = Vec::new();
    let mut add = |first: u32, verdict: &Verdict| {
        // A range without numbers gives way to what begins at the same place.
        ranges.pop_if(|(begin, _)| *begin == first);
        if ranges.last().is_none_or(|(_, last)| last != verdict) {
            ranges.push((first, verdict.clone()));
        }
    };
    add(0, &default);
    let mut unknown = (!profile.default_action.runs()).then(|| newest(profile, architecture)).flatten();
    for (number, verdict) in verdicts(profile, rules, architecture) {
        if let Some(first) = unknown.take_if(|newest| *newest < number) {
            add(first + 1, &missing);
            add(architecture.numbers_end(), &default);
        }
        add(number, &verdict);
        add(number + 1, &default);
    }
    if let Some(newest) = unknown {
        add(newest + 1, &missing);
        if architecture == Architecture::Arm {
            add(architecture.numbers_end(), &default);
        }
    }
    if architecture == Architecture::X86_64 {
        // x32, and numbers that no system call can have.
        add(architecture.numbers_end(), &missing);
    }
    ranges
}

/// The newest system call that the profile's author knew, whether or not its rule applies here.
fn newest(profile: &Profile, architecture: Architecture) -> Option<u32> {
    let names = profile.rules.iter().flat_map(|rule| &rule.names);
    let numbers = names.filter_map(|name| architecture.number(name));
    numbers.filter(|number| *number < architecture.numbers_end()).max()
}

/// What the rules say of each system call that they name.
fn verdicts(profile: &Profile, rules: &[&Rule], architecture: Architecture) -> BTreeMap<u32, Verdict> {
    let mut conditional: BTreeMap<u32, Vec<(Vec<Condition>, Action)>> = BTreeMap::new();
    let mut unconditional: BTreeMap<u32, Action> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.action != profile.default_action) {
        for (name, number) in rule.names.iter().filter_map(|name| Some((name, architecture.number(name)?))) {
            if rule.arguments.is_empty() {
                unconditional.entry(number).or_insert(rule.action);
            } else {
                let of_call = |all: Vec<Argument>| all.into_iter().map(|one| Condition::new(one, name)).collect();
                let alternatives = alternatives(&rule.arguments).into_iter().map(|all| (of_call(all), rule.action));
                conditional.entry(number).or_default().extend(alternatives);
            }
        }
    }
    let mut verdicts = BTreeMap::new();
    for (number, conditional) in conditional {
        verdicts.insert(number, Verdict { conditional, otherwise: profile.default_action });
    }
    for (number, otherwise) in unconditional {
        verdicts.insert(number, Verdict { conditional: Vec::new(), otherwise });
    }
    verdicts
}

/// Conditions that must hold together; those on the same argument make a rule of its own each.
fn alternatives(arguments: &[Argument]) -> Vec<Vec<Argument>> {
    let count = |index| arguments.iter().filter(|argument| argument.index == index).count();
    if arguments.iter().any(|argument| count(argument.index) > 1) {
        return arguments.iter().map(|argument| vec![*argument]).collect();
    }
    vec![arguments.to_vec()]
}

/// A balanced search tree: about seven comparisons find any of a hundred ranges.
fn tree(ranges: &[(u32, Verdict)]) -> Vec<Instruction> {
    match ranges {
        [] => Vec::new(),
        [(_, verdict)] => leaf(verdict),
        _ => {
            let (below, above) = ranges.split_at(ranges.len() / 2);
            let (pivot, low, high) = (above[0].0, tree(below), tree(above));
            let mut code = Vec::with_capacity(low.len() + high.len() + 2);
            let compare = instruction(JUMP_GREATER_OR_EQUAL, pivot);
            if low.len() <= JUMP_LIMIT {
                code.push(Instruction { jump_true: low.len() as u8, ..compare });
            } else {
                code.push(Instruction { jump_false: 1, ..compare });
                code.push(instruction(JUMP, u32::try_from(low.len()).unwrap_or(u32::MAX)));
            }
            code.extend(low);
            code.extend(high);
            code
        }
    }
}

fn leaf(verdict: &Verdict) -> Vec<Instruction> {
    let rules = verdict.conditional.iter();
    let mut code: Vec<_> = rules.flat_map(|(conditions, action)| arguments::rule(conditions, *action)).collect();
    code.push(give(verdict.otherwise));
    code
}
