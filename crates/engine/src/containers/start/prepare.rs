//! From a container's record to all that its supervisor is told.

use std::os::fd::OwnedFd;
use std::path::Path;

use base::file::{self, Durability};
use base::{Context, Result};
use runtime::spec::{Root, Syncing};
use supervisor::plan::{self as supervision, AfterExit, JoinedNamespaces, Log, Plan, Stdin};
use supervisor::restart::Policy;

use super::Cause;
use crate::containers::record::{Locked, Sandbox};
use crate::containers::{IpcMode, RestartPolicy, Settings};
use crate::plan::effective::DEFAULT_STOP_TIMEOUT_SECONDS;
use crate::plan::{devices, log, process, security, signals, spec};
use crate::{Engine, layout};

/// All that a supervisor is told.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) joined: JoinedNamespaces<OwnedFd>,
}

impl Engine {
    /// Looks up and makes what the container needs, and plans its run.
    ///
    /// # Errors
    /// What is missing or refused, by name.
    pub(super) fn prepare(&self, container: &Locked, sandbox: &Sandbox, cause: Cause) -> Result<Prepared> {
        let record = &container.record;
        let settings = &record.settings;
        let configuration = self.configuration();
        let joined = self.join(settings)?;
        let mut process = process::plan(settings, record.hostname(), configuration, &self.root.layout)?;
        if settings.restart != RestartPolicy::No {
            self.keep_filter(container, &mut process)?;
        }
        let parts = spec::Parts {
            hostname: record.hostname().to_owned(),
            root: self.root_of(container)?,
            process,
            mounts: self.runtime_mounts(&record.mounts)?,
            files: self.etc_mounts(container, sandbox)?,
            shared_memory: self.shared_memory(container, &joined)?,
            devices: devices::find(settings)?,
            security: security::plan(settings, configuration)?,
            cgroup: record.cgroup.clone(),
        };
        let plan = Plan {
            version: supervision::VERSION,
            id: container.id.clone(),
            name: record.name.clone(),
            binary: record.binary.clone(),
            root: self.root.layout.root().to_owned(),
            runroot: self.root.layout.runroot().to_owned(),
            configuration: self.root.options.configuration_file.clone(),
            cgroup_parent: self.root.cgroup_parent(),
            spec: spec::spec(settings, &sandbox.network, parts)?,
            log: Log { options: log::options(record)? },
            stdin: stdin(settings),
            stop_signal: stop_signal(settings)?,
            stop_timeout_seconds: stop_timeout_seconds(settings),
            restart: policy(settings.restart),
            restart_count: match cause {
                Cause::User | Cause::Boot => 0,
                Cause::Policy { restarts } => restarts,
            },
            after_exit: after_exit(settings, sandbox),
            attributes: container.attributes(),
            durability: record.durability(),
        };
        Ok(Prepared { plan, joined: joined.namespaces })
    }

    fn root_of(&self, container: &Locked) -> Result<Root> {
        let directory = self.root.layout.container(&container.id);
        Ok(Root::Overlay {
            lower: self.lower_directories(&container.record.image.layers)?,
            upper: directory.join(layout::UPPER),
            work: directory.join(layout::WORK),
            syncing: match container.record.durability() {
                Durability::Lazy => Syncing::Never,
                Durability::Synced => Syncing::Usual,
            },
        })
    }

    /// A policy's restart needs the filter of system calls again, when the cache may have vanished: the container keeps its own.
    fn keep_filter(&self, container: &Locked, process: &mut runtime::spec::Process) -> Result<()> {
        let Some(cached) = &process.system_calls else { return Ok(()) };
        let Some(name) = cached.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
        let kept = self.root.layout.container(&container.id).join(name);
        if !Path::new(&kept).exists() {
            let filter = std::fs::read(cached).context("read the compiled seccomp filter")?;
            file::replace(container.directory(), name, &filter, Durability::Lazy)?;
        }
        process.system_calls = Some(kept);
        Ok(())
    }
}

fn stdin(settings: &Settings) -> Stdin {
    match (settings.open_stdin, settings.stdin_once) {
        (false, _) => Stdin::Closed,
        (true, true) => Stdin::Once,
        (true, false) => Stdin::Open,
    }
}

/// The number of the signal that asks the container to stop.
///
/// # Errors
/// `Invalid` for one that is unknown.
pub(in crate::containers) fn stop_signal(settings: &Settings) -> Result<i32> {
    let text = settings.stop_signal.as_deref().filter(|text| !text.is_empty());
    signals::parse(text.unwrap_or("SIGTERM"))
}

fn stop_timeout_seconds(settings: &Settings) -> Option<u64> {
    u64::try_from(settings.stop_timeout_seconds.unwrap_or(DEFAULT_STOP_TIMEOUT_SECONDS)).ok()
}

/// The supervisor's word for a policy.
pub(in crate::containers) fn policy(policy: RestartPolicy) -> Policy {
    match policy {
        RestartPolicy::No => Policy::No,
        RestartPolicy::OnFailure { maximum_retries } => Policy::OnFailure { maximum_retries },
        RestartPolicy::Always => Policy::Always,
        RestartPolicy::UnlessStopped => Policy::UnlessStopped,
    }
}

/// The engine is called back where something is left to do that the supervisor cannot.
fn after_exit(settings: &Settings, sandbox: &Sandbox) -> AfterExit {
    let is_connected = !sandbox.endpoints.is_empty();
    if settings.auto_remove || settings.ipc == IpcMode::Shareable || is_connected {
        AfterExit::CallEngine
    } else {
        AfterExit::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_supervisor_is_told() {
        let settings = Settings::default();
        assert_eq!(
            (
                stdin(&settings),
                stop_signal(&settings).unwrap(),
                stop_timeout_seconds(&settings),
                after_exit(&settings, &Sandbox::default())
            ),
            (Stdin::Closed, 15, Some(10), AfterExit::Nothing)
        );
        let settings = Settings {
            open_stdin: true,
            stdin_once: true,
            stop_signal: Some("QUIT".to_owned()),
            stop_timeout_seconds: Some(-1),
            auto_remove: true,
            ..settings
        };
        assert_eq!(
            (
                stdin(&settings),
                stop_signal(&settings).unwrap(),
                stop_timeout_seconds(&settings),
                after_exit(&settings, &Sandbox::default())
            ),
            (Stdin::Once, 3, None, AfterExit::CallEngine)
        );
        let shared = Settings { open_stdin: true, ipc: IpcMode::Shareable, ..Settings::default() };
        assert_eq!((stdin(&shared), after_exit(&shared, &Sandbox::default())), (Stdin::Open, AfterExit::CallEngine));
    }
}
