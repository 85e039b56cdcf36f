//! The way back into the engine: the command lines of the two helpers.

use crate::plan::Plan;
use std::ffi::{OsStr, OsString};
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
