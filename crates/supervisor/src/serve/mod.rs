//! The supervisor: one loop on one thread, which is the only one that makes children.
//!
//! `startup` resets what was inherited, `lifecycle` takes the container from created to exited and back, `control` answers requests, `stop` ends
//! it, `execs` looks after further processes, `streams` carries bytes, `undertaker` and `callback` are the ways back into the engine.

mod callback;
mod control;
mod events;
mod execs;
mod keeper;
mod lifecycle;
mod names;
mod network;
mod poll;
mod process;
mod relay;
mod rules;
mod startup;
mod stop;
mod streams;
mod undertaker;
mod worker;

use crate::plan::{self, Plan};
use crate::protocol::{self, Reply, Request};
use crate::state::State;
use crate::{exec, files};
use base::lock::{Lock, Sharing};
use base::{Context, Error, Result};
use control::Connection;
use poll::{Interest, Source};
use process::Container;
use rustix::event::PollFlags;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use streams::Streams;

/// How long a client may take for what was written before its process exited.
const LEFTOVER_PATIENCE: Duration = Duration::from_secs(10);
/// How long after a change the state is synced: nobody waits for it.
const SYNC_DELAY: Duration = Duration::from_secs(1);

/// Where the container is, as far as the loop cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its process is there and waits for the engine.
    Created,
    /// Its process runs.
    Running,
    /// Its restart policy waits.
    Waiting {
        /// Until then.
        until: Instant,
        /// Since so long, for the next decision.
        delay: Duration,
    },
    /// It has exited for good; only what is left over is still done.
    Over,
}

/// One container and all that belongs to it.
#[derive(Debug)]
struct Supervisor {
    plan: Plan,
    directory: OwnedFd,
    alive: Option<Lock>,
    joined: BTreeMap<String, OwnedFd>,
    /// Ports of the host.
    leases: Vec<::network::lease::Lease>,
    /// Who answers its questions for names.
    names: Option<names::Names>,
    /// Who carries what comes to those ports on `::1`.
    relay: Option<relay::Relay>,
    /// What the host's packet filter knows of it.
    rules: Option<rules::Rules>,
    oom_score_adjustment: i32,
    keeper: keeper::Keeper,
    host: cgroup::Host,
    state: State,
    phase: Phase,
    container: Option<Container>,
    /// When the process that runs now was started, and the pause before that.
    started: Instant,
    last_delay: Option<Duration>,
    stopping: Option<stop::Stopping>,
    streams: Streams,
    log: logs::Writer,
    compressing: bool,
    listener: Option<OwnedFd>,
    signals: OwnedFd,
    connections: Vec<Connection>,
    arriving: Vec<execs::Arriving>,
    /// Execs that were given up and have not exited yet.
    doomed: Vec<process::Child>,
    execs: Vec<execs::Running>,
    finished_execs: VecDeque<base::id::Id>,
    leftovers: Vec<(Streams, Instant)>,
    undertaker: Option<undertaker::Undertaker>,
    helper: Option<callback::Helper>,
    sync_at: Option<Instant>,
    last_number: u64,
}

/// Plays the role `berth supervise`; `arguments` follow that word. Returns when the container has exited for good.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match startup::Arguments::parse(arguments).and_then(|arguments| begin(&arguments)) {
        Ok(mut supervisor) => {
            supervisor.run();
            let rules = supervisor.rules.take();
            // Whoever is still connected waits for nothing any more.
            drop(supervisor);
            if let Some(rules) = rules {
                rules.linger();
            }
            ExitCode::SUCCESS
        }
        // The engine was told, where it could be.
        Err(_) => ExitCode::FAILURE,
    }
}

fn begin(arguments: &startup::Arguments) -> Result<Supervisor> {
    let inherited = startup::reset(arguments)?;
    let engine = inherited.engine.try_clone().context("keep the engine's socket")?;
    let told = receive_plan(engine.as_fd())
        .and_then(|begun| Supervisor::new(begun, inherited))
        .and_then(|mut supervisor| supervisor.create_first().map(|()| supervisor));
    if let Err(error) = &told {
        let _ = protocol::send(engine.as_fd(), &Reply::of_error(error), &[]);
    }
    told
}

/// What the engine sends first.
struct Begun {
    plan: Plan,
    directory: OwnedFd,
    joined: BTreeMap<String, OwnedFd>,
}

