//! What a group has used so far.

use crate::directory;
use crate::group::Group;
use crate::host::Mode;
use base::Result;
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

/// Usage of a group, with the groups below it; what the kernel does not account is 0 or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Processor time in nanoseconds.
    pub cpu_total_nanoseconds: u64,
    /// Of it in user mode.
    pub cpu_user_nanoseconds: u64,
    /// Of it in the kernel.
    pub cpu_system_nanoseconds: u64,
    /// By processor; v1 only.
    pub cpu_each_nanoseconds: Vec<u64>,
    /// Periods in which it ran under a quota.
    pub cpu_periods: u64,
    /// Of them those that used it up.
    pub cpu_throttled_periods: u64,
    /// How long it waited then.
    pub cpu_throttled_nanoseconds: u64,
    /// Bytes of memory now, page cache included.
    pub memory_usage: u64,
    /// The highest so far.
    pub memory_highest: u64,
    /// The bound; `None`: none.
    pub memory_limit: Option<u64>,
    /// How often the bound was hit.
    pub memory_failures: u64,
    /// Everything in `memory.stat`, by the kernel's names.
    pub memory_details: BTreeMap<String, u64>,
    /// Processes and threads now.
    pub pids: u64,
    /// The bound; `None`: none.
    pub pids_limit: Option<u64>,
    /// Bytes of input and output by block device.
    pub block_bytes: Vec<BlockCounter>,
    /// Requests of input and output by block device.
    pub block_requests: Vec<BlockCounter>,
    /// Whether the host counts as v1 (hybrid included) or v2: the names in `memory_details` differ.
    pub version: u8,
}

/// One counter of one block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockCounter {
    /// Driver.
    pub major: u32,
    /// Number with the driver.
    pub minor: u32,
    /// `Read`, `Write`, `Discard` and on v1 more, as the kernel writes them there.
    pub operation: String,
    /// The count.
    pub value: u64,
}

impl Group {
    /// Reads what the group has used.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn statistics(&self) -> Result<Statistics> {
        let read = match self.host.mode() {
            Mode::V2 => self.directory().map_or_else(|| Ok(Statistics::default()), v2),
            Mode::V1 | Mode::Hybrid => self.v1_statistics(),
        };
        read.map_err(|error| error.context(format!("statistics of control group {}", self.path())))
    }

    fn v1_statistics(&self) -> Result<Statistics> {
        let mut found = Statistics { version: 1, ..Statistics::default() };
        if let Some(cpuacct) = self.controller("cpuacct") {
            found.cpu_total_nanoseconds = number(cpuacct, "cpuacct.usage")?.unwrap_or(0);
            found.cpu_user_nanoseconds = number(cpuacct, "cpuacct.usage_user")?.unwrap_or(0);
            found.cpu_system_nanoseconds = number(cpuacct, "cpuacct.usage_sys")?.unwrap_or(0);
            let each = directory::read(cpuacct, "cpuacct.usage_percpu")?.unwrap_or_default();
            found.cpu_each_nanoseconds = each.split_whitespace().filter_map(|text| text.parse().ok()).collect();
        }
        if let Some(cpu) = self.controller("cpu") {
            let text = directory::read(cpu, "cpu.stat")?.unwrap_or_default();
            found.cpu_periods = directory::field(&text, "nr_periods").unwrap_or(0);
            found.cpu_throttled_periods = directory::field(&text, "nr_throttled").unwrap_or(0);
            found.cpu_throttled_nanoseconds = directory::field(&text, "throttled_time").unwrap_or(0);
        }
        if let Some(memory) = self.controller("memory") {
            found.memory_usage = number(memory, "memory.usage_in_bytes")?.unwrap_or(0);
            found.memory_highest = number(memory, "memory.max_usage_in_bytes")?.unwrap_or(0);
            found.memory_failures = number(memory, "memory.failcnt")?.unwrap_or(0);
            // "No bound" reads as the highest multiple of a page.
            found.memory_limit = number(memory, "memory.limit_in_bytes")?.filter(|limit| *limit < 1 << 62);
            found.memory_details = fields(&directory::read(memory, "memory.stat")?.unwrap_or_default());
        }
        if let Some(pids) = self.controller("pids") {
            found.pids = number(pids, "pids.current")?.unwrap_or(0);
            found.pids_limit = number(pids, "pids.max")?;
        }
        if let Some(blkio) = self.controller("blkio") {
            let read = |file| directory::read(blkio, file).map(Option::unwrap_or_default);
            found.block_bytes = v1_counters(&read("blkio.throttle.io_service_bytes_recursive")?);
            found.block_requests = v1_counters(&read("blkio.throttle.io_serviced_recursive")?);
        }
        Ok(found)
    }
}

