//! Limits of a container's control group: what contradicts itself, and what the kernel is asked for.

use std::collections::BTreeSet;

use base::{Error, Result};

use crate::containers::ResourceLimits;

/// Below this, not even an init fits.
const LEAST_MEMORY: u64 = 6 << 20;
/// Length of a period of processor time, in microseconds, where none is asked for.
const DEFAULT_PERIOD: u64 = 100_000;

/// Checks limits against each other.
///
/// # Errors
/// `Invalid` in Docker's words.
pub fn check(limits: &ResourceLimits) -> Result<()> {
    memory(limits)?;
    processors(limits)?;
    for (what, list) in [("cpus", &limits.cpuset_cpus), ("mems", &limits.cpuset_mems)] {
        if !list.is_empty() && parse_list(list).is_none() {
            return Err(Error::invalid(format!("Invalid value {list} for cpuset {what}")));
        }
    }
    Ok(())
}

fn memory(limits: &ResourceLimits) -> Result<()> {
    let refuse = |message: &str| Err(Error::invalid(message));
    let swap = u64::try_from(limits.memory_swap).unwrap_or(0);
    if limits.memory > 0 && limits.memory < LEAST_MEMORY {
        return refuse("Minimum memory limit allowed is 6MB");
    }
    if limits.memory == 0 && swap > 0 {
        return refuse("You should always set the Memory limit when using Memoryswap limit, see usage");
    }
    if swap > 0 && swap < limits.memory {
        return refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    if limits.memory_swap < -1 {
        return refuse("Invalid value for memoryswap: only -1 means no bound");
    }
    if limits.memory_reservation > 0 && limits.memory_reservation < LEAST_MEMORY {
        return refuse("Minimum memory reservation allowed is 6MB");
    }
    if limits.memory > 0 && limits.memory_reservation > limits.memory {
        return refuse("Minimum memory limit can not be less than memory reservation limit, see usage");
    }
    match limits.memory_swappiness {
        Some(value) if value > 100 => {
            Err(Error::invalid(format!("Invalid value: {value}, valid memory swappiness range is 0-100")))
        }
        _ => Ok(()),
    }
}

fn processors(limits: &ResourceLimits) -> Result<()> {
    let refuse = |message: &str| Err(Error::invalid(message));
    if limits.nano_cpus > 0 && limits.cpu_period > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set.");
    }
    if limits.nano_cpus > 0 && limits.cpu_quota > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set.");
    }
    let available = std::thread::available_parallelism().map_or(u64::MAX, |count| count.get() as u64);
    if limits.nano_cpus > 0
        && (limits.nano_cpus < 10_000_000 || limits.nano_cpus > available.saturating_mul(1_000_000_000))
    {
        return Err(Error::invalid(format!(
            "Range of CPUs is from 0.01 to {available}.00, as there are only {available} CPUs available"
        )));
    }
    if limits.cpu_period > 0 && !(1000..=1_000_000).contains(&limits.cpu_period) {
        return refuse("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    }
    if limits.cpu_quota > 0 && limits.cpu_quota < 1000 {
        return refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    }
    Ok(())
}

/// The numbers in a list like `0-3,5`; `None` for anything else, and for absurdly large numbers.
fn parse_list(text: &str) -> Option<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        if first > last || last > 8192 {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

/// Bytes of memory and swap together that the kernel is told; `None`: not set, `Some(-1)`: no bound.
#[must_use]
pub fn memory_and_swap(limits: &ResourceLimits) -> Option<i64> {
    match (limits.memory, limits.memory_swap) {
        (0, 0) => None,
        (memory, 0) => Some(i64::try_from(memory.saturating_mul(2)).unwrap_or(i64::MAX)),
        (_, swap) => Some(swap),
    }
}

/// Quota and period of processor time in microseconds; `None`: not set.
#[must_use]
pub fn quota_and_period(limits: &ResourceLimits) -> (Option<i64>, Option<u64>) {
    if limits.nano_cpus > 0 {
        let quota = limits.nano_cpus.saturating_mul(DEFAULT_PERIOD) / 1_000_000_000;
        return (i64::try_from(quota).ok(), Some(DEFAULT_PERIOD));
    }
    let quota = (limits.cpu_quota != 0).then_some(limits.cpu_quota);
    (quota, (limits.cpu_period != 0).then_some(limits.cpu_period))
}

/// What the control group is limited to, devices aside.
#[must_use]
pub fn control_group(limits: &ResourceLimits) -> cgroup::Resources {
    let bytes = |value: u64| (value > 0).then(|| i64::try_from(value).unwrap_or(i64::MAX));
    let (cpu_quota, cpu_period) = quota_and_period(limits);
    cgroup::Resources {
        memory: bytes(limits.memory),
        memory_swap: memory_and_swap(limits),
        memory_reservation: bytes(limits.memory_reservation),
        memory_swappiness: limits.memory_swappiness,
        oom_kill_disable: limits.oom_kill_disable,
        cpu_shares: (limits.cpu_shares > 0).then_some(limits.cpu_shares),
        cpu_quota: cpu_quota.map(|quota| quota.max(-1)),
        cpu_period,
        cpuset_cpus: limits.cpuset_cpus.clone(),
        cpuset_mems: limits.cpuset_mems.clone(),
        pids: limits.pids.map(|pids| if pids > 0 { pids } else { -1 }),
        ..cgroup::Resources::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions() {
        let mebibyte = 1 << 20;
        let fine = [
            ResourceLimits::default(),
            ResourceLimits { memory: 64 * mebibyte, memory_swap: -1, ..Default::default() },
            ResourceLimits { memory: 64 * mebibyte, memory_swap: 64 << 20, ..Default::default() },
            ResourceLimits { nano_cpus: 500_000_000, ..Default::default() },
            ResourceLimits { cpuset_cpus: "0-1,3".to_owned(), cpuset_mems: "0".to_owned(), ..Default::default() },
        ];
        for limits in fine {
            assert!(check(&limits).is_ok(), "{limits:?}");
        }
        let wrong = [
            ResourceLimits { memory: mebibyte, ..Default::default() },
            ResourceLimits { memory_swap: 64 << 20, ..Default::default() },
            ResourceLimits { memory: 64 * mebibyte, memory_swap: 32 << 20, ..Default::default() },
            ResourceLimits { memory: 64 * mebibyte, memory_reservation: 128 * mebibyte, ..Default::default() },
            ResourceLimits { memory_swappiness: Some(101), ..Default::default() },
            ResourceLimits { nano_cpus: 1, ..Default::default() },
            ResourceLimits { nano_cpus: u64::MAX, ..Default::default() },
            ResourceLimits { nano_cpus: 500_000_000, cpu_period: 1000, ..Default::default() },
            ResourceLimits { cpu_period: 999, ..Default::default() },
            ResourceLimits { cpu_quota: 999, ..Default::default() },
            ResourceLimits { cpuset_cpus: "1-0".to_owned(), ..Default::default() },
            ResourceLimits { cpuset_mems: "a".to_owned(), ..Default::default() },
        ];
        for limits in wrong {
            assert!(check(&limits).is_err(), "{limits:?}");
        }
    }

    #[test]
    fn what_the_kernel_is_told() {
        let limits = ResourceLimits { memory: 100, ..Default::default() };
        assert_eq!(memory_and_swap(&limits), Some(200));
        assert_eq!(memory_and_swap(&ResourceLimits { memory_swap: -1, ..limits }), Some(-1));
        assert_eq!(memory_and_swap(&ResourceLimits::default()), None);
        let half = ResourceLimits { nano_cpus: 500_000_000, ..Default::default() };
        assert_eq!(quota_and_period(&half), (Some(50_000), Some(100_000)));
        assert_eq!(quota_and_period(&ResourceLimits::default()), (None, None));
    }

    #[test]
    fn the_control_group() {
        assert!(control_group(&ResourceLimits::default()).is_empty());
        let limits = ResourceLimits {
            memory: 8 << 20,
            nano_cpus: 500_000_000,
            pids: Some(0),
            cpu_shares: 512,
            memory_swap: -1,
            ..Default::default()
        };
        let group = control_group(&limits);
        assert_eq!((group.memory, group.memory_swap, group.pids), (Some(8 << 20), Some(-1), Some(-1)));
        assert_eq!((group.cpu_quota, group.cpu_period, group.cpu_shares), (Some(50_000), Some(100_000), Some(512)));
        assert!(group.check().is_ok());
    }
}