fn receive_plan(engine: std::os::fd::BorrowedFd<'_>) -> Result<Begun> {
    let received = protocol::receive::<Request>(engine)?;
    let Some((Request::Begin { plan, joined }, descriptors)) = received else {
        return Err(Error::invalid("the first message is no plan"));
    };
    if plan.version > plan::VERSION {
        return Err(Error::unsupported("the plan is of a newer version than this supervisor"));
    }
    let mut descriptors = descriptors.into_iter();
    let directory = descriptors.next().ok_or_else(|| Error::invalid("the plan came without a directory"))?;
    let names = joined.len();
    let joined: BTreeMap<String, OwnedFd> = joined.into_iter().zip(descriptors).collect();
    if joined.len() != names {
        return Err(Error::invalid("the plan came without the namespaces that it joins"));
    }
    Ok(Begun { plan: *plan, directory, joined })
}

impl Supervisor {
    fn new(begun: Begun, inherited: startup::Inherited) -> Result<Self> {
        let Begun { mut plan, directory, joined } = begun;
        let alive = Lock::try_acquire(directory.as_fd(), files::ALIVE, Sharing::Exclusive)?
            .ok_or_else(|| Error::conflict(format!("container {} has a supervisor already", plan.name)))?;
        base::crash_point!("supervisor.alive");
        plan.spec.process.oom_score_adjustment.get_or_insert(inherited.oom_score_adjustment);
        let mut state = State::read(directory.as_fd()).ok().flatten().unwrap_or_else(State::starting);
        // A start that fails is no run: what is known of the last one stays.
        state = State {
            started_at: state.started_at,
            finished_at: state.finished_at,
            restart_count: plan.restart_count,
            ..State::starting()
        };
        let log = logs::Writer::open(directory.as_fd(), files::LOG, plan.log.options.clone())?;
        let listener = control::listen(directory.as_fd())?;
        let streams = Streams::new(&plan.spec.process, plan.stdin);
        let finished_execs = exec::finished(directory.as_fd());
        Ok(Self {
            plan,
            directory,
            alive: Some(alive),
            joined,
            leases: Vec::new(),
            names: None,
            relay: None,
            rules: None,
            oom_score_adjustment: inherited.oom_score_adjustment,
            keeper: inherited.keeper,
            host: inherited.host?,
            state,
            phase: Phase::Created,
            container: None,
            started: Instant::now(),
            last_delay: None,
            stopping: None,
            streams,
            log,
            compressing: false,
            listener: Some(listener),
            signals: inherited.signals,
            connections: vec![Connection::of_engine(inherited.engine)?],
            arriving: Vec::new(),
            doomed: Vec::new(),
            execs: Vec::new(),
            finished_execs,
            leftovers: Vec::new(),
            undertaker: None,
            helper: None,
            sync_at: None,
            last_number: 1,
        })
    }

    fn run(&mut self) {
        loop {
            self.act_on_time(Instant::now());
            // Asked right before the wait: what time has ended wakes nobody any more.
            if self.is_done() {
                break;
            }
            let deadline = if self.compressing { Some(Instant::now()) } else { self.deadline() };
            for (source, flags) in poll::wait(self.interests(), deadline) {
                self.dispatch(source, flags);
            }
            self.compressing = self.log.compress().unwrap_or(false);
        }
        self.sync();
        self.keeper.dismiss();
    }

    fn is_done(&self) -> bool {
        self.phase == Phase::Over
            && !self.is_clearing_away()
            && self.leftovers.is_empty()
            && self.arriving.is_empty()
            && self.execs.is_empty()
    }

