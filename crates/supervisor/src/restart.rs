//! Whether a container starts again after an exit, and when. Pure: time and exit come in, a decision goes out.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The first pause before a restart.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// The longest pause before a restart.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// Whoever ran that long has not failed at its start: the pause begins anew.
const SETTLED: Duration = Duration::from_secs(10);

/// What follows an exit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Nothing.
    #[default]
    No,
    /// A new start after a status other than 0.
    OnFailure {
        /// After so many restarts it stays down; 0: no bound.
        maximum_retries: u32,
    },
    /// A new start.
    Always,
    /// A new start; differs from `Always` only when the machine boots.
    UnlessStopped,
}

/// Who caused an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The process itself, the kernel, or a signal of which the engine knows nothing.
    Itself,
    /// The user asked for it: no policy overrules that.
    User,
}

/// An exit, as far as a policy looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code.
    pub code: i32,
    /// Who caused it.
    pub cause: Cause,
    /// How long the process ran.
    pub ran: Duration,
    /// How often the policy has restarted it before.
    pub restarts: u32,
    /// The pause before the start that led to this exit; `None`: the user started it.
    pub last_delay: Option<Duration>,
}

/// What to do after an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It stays down.
    Stay,
    /// It starts again.
    Again {
        /// After this pause.
        after: Duration,
    },
}

/// Applies `policy` to `exit`: a pause of 100 ms that doubles up to a minute and begins anew after ten seconds of running, as Docker's.
#[must_use]
pub fn decide(policy: Policy, exit: &Exit) -> Decision {
    let again = match policy {
        _ if exit.cause == Cause::User => false,
        Policy::No => false,
        Policy::Always | Policy::UnlessStopped => true,
        Policy::OnFailure { maximum_retries } => {
            exit.code != 0 && (maximum_retries == 0 || exit.restarts < maximum_retries)
        }
    };
    if !again {
        return Decision::Stay;
    }
    let after = match exit.last_delay {
        Some(delay) if exit.ran < SETTLED => (delay * 2).clamp(FIRST_DELAY, LONGEST_DELAY),
        _ => FIRST_DELAY,
    };
    Decision::Again { after }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Exit =
        Exit { code: 1, cause: Cause::Itself, ran: Duration::from_secs(1), restarts: 0, last_delay: None };

    fn again(milliseconds: u64) -> Decision {
        Decision::Again { after: Duration::from_millis(milliseconds) }
    }

    #[test]
    fn policies_decide() {
        let unbounded = Policy::OnFailure { maximum_retries: 0 };
        let twice = Policy::OnFailure { maximum_retries: 2 };
        for (policy, exit, expected) in [
            (Policy::No, FAILED, Decision::Stay),
            (Policy::Always, FAILED, again(100)),
            (Policy::Always, Exit { code: 0, ..FAILED }, again(100)),
            (Policy::UnlessStopped, FAILED, again(100)),
            (Policy::Always, Exit { cause: Cause::User, ..FAILED }, Decision::Stay),
            (unbounded, FAILED, again(100)),
            (unbounded, Exit { code: 0, ..FAILED }, Decision::Stay),
            (unbounded, Exit { restarts: 1000, ..FAILED }, again(100)),
            (twice, Exit { restarts: 1, ..FAILED }, again(100)),
            (twice, Exit { restarts: 2, ..FAILED }, Decision::Stay),
        ] {
            assert_eq!(decide(policy, &exit), expected, "{policy:?} {exit:?}");
        }
    }

    #[test]
    fn the_pause_doubles_is_bounded_and_begins_anew() {
        let mut exit = FAILED;
        let mut delays = Vec::new();
        for _ in 0..12 {
            let Decision::Again { after } = decide(Policy::Always, &exit) else { panic!("it stays") };
            delays.push(after.as_millis());
            exit.last_delay = Some(after);
        }
        assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
        exit.ran = Duration::from_secs(10);
        assert_eq!(decide(Policy::Always, &exit), again(100));
    }
}
