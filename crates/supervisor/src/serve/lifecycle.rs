//! From created to running, to exited, and back as long as the restart policy says so.

use super::callback::{Callback, Helper};
use super::process::Container;
use super::rules::Rules;
use super::streams::Streams;
use super::{LEFTOVER_PATIENCE, Phase, Supervisor};
use crate::plan::AfterExit;
use crate::protocol::{self, Condition, Reply, RulesPlan};
use crate::restart::{self, Cause, Decision};
use crate::state::Status;
use base::time::Timestamp;
use base::{Error, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a terminal may take to say its last after its process has exited.
const TERMINAL_PATIENCE: Duration = Duration::from_millis(100);

/// The exit code of a command line whose failure has none of its own.
const UNEXPLAINED: u8 = 125;
/// What a container shows that failed so, as Docker's does.
const NOT_STARTED: i32 = 128;

impl Supervisor {
    /// Creates the container for the first time and tells the engine.
    pub(super) fn create_first(&mut self) -> Result<()> {
        self.write_state()?;
        base::crash_point!("start.starting-written");
        if let Err(error) = self.create() {
            self.give_up(&error);
            return Err(error);
        }
        base::crash_point!("start.created");
        let network = self.container.as_ref().map_or(Ok(None), Container::network)?;
        let descriptors: Vec<_> = network.iter().map(AsFd::as_fd).collect();
        let engine = &self.connections[0];
        protocol::send(engine.socket.as_fd(), &Reply::Created { pid: self.state.pid }, &descriptors)
    }

    fn create(&mut self) -> Result<()> {
        let (container, ends) = Container::create(&self.plan, &self.joined, &self.host)?;
        self.state.pid = container.pid().as_raw_nonzero().get();
        self.container = Some(container);
        self.streams.connect(ends)
    }

    /// Lets the container's process run.
    pub(super) fn release(&mut self, rules: Option<RulesPlan>, descriptors: Vec<OwnedFd>) -> Result<()> {
        if self.phase != Phase::Created {
            return Err(Error::conflict(format!("container {} was released already", self.plan.name)));
        }
        if rules.is_some() {
            self.keep_network()?;
        }
        self.will_withdraw(rules, descriptors.into_iter().next());
        base::crash_point!("start.released");
        self.start().inspect_err(|error| self.give_up(error))
    }

    fn start(&mut self) -> Result<()> {
        let container = self.container.as_mut().ok_or_else(|| Error::internal("there is no container to start"))?;
        container.start()?;
        base::crash_point!("start.executed");
        self.started = Instant::now();
        self.phase = Phase::Running;
        self.state.status = Status::Running;
        self.state.started_at = Timestamp::now();
        self.state.oom_killed = false;
        let written = self.write_state();
        base::crash_point!("start.running-written");
        if written.is_err() {
            // Nobody must believe in a container that its state does not know.
            self.kill();
        } else {
            // By nobody else: whoever asked for the start may hear of its success after the exit has been told.
            self.tell("start", None);
        }
        written
    }

    /// The container could not be started: everything of it goes, and the state says why.
    pub(super) fn give_up(&mut self, error: &Error) {
        if let Some(mut container) = self.container.take() {
            container.end();
            self.drain();
            self.remove_group(&container);
        }
        self.retire_streams();
        self.state.pid = 0;
        self.state.error = error.to_string();
        self.state.exit_code = match error.exit_code() {
            UNEXPLAINED => NOT_STARTED,
            code => i32::from(code),
        };
        self.state.finished_at = Timestamp::now();
        // The engine that started it is told, and decides itself what follows.
        if self.phase == Phase::Created {
            self.plan.after_exit = AfterExit::Nothing;
        }
        self.finish();
    }

    /// The container's first process has something to say: as a rule that it has exited.
    pub(super) fn reap_init(&mut self) {
        let Some(container) = &mut self.container else { return };
        let Some(exit_code) = container.reap() else { return };
        base::crash_point!("exit.reaped");
        if self.phase == Phase::Created {
            return self.give_up(&Error::internal("the container's process ended before its program ran"));
        }
        let oom_killed = container.oom_kills() > 0;
        container.kill_rest();
        base::crash_point!("exit.killed-rest");
        self.drain();
        self.retire_streams();
        if let Some(container) = self.container.take() {
            self.remove_group(&container);
        }
        base::crash_point!("exit.torn-down");
        self.state.pid = 0;
        self.state.exit_code = exit_code;
        self.state.oom_killed = oom_killed;
        self.state.error.clear();
        self.state.finished_at = Timestamp::now();
        if oom_killed {
            self.tell("oom", None);
        }
        self.tell("die", Some(exit_code));
        self.decide(exit_code);
    }

    fn decide(&mut self, code: i32) {
        let cause = if self.state.stopped_by_user { Cause::User } else { Cause::Itself };
        let ran = self.started.elapsed();
        let (restarts, last_delay) = (self.state.restart_count, self.last_delay);
        match restart::decide(self.plan.restart, &restart::Exit { code, cause, ran, restarts, last_delay }) {
            Decision::Stay => self.finish(),
            Decision::Again { after } => {
                self.phase = Phase::Waiting { until: Instant::now() + after, delay: after };
                self.state.status = Status::Restarting;
                let _ = self.write_state();
                base::crash_point!("restart.waiting");
                self.answer_waits(&[Condition::NextExit]);
            }
        }
    }

    /// The pause is over.
    pub(super) fn start_again(&mut self) {
        let Phase::Waiting { delay, .. } = self.phase else { return };
        self.last_delay = Some(delay);
        self.state.restart_count += 1;
        self.state.status = Status::Starting;
        self.state.torn_down = false;
        let _ = self.write_state();
        base::crash_point!("restart.starting-written");
        if let Err(error) = self.create().and_then(|()| self.start()) {
            self.give_up(&error);
        }
    }

    /// The container has exited for good.
    pub(super) fn finish(&mut self) {
        let immediate = self.stopping.take().is_some_and(|stopping| stopping.immediate);
        self.phase = Phase::Over;
        self.state.status = Status::Exited;
        self.state.pid = 0;
        self.state.rules_withdrawn = self.rules.as_ref().is_some_and(Rules::withdraw);
        base::crash_point!("network.rules-withdrawn");
        // Where the disk is full the old state stands, and whoever looks finds a container to mend.
        let _ = self.write_state();
        base::crash_point!("exit.exited-written");
        self.stop_listening();
        self.leave_network();
        // From here on another supervisor may take over.
        self.alive = None;
        base::crash_point!("exit.lock-free");
        // They need not wait for the start of a helper.
        self.answer_stops(&Reply::Stopped { immediate });
        self.answer_waits(&[Condition::NextExit, Condition::NotRunning]);
        self.clear_away();
        if !self.is_clearing_away() {
            self.answer_waits(&[Condition::Removed]);
        }
    }

    pub(super) fn call_engine(&self) -> Result<Helper> {
        Helper::start(Callback::of_plan(&self.plan).command("container-exited", self.plan.id.as_str()))
    }

    pub(super) fn look_after_helper(&mut self) {
        if self.helper.as_mut().is_some_and(Helper::is_over) {
            self.helper = None;
            self.answer_waits(&[Condition::Removed]);
        }
    }

    /// Reads what the process left in its pipes or its terminal.
    fn drain(&mut self) {
        let deadline = Instant::now() + TERMINAL_PATIENCE;
        self.streams.drain(Some(&mut self.log));
        // The last bytes of a terminal pass through a queue of the kernel.
        while self.streams.terminal_is_open() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
            self.streams.drain(Some(&mut self.log));
        }
    }

    /// Ends the streams and leaves to the loop what clients have not got yet.
    fn retire_streams(&mut self) {
        self.streams.end();
        let leftover = self.streams.leftover();
        if leftover.has_clients() {
            self.leftovers.push((leftover, Instant::now() + LEFTOVER_PATIENCE));
        }
        self.streams = Streams::new(&self.plan.spec.process, self.plan.stdin);
    }

    fn remove_group(&mut self, container: &Container) {
        match container.remove() {
            Ok(()) => self.state.torn_down = true,
            Err(error) => {
                self.state.torn_down = false;
                self.state.error = error.to_string();
            }
        }
    }
}