    fn interests(&self) -> Vec<Interest<'_>> {
        let mut interests = vec![Interest::new(Source::Signal, self.signals.as_fd(), PollFlags::IN)];
        if let Some(listener) = &self.listener {
            interests.push(Interest::new(Source::Listener, listener.as_fd(), PollFlags::IN));
        }
        for connection in &self.connections {
            interests.push(Interest::new(
                Source::Connection(connection.number),
                connection.socket.as_fd(),
                PollFlags::IN,
            ));
        }
        if let Some(container) = &self.container {
            interests.push(Interest::new(Source::Init, container.descriptor(), PollFlags::IN));
        }
        if let Some(helper) = &self.helper {
            interests.push(Interest::new(Source::Helper, helper.descriptor(), PollFlags::IN));
        }
        for descriptor in self.names.iter().flat_map(names::Names::descriptors) {
            interests.push(Interest::new(Source::Names, descriptor, PollFlags::IN));
        }
        for descriptor in self.relay.iter().flat_map(relay::Relay::descriptors) {
            interests.push(Interest::new(Source::Relay, descriptor, PollFlags::IN));
        }
        self.streams.interests(Source::Ends, Source::StreamClient, &mut interests);
        for arriving in &self.arriving {
            interests.push(Interest::new(Source::Arriving(arriving.number), arriving.descriptor(), PollFlags::IN));
        }
        interests
            .extend(self.doomed.iter().map(|child| Interest::new(Source::Doomed, child.descriptor(), PollFlags::IN)));
        for exec in &self.execs {
            interests.push(Interest::new(Source::Exec(exec.number), exec.descriptor(), PollFlags::IN));
            exec.streams.interests(Source::Exec(exec.number), Source::ExecClient, &mut interests);
        }
        for (streams, _) in &self.leftovers {
            streams.interests(Source::Ends, Source::LeftoverClient, &mut interests);
        }
        interests
    }

    fn dispatch(&mut self, source: Source, flags: PollFlags) {
        match source {
            Source::Listener => self.accept(),
            Source::Connection(number) => self.serve_connection(number),
            Source::Init => self.reap_init(),
            Source::Names => self.names.iter_mut().for_each(names::Names::look_after),
            Source::Relay => self.relay.iter_mut().for_each(|relay| relay.look_after(&self.leases)),
            Source::Helper => self.look_after_helper(),
            Source::Ends => self.streams.serve_ends(Some(&mut self.log)),
            Source::StreamClient(number) => self.streams.serve_client(number, flags),
            Source::Arriving(number) => self.serve_arriving(number),
            Source::Doomed => self.doomed.retain(|child| child.reap().is_none()),
            Source::Exec(number) => self.serve_exec(number),
            Source::ExecClient(number) => {
                self.execs.iter_mut().for_each(|exec| exec.streams.serve_client(number, flags));
            }
            Source::LeftoverClient(number) => {
                self.leftovers.iter_mut().for_each(|(streams, _)| streams.serve_client(number, flags));
                self.leftovers.retain(|(streams, _)| streams.has_clients());
            }
            Source::Signal => self.serve_signal(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let restart = match self.phase {
            Phase::Waiting { until, .. } => Some(until),
            _ => None,
        };
        let leftover = self.leftovers.iter().map(|(_, until)| *until).min();
        let stop = self.stopping.as_ref().and_then(|stopping| stopping.deadline);
        let names = self.names.as_ref().and_then(names::Names::deadline);
        let relay = self.relay.as_ref().and_then(relay::Relay::deadline);
        let arrival = self.arriving.iter().map(|arriving| arriving.deadline).min();
        let undertaking = self.undertaking_until();
        [restart, leftover, stop, arrival, names, relay, undertaking, self.sync_at].into_iter().flatten().min()
    }

    fn act_on_time(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Waiting { until, .. } if until <= now) {
            self.start_again();
        }
        if self.stopping.as_ref().and_then(|stopping| stopping.deadline).is_some_and(|deadline| deadline <= now) {
            self.kill();
        }
        self.leftovers.retain(|(streams, until)| *until > now && streams.has_clients());
        self.give_up_late_execs(now);
        self.names.iter_mut().for_each(|names| names.act_on_time(now));
        self.relay.iter_mut().for_each(|relay| relay.act_on_time(now));
        if self.undertaking_until().is_some_and(|until| until <= now) {
            self.follow_undertaker();
        }
        if self.sync_at.is_some_and(|at| at <= now) {
            self.sync();
        }
    }

    /// A number that no connection and no client has had.
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Writes the state. A full disk does not stop the container: what was written before stands.
    fn write_state(&mut self) -> Result<()> {
        let outcome = self.state.write(self.directory.as_fd(), base::file::Durability::Lazy);
        if self.plan.durability == plan::Durability::Synced {
            self.sync_at = Some(Instant::now() + SYNC_DELAY);
        }
        outcome
    }

    fn sync(&mut self) {
        if self.sync_at.take().is_some() {
            use rustix::fs::{Mode, OFlags};
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            if let Ok(state) = rustix::fs::openat(&self.directory, files::STATE, flags, Mode::empty()) {
                let _ = rustix::fs::fsync(&state);
                let _ = rustix::fs::fsync(&self.directory);
            }
        }
    }
}
