//! Limits of resources, and what the kernel thinks of a process when memory runs out.

use crate::spec::Limit;
use base::{Context, Error, Result};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sets the score through the host's `/proc`, which must still be there. A lower one than ours may be refused; ours then stays.
pub(crate) fn set_oom_score(score: Option<i32>) -> Result<()> {
    let Some(score) = score else { return Ok(()) };
    let file = rustix::fs::open("/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .context("open /proc/self/oom_score_adj")?;
    match rustix::io::write(&file, score.to_string().as_bytes()) {
        Ok(_) | Err(Errno::ACCESS | Errno::PERM) => Ok(()),
        Err(Errno::INVAL) => Err(Error::invalid(format!("oom score adjustment {score} is not between -1000 and 1000"))),
        Err(errno) => Err(errno).context("set the oom score"),
    }
}

/// Sets the limits; where a hard limit may not be raised, it stays at ours.
pub(super) fn set(limits: &[Limit]) -> Result<()> {
    for limit in limits {
        let resource = resource_of(&limit.resource)
            .ok_or_else(|| Error::invalid(format!("there is no limit called {:?}", limit.resource)))?;
        let wanted = Rlimit { current: limit.soft, maximum: limit.hard };
        match setrlimit(resource, wanted) {
            Ok(()) => {}
            Err(Errno::PERM) => {
                let ours = getrlimit(resource).maximum;
                let within = Rlimit { current: lesser(wanted.current, ours), maximum: lesser(wanted.maximum, ours) };
                setrlimit(resource, within).with_context(|| format!("set limit {}", limit.resource))?;
            }
            Err(errno) => return Err(errno).with_context(|| format!("set limit {}", limit.resource)),
        }
    }
    Ok(())
}

/// `None` is no bound.
fn lesser(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The limit that is called so, as in `nofile`.
#[must_use]
pub fn resource_of(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        for (one, other, least) in
            [(Some(1), Some(2), Some(1)), (None, Some(2), Some(2)), (Some(1), None, Some(1)), (None, None, None)]
        {
            assert_eq!(lesser(one, other), least);
        }
    }
}
