//! The way back into the engine: the command lines of the two helpers.

use crate::plan::Plan;
use base::{Context, Result};
use rustix::process::{Pid, PidfdFlags};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

/// How this container's engine is called back.
#[derive(Debug)]
pub(super) struct Callback {
    binary: OsString,
    root: OsString,
    runroot: OsString,
    configuration: Option<OsString>,
}

impl Callback {
    /// As the plan says.
    pub(super) fn of_plan(plan: &Plan) -> Self {
        Self {
            binary: plan.binary.clone().into(),
            root: plan.root.clone().into(),
            runroot: plan.runroot.clone().into(),
            configuration: plan.configuration.clone().map(OsString::from),
        }
    }

    /// As the last arguments of `berth supervise` say, which an engine that wants no keeper leaves out.
    pub(super) fn of_arguments(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let (binary, root, runroot) = (arguments.next()?, arguments.next()?, arguments.next()?);
        Some(Self { binary, root, runroot, configuration: arguments.next() })
    }

    /// The helper `verb` for the container `id`, without streams and with an environment of its own.
    pub(super) fn command(&self, verb: &str, id: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.args([OsStr::new("--root"), &self.root, OsStr::new("--runroot"), &self.runroot]);
        if let Some(configuration) = &self.configuration {
            command.arg("--config-file").arg(configuration);
        }
        command.args([verb, id]).env_clear();
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        crate::pass_crash_point(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// A helper that runs.
#[derive(Debug)]
pub(super) struct Helper {
    child: std::process::Child,
    descriptor: OwnedFd,
}

impl Helper {
    /// Starts it.
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let mut child = command.spawn().context("call the engine back")?;
        let opened = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        match opened.context("name the helper by a descriptor") {
            Ok(descriptor) => Ok(Self { child, descriptor }),
            Err(error) => {
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Readable when it has exited.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Whether it has exited; it is reaped then.
    pub(super) fn is_over(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}
