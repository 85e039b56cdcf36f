//! What a group is limited to, as plain values.

use crate::device::DeviceRule;
use base::{Error, Result};
use serde::{Deserialize, Serialize};

/// Limits of one group; what is `None` or empty stays as the kernel or the parent has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Bytes of memory; -1: no bound.
    pub memory: Option<i64>,
    /// Bytes of memory and swap together, as Docker counts them; -1: no bound.
    pub memory_swap: Option<i64>,
    /// Bytes below which memory is taken last.
    pub memory_reservation: Option<i64>,
    /// From 0 to 100; v1 only.
    pub memory_swappiness: Option<u64>,
    /// Whether the kernel lets processes wait instead of killing one; v1 only.
    pub oom_kill_disable: bool,
    /// Relative weight from 2 to 262144, 1024 being ordinary.
    pub cpu_shares: Option<u64>,
    /// Microseconds of processor time in each period; -1: no bound.
    pub cpu_quota: Option<i64>,
    /// Length of a period in microseconds.
    pub cpu_period: Option<u64>,
    /// Processors, as in `0-3,5`.
    pub cpuset_cpus: String,
    /// Memory nodes, as in `0,1`.
    pub cpuset_mems: String,
    /// Processes and threads; -1: no bound.
    pub pids: Option<i64>,
    /// Which devices can be used, decided by the last rule that matches; empty: as the parent.
    pub devices: Vec<DeviceRule>,
}

impl Resources {
    /// Checks what can be judged without the kernel.
    ///
    /// # Errors
    /// [`Kind::Invalid`](base::Kind::Invalid), naming the setting.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [
            ("memory", self.memory),
            ("memory swap", self.memory_swap),
            ("memory reservation", self.memory_reservation),
            ("cpu quota", self.cpu_quota),
            ("pids limit", self.pids),
        ] {
            if value.is_some_and(|value| value < -1) {
                return Err(Error::invalid(format!("{name} is negative: only -1, no bound, is allowed")));
            }
        }
        for (name, value, least, most) in [
            ("cpu shares", self.cpu_shares, 2, 262_144),
            ("cpu period", self.cpu_period, 1000, 1_000_000),
            ("memory swappiness", self.memory_swappiness, 0, 100),
        ] {
            if value.is_some_and(|value| !(least..=most).contains(&value)) {
                return Err(Error::invalid(format!("{name} is out of range: from {least} to {most}")));
            }
        }
        if let (Some(memory), Some(swap)) = (self.memory, self.memory_swap)
            && swap >= 0
            && (memory < 0 || swap < memory)
        {
            return Err(Error::invalid("memory swap is less than memory: it counts both together"));
        }
        for (name, list) in [("cpuset cpus", &self.cpuset_cpus), ("cpuset mems", &self.cpuset_mems)] {
            if !list.chars().all(|letter| letter.is_ascii_digit() || ",-".contains(letter)) {
                return Err(Error::invalid(format!("{name} {list:?} is no list like 0-3,5")));
            }
        }
        Ok(())
    }

    /// Whether nothing at all is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Bytes of swap alone, as v2 counts them; -1: no bound.
    pub(crate) fn swap_alone(&self) -> Result<Option<i64>> {
        match (self.memory_swap, self.memory) {
            (None, _) => Ok(None),
            (Some(-1), _) => Ok(Some(-1)),
            (Some(both), Some(memory)) if memory >= 0 => Ok(Some(both - memory)),
            _ => Err(Error::invalid("memory swap needs memory to be set as well: it counts both together")),
        }
    }

    /// Whether `memory_swap` is only Docker's default of twice the memory, which nobody asked for in so many words.
    pub(crate) fn swap_is_default(&self) -> bool {
        self.memory_swap == self.memory.and_then(|memory| memory.checked_mul(2)) || self.memory_swap == Some(-1)
    }
}

/// The weight of v2, 1 to 10000, for shares of v1, 2 to 262144: linear between the ends, as container engines map them.
#[must_use]
pub fn shares_to_weight(shares: u64) -> u64 {
    match shares {
        0 => 0,
        shares => 1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights() {
        for (shares, weight) in [(0, 0), (1, 1), (2, 1), (512, 20), (1024, 39), (262_144, 10_000), (u64::MAX, 10_000)] {
            assert_eq!(shares_to_weight(shares), weight, "{shares}");
        }
    }

    #[test]
    fn contradictions() {
        let wrong = [
            Resources { memory: Some(-2), ..Resources::default() },
            Resources { memory: Some(100), memory_swap: Some(99), ..Resources::default() },
            Resources { memory: Some(-1), memory_swap: Some(99), ..Resources::default() },
            Resources { cpu_shares: Some(1), ..Resources::default() },
            Resources { cpu_period: Some(10), ..Resources::default() },
            Resources { memory_swappiness: Some(101), ..Resources::default() },
            Resources { cpuset_cpus: "0 1".to_owned(), ..Resources::default() },
        ];
        for resources in wrong {
            assert_eq!(resources.check().unwrap_err().kind(), base::Kind::Invalid, "{resources:?}");
        }
        let fine = Resources {
            memory: Some(100),
            memory_swap: Some(-1),
            cpuset_cpus: "0-1,3".to_owned(),
            ..Resources::default()
        };
        assert!(fine.check().is_ok() && Resources::default().check().is_ok());
    }

    #[test]
    fn swap() {
        let both = |memory, memory_swap| Resources { memory, memory_swap, ..Resources::default() };
        assert_eq!(both(Some(100), Some(150)).swap_alone().unwrap(), Some(50));
        assert_eq!(both(Some(100), Some(-1)).swap_alone().unwrap(), Some(-1));
        assert_eq!(both(Some(100), None).swap_alone().unwrap(), None);
        assert!(both(None, Some(5)).swap_alone().is_err());
        assert!(both(Some(100), Some(200)).swap_is_default());
        assert!(!both(Some(100), Some(150)).swap_is_default());
    }
}
