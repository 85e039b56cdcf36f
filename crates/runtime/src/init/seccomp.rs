//! The filter of system calls: read while the host's files are there, installed last.

use crate::seccomp::Filter;
use crate::spec::Process;
use base::{Context, Error, Result};
use rustix::io::Errno;

/// Reads the filter that the process is to run under.
pub(crate) fn open(process: &Process) -> Result<Option<Filter>> {
    let Some(path) = &process.system_calls else { return Ok(None) };
    let filter = Filter::open(path)?;
    if filter.notifies {
        return Err(Error::unsupported(
            "a seccomp profile with SCMP_ACT_NOTIFY needs a listener, which nothing provides",
        ));
    }
    Ok(Some(filter))
}

/// Puts this process under the filter for ever.
pub(super) fn install(filter: &Filter) -> Result<()> {
    match sys::seccomp::load(&filter.instructions, filter.flags) {
        Err(Errno::INVAL) => Err(Error::unsupported("this kernel does not take the seccomp filter")),
        outcome => outcome.context("install the seccomp filter"),
    }
}
