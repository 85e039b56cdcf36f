//! What is done to all processes of a group together.

use crate::directory;
use crate::group::Group;
use base::{Context, Error, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// How long freezing may take; a process in an uninterruptible sleep delays it.
const FREEZE_PATIENCE: Duration = Duration::from_secs(10);
/// Rounds of killing without `cgroup.kill`: each finds what forked during the one before.
const KILL_ROUNDS: u32 = 100;

impl Group {
    /// Kills every process of the group and of the groups below it, frozen ones included.
    ///
    /// They may still be ending when this returns; [`Group::remove`] waits for that. An empty group is no error.
    ///
    /// # Errors
    /// When the kernel refuses it, or processes kept appearing.
    pub fn kill(&self) -> Result<()> {
        if let Some(unified) = self.directory() {
            match directory::write(unified, "cgroup.kill", "1") {
                Ok(()) => {
                    // A v1 freezer holds back even those that were killed.
                    self.set_v1_freezer("THAWED");
                    return Ok(());
                }
                Err(Errno::NODEV) => return Ok(()),
                // Before Linux 5.14.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno).with_context(|| format!("kill control group {}", self.path())),
            }
        }
        self.kill_one_by_one()
    }

    fn kill_one_by_one(&self) -> Result<()> {
        // While frozen, none can fork; where there is no freezer, the rounds catch up.
        self.set_v1_freezer("FROZEN");
        let mut left = Vec::new();
        for _ in 0..KILL_ROUNDS {
            left = self.processes()?;
            for pid in left.iter().filter_map(|pid| Pid::from_raw(*pid)) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
            self.set_v1_freezer("THAWED");
            if left.is_empty() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(Error::internal(format!("kill control group {}: processes {left:?} do not end", self.path())))
    }

    fn set_v1_freezer(&self, state: &str) {
        if let Some(freezer) = self.controller("freezer") {
            let _ = directory::write(freezer, "freezer.state", state);
        }
    }

    /// Stops every process of the group where it is, and returns when all stand still.
    ///
    /// # Errors
    /// [`Kind::Unavailable`](base::Kind::Unavailable) after 10 s, with the group running again.
    pub fn freeze(&self) -> Result<()> {
        let result = match (self.directory(), self.controller("freezer")) {
            (Some(unified), _) => freeze_v2(unified),
            (None, Some(freezer)) => freeze_v1(freezer),
            (None, None) => Err(Error::unsupported("no hierarchy with a freezer is mounted")),
        };
        result.map_err(|error| {
            let _ = self.thaw();
            error.context(format!("freeze control group {}", self.path()))
        })
    }

    /// Lets the processes of a frozen group go on; a group that runs is left as it is.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn thaw(&self) -> Result<()> {
        let result = match (self.directory(), self.controller("freezer")) {
            (Some(unified), _) => directory::write(unified, "cgroup.freeze", "0"),
            (None, Some(freezer)) => directory::write(freezer, "freezer.state", "THAWED"),
            (None, None) => Ok(()),
        };
        result.with_context(|| format!("thaw control group {}", self.path()))
    }

    /// Ids of its processes and of those in groups below it, as this process's pid namespace numbers them.
    ///
    /// # Errors
    /// When the list cannot be read; a group that is gone has none.
    pub fn processes(&self) -> Result<Vec<i32>> {
        let Some(place) = self.places().next().map(|first| self.directory().unwrap_or(first.directory)) else {
            return Ok(Vec::new());
        };
        let mut pids = Vec::new();
        collect(place, &mut pids).with_context(|| format!("list the processes of {}", self.path()))?;
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// How many processes the kernel has killed here because memory ran out.
    ///
    /// # Errors
    /// When the count cannot be read. Where memory is not accounted it is 0.
    pub fn oom_kills(&self) -> Result<u64> {
        let text = match (self.controller("memory"), self.directory()) {
            (Some(memory), _) => directory::read(memory, "memory.oom_control"),
            (None, Some(unified)) => directory::read(unified, "memory.events"),
            (None, None) => Ok(None),
        };
        let text = text.map_err(|error| error.context(format!("control group {}", self.path())))?;
        Ok(text.and_then(|text| directory::field(&text, "oom_kill")).unwrap_or(0))
    }
}

fn collect(group: BorrowedFd<'_>, pids: &mut Vec<i32>) -> Result<()> {
    let mut outcome = Ok(());
    let take = |group: BorrowedFd<'_>| match directory::read(group, "cgroup.procs") {
        // 0 stands for a process of a foreign pid namespace.
        Ok(text) => pids.extend(
            text.unwrap_or_default().lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0),
        ),
        Err(error) => outcome = Err(error),
    };
    let top = group.try_clone_to_owned().context("keep the group open")?;
    match directory::walk(top, take, |_, _| Ok(())) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno).context("list groups"),
    }
    outcome
}

fn freeze_v2(unified: BorrowedFd<'_>) -> Result<()> {
    // Opened before the change, or its notification could be missed.
    let events = rustix::fs::openat(unified, "cgroup.events", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .context("open cgroup.events")?;
    directory::write(unified, "cgroup.freeze", "1").context("write cgroup.freeze")?;
    let deadline = Instant::now() + FREEZE_PATIENCE;
    loop {
        // Empty groups freeze too, at once.
        let mut text = [0_u8; 256];
        let length = rustix::io::pread(&events, &mut text, 0).context("read cgroup.events")?;
        if directory::field(&String::from_utf8_lossy(&text[..length]), "frozen") == Some(1) {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::unavailable("its processes did not stop within 10 s"));
        }
        let wait = Timespec { tv_sec: left.as_secs().try_into().unwrap_or(0), tv_nsec: left.subsec_nanos().into() };
        match rustix::event::poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).context("wait for cgroup.events"),
        }
    }
}

fn freeze_v1(freezer: BorrowedFd<'_>) -> Result<()> {
    let deadline = Instant::now() + FREEZE_PATIENCE;
    loop {
        // Written again each time: a process that forked at the wrong moment needs it (freezer-subsystem.rst).
        directory::write(freezer, "freezer.state", "FROZEN").context("write freezer.state")?;
        let state = directory::read(freezer, "freezer.state")?.unwrap_or_default();
        if state.trim() == "FROZEN" {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Error::unavailable("its processes did not stop within 10 s"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
