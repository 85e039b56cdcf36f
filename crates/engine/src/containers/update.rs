//! Changes limits and restart policy of a container, also while it runs.

use base::{Error, Result, crash_point};
use supervisor::client::Client;

use super::modes::RestartPolicy;
use super::record::Locked;
use super::resources::ResourceLimits;
use super::start::policy;
use crate::caller::Operation;
use crate::{Caller, Engine, plan};

impl Engine {
    /// Gives the container another restart policy.
    ///
    /// # Errors
    /// `Conflict` when it removes itself on exit.
    pub fn update_restart_policy(&self, caller: &Caller, name: &str, policy: RestartPolicy) -> Result<()> {
        caller.permit(Operation::Change, &format!("update {name}"))?;
        let mut container = self.lock_container(name)?;
        if container.record.settings.auto_remove && policy != RestartPolicy::No {
            return Err(Error::conflict(
                "Restart policy cannot be updated because AutoRemove is enabled for the container",
            ));
        }
        let runs = self.settle(&container)?.is_supervised();
        let mut intent = container.intent()?;
        container.container.record.settings.restart = policy;
        container.write_record()?;
        crash_point!("update.record-written");
        intent.restart = policy;
        container.write_intent(&intent)?;
        crash_point!("update.intent-written");
        if runs && let Some(client) = Client::connect(container.directory())? {
            client.update_restart_policy(self::policy(policy))?;
        }
        self.container_event("update", &container, []);
        Ok(())
    }

    /// Gives the container other limits. What `limits` does not set stays.
    ///
    /// # Errors
    /// `Invalid` for limits that contradict each other, and what the kernel refuses; the record then stays as it was.
    pub fn update_resources(&self, caller: &Caller, name: &str, limits: &ResourceLimits) -> Result<()> {
        caller.permit(Operation::Change, &format!("update {name}"))?;
        let mut container = self.lock_container(name)?;
        let merged = merge(&container.record.settings.resources, limits);
        plan::resources::check(&merged)?;
        // The kernel has the last word on what can be lowered while it is used.
        if self.settle(&container)?.is_supervised() {
            apply(&container, &merged)?;
        }
        crash_point!("update.limits-applied");
        container.container.record.settings.resources = merged;
        container.write_record()?;
        self.container_event("update", &container, []);
        Ok(())
    }
}

fn apply(container: &Locked, limits: &ResourceLimits) -> Result<()> {
    let Some(client) = Client::connect(container.directory())? else { return Ok(()) };
    let settings = &container.record.settings;
    let mut resources = plan::resources::control_group(limits);
    // All limits go, also those that stay.
    resources.devices = plan::devices::rules(settings, &plan::devices::find(settings)?)?;
    client.update_resources(resources)
}

fn merge(present: &ResourceLimits, wanted: &ResourceLimits) -> ResourceLimits {
    fn or<T: Default + PartialEq + Clone>(wanted: &T, present: &T) -> T {
        if *wanted == T::default() { present.clone() } else { wanted.clone() }
    }
    ResourceLimits {
        memory: or(&wanted.memory, &present.memory),
        memory_swap: or(&wanted.memory_swap, &present.memory_swap),
        memory_reservation: or(&wanted.memory_reservation, &present.memory_reservation),
        memory_swappiness: or(&wanted.memory_swappiness, &present.memory_swappiness),
        oom_kill_disable: present.oom_kill_disable,
        nano_cpus: or(&wanted.nano_cpus, &present.nano_cpus),
        cpu_shares: or(&wanted.cpu_shares, &present.cpu_shares),
        cpu_period: or(&wanted.cpu_period, &present.cpu_period),
        cpu_quota: or(&wanted.cpu_quota, &present.cpu_quota),
        cpuset_cpus: or(&wanted.cpuset_cpus, &present.cpuset_cpus),
        cpuset_mems: or(&wanted.cpuset_mems, &present.cpuset_mems),
        pids: or(&wanted.pids, &present.pids),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_stays() {
        let present =
            ResourceLimits { memory: 8 << 20, pids: Some(10), cpuset_cpus: "0".to_owned(), ..Default::default() };
        let wanted = ResourceLimits { memory: 16 << 20, cpu_shares: 5, ..Default::default() };
        let merged = merge(&present, &wanted);
        assert_eq!(
            (merged.memory, merged.cpu_shares, merged.pids, merged.cpuset_cpus.as_str()),
            (16 << 20, 5, Some(10), "0")
        );
    }
}
