//! What compiled programs say of system calls, by a small machine that runs them as the kernel would.

use super::arguments::{AND, JUMP, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_OR_EQUAL, LOAD, RETURN};
use super::{Action, Architecture, Argument, Comparison, Conditions, DEFAULT_PROFILE, Filter, Profile, compile};

/// CAP_SYS_ADMIN.
const ADMINISTRATOR: u64 = 1 << 21;

fn conditions(capabilities: u64) -> Conditions {
    Conditions { architecture: Architecture::X86_64, kernel: (6, 18), capabilities }
}

/// Runs `filter` on one call, and gives the value and how many instructions that took.
fn run(filter: &Filter, architecture: u32, number: u32, arguments: [u64; 6]) -> (u32, usize) {
    let load = |offset: u32| match offset {
        0 => number,
        4 => architecture,
        16.. => {
            let argument = arguments[(offset as usize - 16) / 8];
            if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
        }
        _ => panic!("offset {offset} is not read by our programs"),
    };
    let (mut accumulator, mut at, mut steps) = (0_u32, 0_usize, 0);
    loop {
        let instruction = filter.instructions[at];
        steps += 1;
        at += 1;
        let holds = match instruction.code {
            RETURN => return (instruction.operand, steps),
            LOAD => {
                accumulator = load(instruction.operand);
                continue;
            }
            AND => {
                accumulator &= instruction.operand;
                continue;
            }
            JUMP => {
                at += instruction.operand as usize;
                continue;
            }
            JUMP_EQUAL => accumulator == instruction.operand,
            JUMP_GREATER => accumulator > instruction.operand,
            JUMP_GREATER_OR_EQUAL => accumulator >= instruction.operand,
            other => panic!("operation {other:#x} is not made by our compiler"),
        };
        at += usize::from(if holds { instruction.jump_true } else { instruction.jump_false });
    }
}

fn native(filter: &Filter, name: &str, arguments: [u64; 6]) -> u32 {
    let number = Architecture::X86_64.number(name).unwrap();
    run(filter, Architecture::X86_64.audit_value(), number, arguments).0
}

fn default_filter(capabilities: u64) -> Filter {
    let profile = Profile::parse(DEFAULT_PROFILE.as_bytes()).unwrap();
    compile(&profile, &conditions(capabilities)).unwrap()
}

const ALLOW: u32 = Action::Allow.value();
const PERMISSION: u32 = Action::Errno(1).value();
const MISSING: u32 = Action::Errno(38).value();

#[test]
fn the_default_profile_judges_as_dockers() {
    let (ordinary, administrator) = (default_filter(0), default_filter(ADMINISTRATOR));
    let first = |value| [value, 0, 0, 0, 0, 0];
    for (name, arguments, expected, expected_of_administrator) in [
        ("read", first(0), ALLOW, ALLOW),
        ("openat2", first(0), ALLOW, ALLOW),
        ("mount", first(0), PERMISSION, ALLOW),
        ("keyctl", first(0), PERMISSION, PERMISSION),
        ("io_uring_setup", first(0), PERMISSION, PERMISSION),
        ("clone", first(0x0001_0000), ALLOW, ALLOW),
        // New namespaces.
        ("clone", first(0x1000_0000), PERMISSION, ALLOW),
        // Programs fall back to clone, whose flags can be seen.
        ("clone3", first(0), MISSING, ALLOW),
        ("unshare", first(0x1000_0000), PERMISSION, ALLOW),
        ("personality", first(0), ALLOW, ALLOW),
        ("personality", first(0x0004_0000), PERMISSION, PERMISSION),
        ("personality", first(0xffff_ffff), ALLOW, ALLOW),
        // AF_UNIX, and AF_VSOCK, which is not namespaced.
        ("socket", first(1), ALLOW, ALLOW),
        ("socket", first(40), PERMISSION, PERMISSION),
        // And AF_ALG. The kernel does not see the upper half of an int.
        ("socket", first(38), PERMISSION, PERMISSION),
        ("socket", first(1 << 32 | 38), PERMISSION, PERMISSION),
        ("socket", first(1 << 32 | 40), PERMISSION, PERMISSION),
        ("socket", first(1 << 32 | 1), ALLOW, ALLOW),
        ("personality", first(1 << 32 | 0x0004_0000), PERMISSION, PERMISSION),
    ] {
        assert_eq!(native(&ordinary, name, arguments), expected, "{name} {arguments:x?}");
        assert_eq!(
            native(&administrator, name, arguments),
            expected_of_administrator,
            "{name} {arguments:x?} as administrator"
        );
    }
}

