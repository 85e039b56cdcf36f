//! Limits that a container can be given, as the user names them; `plan::resources` turns them into the control group's.

use serde::{Deserialize, Serialize};

/// Limits of the container's control group; zero or empty means not set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceLimits {
    /// Bytes.
    pub memory: u64,
    /// Bytes of memory and swap together; -1: no bound; 0: twice `memory`.
    pub memory_swap: i64,
    /// Bytes, a soft limit.
    pub memory_reservation: u64,
    /// From 0 to 100.
    pub memory_swappiness: Option<u64>,
    /// Whether the kernel never kills in this group (v1 only).
    pub oom_kill_disable: bool,
    /// Billionths of a processor.
    pub nano_cpus: u64,
    /// Relative weight, from 2 to 262144.
    pub cpu_shares: u64,
    /// Microseconds.
    pub cpu_period: u64,
    /// Microseconds of each period; negative: no bound.
    pub cpu_quota: i64,
    /// As in `0-3,5`.
    pub cpuset_cpus: String,
    /// As in `0,1`.
    pub cpuset_mems: String,
    /// Tasks; 0 or negative: no bound; `None`: not set.
    pub pids: Option<i64>,
}

/// A device of the host given to the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceMapping {
    /// Absolute path on the host, a device or a directory of devices.
    pub host_path: String,
    /// Absolute path in the container; empty: the same.
    pub container_path: String,
    /// Some of `r`, `w`, `m`; empty: all.
    pub permissions: String,
}

/// A limit of the processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// As in `nofile`, without `RLIMIT_`.
    pub name: String,
    /// -1: no bound.
    pub soft: i64,
    /// -1: no bound.
    pub hard: i64,
}
