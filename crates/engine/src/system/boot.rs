//! Brings up what should run after a boot, and takes it down at a shutdown.

use std::collections::BTreeMap;
use std::sync::Mutex;

use base::id::Id;
use base::lock::{Lock, Sharing};
use base::{Context, Result, crash_point};

use crate::caller::Operation;
use crate::containers::record::Container;
use crate::{Caller, Engine, layout};

/// What a boot did.
#[derive(Debug, Default)]
pub struct Booted {
    /// Started.
    pub started: Vec<Id>,
    /// Mended, because the machine went down under them.
    pub mended: Vec<Id>,
    /// Could not be started, and why.
    pub failed: Vec<(Id, base::Error)>,
}

/// What a shutdown did.
#[derive(Debug, Default)]
pub struct Shutdown {
    /// Stopped.
    pub stopped: Vec<Id>,
    /// Could not be stopped, and why.
    pub failed: Vec<(Id, base::Error)>,
}

/// How long a shutdown waits for a container that would let it wait for ever, in seconds.
const DEFAULT_SHUTDOWN_SECONDS: u64 = 15;
/// What runs again after everything was stopped was just being started: a few rounds find it.
const ROUNDS: u32 = 3;
/// Enough for a request and its answer.
const STACK_BYTES: usize = 256 << 10;

impl Engine {
    /// Mends what is broken and starts what its restart policy wants to run.
    ///
    /// # Errors
    /// When the state cannot be read; what fails for one container is in the result.
    pub fn boot(&self, caller: &Caller) -> Result<Booted> {
        caller.permit(Operation::Change, "boot")?;
        self.clear_unfinished()?;
        let mut booted = Booted::default();
        for id in self.in_boot_order(&mut booted)? {
            crash_point!("boot.next");
            match self.boot_one(&id) {
                Ok(outcome) => {
                    if outcome.mended {
                        booted.mended.push(id.clone());
                    }
                    if outcome.started {
                        booted.started.push(id);
                    }
                }
                Err(error) => booted.failed.push((id, error)),
            }
        }
        Ok(booted)
    }

    /// All containers, oldest first, and those that share another's namespaces after that one.
    fn in_boot_order(&self, booted: &mut Booted) -> Result<Vec<Id>> {
        let mut containers = BTreeMap::new();
        for id in self.root.container_ids()? {
            match self.root.load(&id) {
                Ok(Some(container)) => {
                    containers.insert(id, container);
                }
                Ok(None) => {}
                Err(error) => booted.failed.push((id, error)),
            }
        }
        let mut order: Vec<&Container> = containers.values().collect();
        order.sort_by_key(|container| (depth(container, &containers), container.record.created));
        Ok(order.into_iter().map(|container| container.id.clone()).collect())
    }

    /// Stops every container with its own stop signal and leaves what the user wants of it alone.
    ///
    /// # Errors
    /// When the state cannot be read; what fails for one container is in the result.
    pub fn shut_down(&self, caller: &Caller) -> Result<Shutdown> {
        caller.permit(Operation::Change, "shut down")?;
        // Held until all is down: a supervisor that dies meanwhile is not replaced.
        let _mark = Lock::acquire(self.root.directory(), layout::SHUTDOWN_LOCK, Sharing::Shared)?;
        let mut shutdown = Shutdown::default();
        for _ in 0..ROUNDS {
            let running = self.running_containers()?;
            crash_point!("shutdown.listed");
            if running.is_empty() {
                break;
            }
            shutdown.failed.clear();
            self.stop_all(&running, &mut shutdown)?;
        }
        // What cannot be settled is extracted once more after the boot.
        let _ = self.settle_layers();
        Ok(shutdown)
    }

    fn running_containers(&self) -> Result<Vec<Container>> {
        let mut running = Vec::new();
        for id in self.root.container_ids()? {
            // One that is damaged cannot be stopped by its own rules; its supervisor is ended with the machine.
            if let Ok(Some(container)) = self.root.load(&id)
                && Lock::is_held(container.directory(), layout::ALIVE)?
            {
                running.push(container);
            }
        }
        Ok(running)
    }

    fn stop_all(&self, running: &[Container], shutdown: &mut Shutdown) -> Result<()> {
        let bound = self.configuration().shutdown_timeout.unwrap_or(DEFAULT_SHUTDOWN_SECONDS);
        let outcomes: Mutex<Vec<(Id, Result<()>)>> = Mutex::default();
        std::thread::scope(|scope| -> Result<()> {
            for container in running {
                let stop = || {
                    let outcome = self.stop_for_shutdown(container, bound);
                    outcomes
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .push((container.id.clone(), outcome));
                };
                std::thread::Builder::new()
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, stop)
                    .with_context(|| format!("stop {}", container.name()))?;
            }
            Ok(())
        })?;
        for (id, outcome) in outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            match outcome {
                Ok(()) => shutdown.stopped.push(id),
                Err(error) => shutdown.failed.push((id, error)),
            }
        }
        Ok(())
    }
}

/// How many other containers must be up before this one.
fn depth(container: &Container, all: &BTreeMap<Id, Container>) -> usize {
    let mut depth = 0;
    let mut waiting = container.joins();
    // A circle cannot be made; a damaged record must not turn this into one.
    while let Some(id) = waiting.pop()
        && depth <= all.len()
    {
        depth += 1;
        if let Some(other) = all.get(&id) {
            waiting.extend(other.joins());
        }
    }
    depth
}
