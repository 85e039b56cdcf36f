//! Fuzzing on the stable compiler: inputs are mutated seeds, mutations know the format's words.
//!
//! There is no coverage feedback. What it has instead: seeds that get deep, a dictionary for each target, a repair
//! step that keeps checksums and lengths true, and a report of how many inputs got past the first parser.
#![forbid(unsafe_code)]

pub mod archive;
pub mod document;
pub mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// How far an input came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The first parser refused it.
    Refused,
    /// Something behind the first parser saw it.
    Parsed,
}

/// One thing to be fuzzed.
pub struct Target<'a> {
    /// The folder of its seeds below `fuzz/seeds`, and its name in the report.
    pub name: &'a str,
    /// Words of the format, which mutations put in.
    pub dictionary: &'a [&'a [u8]],
    /// Changes an input as what it is, by pieces of another one: a tree, a row of entries. It does nothing to what it does not understand.
    pub reshape: Reshape,
    /// Makes a mutated input whole again: checksums, lengths.
    pub repair: fn(&mut Vec<u8>),
    /// Feeds an input; a panic or five seconds of silence is a finding.
    pub run: &'a mut dyn FnMut(&[u8]) -> Depth,
}

/// Changes an input, with pieces of another one.
pub type Reshape = fn(&mut Vec<u8>, &[u8], &mut Random);

impl std::fmt::Debug for Target<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name)
    }
}

/// A small generator of random numbers (xorshift64*), so that a run can be repeated from its number.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of a run.
    #[must_use]
    pub fn new(run: u64) -> Self {
        Self(run | 1)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.draw() % bound as u64) as usize }
    }
}

const LONGEST_INPUT: usize = 256 << 10;
const SLOWEST: Duration = Duration::from_secs(5);

/// Fuzzes a target for as long as `BERTH_FUZZ_SECONDS` says (2 seconds without it) and prints what happened.
///
/// # Panics
/// On the first finding, after the input was written to `fuzz/findings/`.
pub fn fuzz(mut target: Target<'_>) {
    let seconds = std::env::var("BERTH_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let run = std::env::var("BERTH_FUZZ_RUN").ok().and_then(|text| text.parse().ok()).unwrap_or_else(clock);
    let seeds = seeds(target.name);
    assert!(!seeds.is_empty(), "fuzz/seeds/{} is empty", target.name);
    let mut random = Random::new(run);
    let (mut inputs, mut parsed) = (0_u64, 0_u64);
    for seed in &seeds {
        parsed += u64::from(check(&mut target, seed, run) == Depth::Parsed);
        inputs += 1;
    }
    // What got far is worth changing further; the seeds stay, or the pool would drift to what is small and says nothing.
    let mut pool = seeds.clone();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        let from = if random.below(3) == 0 { &seeds } else { &pool };
        let mut input = from[random.below(from.len())].clone();
        for _ in 0..=random.below(4) {
            let other = &pool[random.below(pool.len())];
            if random.below(2) == 0 {
                (target.reshape)(&mut input, other, &mut random);
            } else {
                mutate(&mut input, other, target.dictionary, &mut random);
            }
        }
        input.truncate(LONGEST_INPUT);
        (target.repair)(&mut input);
        inputs += 1;
        if check(&mut target, &input, run) == Depth::Parsed {
            parsed += 1;
            if pool.len() < seeds.len() + 512 {
                pool.push(input);
            } else if random.below(16) == 0 {
                let place = seeds.len() + random.below(pool.len() - seeds.len());
                pool[place] = input;
            }
        }
    }
    println!("fuzz {}: {inputs} inputs in {seconds} s, {parsed} past the first parser, run {run}", target.name);
    assert!(parsed > 0, "no input of {} got past the first parser: the seeds are stale", target.name);
}

fn clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |elapsed| elapsed.as_nanos() as u64)
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

fn check(target: &mut Target<'_>, input: &[u8], run: u64) -> Depth {
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let slow = started.elapsed() > SLOWEST;
    if let (Ok(depth), false) = (&outcome, slow) {
        return *depth;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("findings");
    let path = folder.join(format!("{}-{run}", target.name));
    let _ = std::fs::create_dir_all(&folder);
    let _ = std::fs::write(&path, input);
    let what = if slow { "took too long" } else { "panicked" };
    panic!("{} {what} on {} (run {run})", target.name, path.display());
}

fn mutate(input: &mut Vec<u8>, other: &[u8], dictionary: &[&[u8]], random: &mut Random) {
    let at = random.below(input.len() + 1);
    match random.below(9) {
        0 if !input.is_empty() => {
            let at = random.below(input.len());
            input[at] ^= 1 << random.below(8);
        }
        1 if !input.is_empty() => {
            let at = random.below(input.len());
            input[at] = random.draw() as u8;
        }
        2 => {
            let end = (at + random.below(32)).min(input.len());
            input.drain(at..end);
        }
        3 => {
            let end = (at + random.below(64)).min(input.len());
            let piece = input[at..end].to_vec();
            let place = random.below(input.len() + 1);
            input.splice(place..place, piece);
        }
        4 => {
            let start = random.below(other.len() + 1);
            let end = (start + random.below(512)).min(other.len());
            input.splice(at..at, other[start..end].iter().copied());
        }
        5 if !dictionary.is_empty() => {
            let word = dictionary[random.below(dictionary.len())];
            input.splice(at..at, word.iter().copied());
        }
        6 if !dictionary.is_empty() => {
            let word = dictionary[random.below(dictionary.len())];
            let end = (at + word.len()).min(input.len());
            input.splice(at..end, word.iter().copied());
        }
        7 => number(input, random),
        _ => input.truncate(at),
    }
}

/// Replaces a run of decimal digits by a number that programs get wrong.
fn number(input: &mut Vec<u8>, random: &mut Random) {
    const NUMBERS: [&[u8]; 10] = [
        b"0",
        b"-1",
        b"1",
        b"255",
        b"65536",
        b"2147483648",
        b"4294967296",
        b"9223372036854775807",
        b"18446744073709551616",
        b"1e999",
    ];
    let from = random.below(input.len() + 1);
    let Some(start) = input[from..].iter().position(u8::is_ascii_digit).map(|offset| from + offset) else { return };
    let length = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    input.splice(start..start + length, NUMBERS[random.below(NUMBERS.len())].iter().copied());
}