#[test]
fn other_architectures_have_their_own_numbers_and_strangers_end() {
    let filter = default_filter(0);
    let of_i386 = |name| {
        let number = Architecture::I386.number(name).unwrap();
        run(&filter, Architecture::I386.audit_value(), number, [0; 6]).0
    };
    assert_eq!(of_i386("read"), ALLOW);
    assert_eq!(of_i386("mount"), PERMISSION);
    assert_eq!(run(&filter, 0x1234, 0, [0; 6]).0, Action::KillProcess.value());
}

#[test]
fn calls_that_nobody_knew_are_missing_and_so_is_x32() {
    let filter = default_filter(0);
    let judge = |number| run(&filter, Architecture::X86_64.audit_value(), number, [0; 6]).0;
    for number in [500, 1000, 0x4000_0000, 0x4000_0001, u32::MAX] {
        assert_eq!(judge(number), MISSING, "{number:#x}");
    }
}

#[test]
fn every_verdict_is_found_in_few_steps() {
    let filter = default_filter(0);
    let steps = (0..600).map(|number| run(&filter, Architecture::X86_64.audit_value(), number, [0; 6]).1);
    let most = steps.max().unwrap();
    assert!(most < 60, "{most} instructions");
    // The kernel checks and translates the whole program at each start.
    assert!(filter.instructions.len() < 600, "{} instructions", filter.instructions.len());
}

/// Whether the system call is allowed with `value` as that argument, and zeros else, when a rule allows it under this condition alone.
fn allows(name: &str, argument: Argument, value: u64) -> bool {
    let rule = super::Rule {
        names: vec![name.to_owned()],
        action: Action::Allow,
        arguments: vec![argument],
        includes: super::Restriction::default(),
        excludes: super::Restriction::default(),
    };
    let profile = Profile { default_action: Action::Errno(1), architectures: Vec::new(), flags: 0, rules: vec![rule] };
    let mut arguments = [0; 6];
    arguments[usize::from(argument.index)] = value;
    match native(&compile(&profile, &conditions(0)).unwrap(), name, arguments) {
        ALLOW => true,
        PERMISSION => false,
        other => panic!("{name} {argument:?} {value:#x}: {other:#x}"),
    }
}

#[test]
fn comparisons_of_an_int_are_of_thirty_two_bits() {
    for (comparison, masked, matching, missing) in [
        (Comparison::Equal, 0, vec![7], vec![6, 8]),
        (Comparison::NotEqual, 0, vec![6, 8], vec![7]),
        (Comparison::Greater, 0, vec![8, 0xffff_ffff], vec![7, 6]),
        (Comparison::GreaterOrEqual, 0, vec![7, 8], vec![6]),
        (Comparison::Less, 0, vec![6], vec![7, 8]),
        (Comparison::LessOrEqual, 0, vec![6, 7], vec![8]),
        (Comparison::MaskedEqual, 5, vec![5, 13], vec![7, 4]),
    ] {
        let argument = Argument { index: 1, comparison, value: 7, masked };
        for (values, expected) in [(matching, true), (missing, false)] {
            for value in values.into_iter().flat_map(|value| [value, 1 << 32 | value, u64::MAX << 32 | value]) {
                assert_eq!(allows("ioctl", argument, value), expected, "{comparison:?} {value:#x}");
            }
        }
    }
}

#[test]
fn other_comparisons_are_of_sixty_four_bits() {
    let (low, high) = (7_u64, 7_u64 << 32 | 7);
    for (comparison, value, masked, matching, missing) in [
        (Comparison::Equal, high, 0, vec![high], vec![low, high + 1, 7 << 32]),
        (Comparison::NotEqual, high, 0, vec![low, high + 1, 7 << 32], vec![high]),
        (Comparison::Greater, high, 0, vec![high + 1, 8 << 32], vec![high, low, 6 << 32 | 9]),
        (Comparison::GreaterOrEqual, high, 0, vec![high, high + 1, 8 << 32], vec![high - 1, low]),
        (Comparison::Less, high, 0, vec![high - 1, low, 6 << 32 | 9], vec![high, 8 << 32]),
        (Comparison::LessOrEqual, high, 0, vec![high, low], vec![high + 1, 8 << 32]),
        (Comparison::MaskedEqual, 0xf << 32 | 0xf, 7 << 32 | 7, vec![high, 0x17 << 32 | 0x27], vec![low, 7 << 32 | 6]),
    ] {
        let argument = Argument { index: 2, comparison, value, masked };
        for (values, expected) in [(matching, true), (missing, false)] {
            for value in values {
                assert_eq!(allows("read", argument, value), expected, "{comparison:?} {value:#x}");
            }
        }
    }
}