fn v2(group: BorrowedFd<'_>) -> Result<Statistics> {
    let cpu = directory::read(group, "cpu.stat")?.unwrap_or_default();
    let microseconds = |key| directory::field(&cpu, key).unwrap_or(0).saturating_mul(1000);
    let io = directory::read(group, "io.stat")?.unwrap_or_default();
    let events = directory::read(group, "memory.events")?.unwrap_or_default();
    Ok(Statistics {
        cpu_total_nanoseconds: microseconds("usage_usec"),
        cpu_user_nanoseconds: microseconds("user_usec"),
        cpu_system_nanoseconds: microseconds("system_usec"),
        cpu_each_nanoseconds: Vec::new(),
        cpu_periods: directory::field(&cpu, "nr_periods").unwrap_or(0),
        cpu_throttled_periods: directory::field(&cpu, "nr_throttled").unwrap_or(0),
        cpu_throttled_nanoseconds: microseconds("throttled_usec"),
        memory_usage: number(group, "memory.current")?.unwrap_or(0),
        memory_highest: number(group, "memory.peak")?.unwrap_or(0),
        memory_limit: number(group, "memory.max")?,
        memory_failures: directory::field(&events, "max").unwrap_or(0),
        memory_details: fields(&directory::read(group, "memory.stat")?.unwrap_or_default()),
        pids: number(group, "pids.current")?.unwrap_or(0),
        pids_limit: number(group, "pids.max")?,
        block_bytes: v2_counters(&io, [("rbytes", "Read"), ("wbytes", "Write"), ("dbytes", "Discard")]),
        block_requests: v2_counters(&io, [("rios", "Read"), ("wios", "Write"), ("dios", "Discard")]),
        version: 2,
    })
}

/// The one number in a file; `None` for `max` and where there is no such file.
fn number(group: BorrowedFd<'_>, file: &str) -> Result<Option<u64>> {
    Ok(directory::read(group, file)?.and_then(|text| text.trim().parse().ok()))
}

fn fields(text: &str) -> BTreeMap<String, u64> {
    let field = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(field).collect()
}

fn device(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Lines like `8:0 Read 4096`.
fn v1_counters(text: &str) -> Vec<BlockCounter> {
    let counter = |line: &str| {
        let mut parts = line.split_whitespace();
        let (major, minor) = device(parts.next()?)?;
        let (operation, value) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
        Some(BlockCounter { major, minor, operation, value })
    };
    text.lines().filter_map(counter).collect()
}

/// Lines like `8:0 rbytes=4096 wbytes=0`.
fn v2_counters(text: &str, wanted: [(&str, &str); 3]) -> Vec<BlockCounter> {
    let mut counters = Vec::new();
    for line in text.lines() {
        let mut parts = line.split_whitespace();
        let Some((major, minor)) = parts.next().and_then(device) else { continue };
        let values: BTreeMap<&str, &str> = parts.filter_map(|part| part.split_once('=')).collect();
        for (key, operation) in wanted {
            if let Some(value) = values.get(key).and_then(|value| value.parse().ok()) {
                counters.push(BlockCounter { major, minor, operation: operation.to_owned(), value });
            }
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters() {
        let counter =
            |operation: &str, value| BlockCounter { major: 8, minor: 16, operation: operation.to_owned(), value };
        assert_eq!(v1_counters("8:16 Read 10\n8:16 Write 0\nTotal 10\n"), [counter("Read", 10), counter("Write", 0)]);
        let wanted = [("rbytes", "Read"), ("wbytes", "Write"), ("dbytes", "Discard")];
        assert_eq!(
            v2_counters("8:16 rbytes=10 wbytes=2 rios=1\n8:0\n", wanted),
            [counter("Read", 10), counter("Write", 2)]
        );
    }
}
