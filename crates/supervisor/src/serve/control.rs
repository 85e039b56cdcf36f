//! Connections, and what is asked over them.

use super::callback::Callback;
use super::stop::Answer;
use super::{Phase, Supervisor, execs};
use crate::client::control_address;
use crate::files;
use crate::protocol::{self, Condition, Reply, Request, SignalMeaning};
use crate::restart::Policy;
use crate::state::{self, Status};
use base::{Context, Error, Kind, Result};
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The number of the connection to the engine that started this supervisor.
const ENGINE: u64 = 0;
/// The most connections at once: a client that leaks them must not take the supervisor's descriptors.
const CONNECTIONS: usize = 200;
/// The most descriptors for execs and attached clients, of 1024: stop and kill always find a connection.
const DESCRIPTORS: usize = 700;

/// Somebody who may ask.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) number: u64,
    pub(super) socket: OwnedFd,
    /// What it waits for; it may ask nothing else meanwhile.
    pub(super) awaits: Option<Awaited>,
}

/// What a reply waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    Stop,
    Exec,
    Exit(Condition),
}

impl Connection {
    pub(super) fn of_engine(socket: OwnedFd) -> Result<Self> {
        Self::new(ENGINE, socket)
    }

    /// Nothing that is written to it waits: who asks without listening is disconnected.
    fn new(number: u64, socket: OwnedFd) -> Result<Self> {
        super::streams::set_nonblocking(&socket)?;
        Ok(Self { number, socket, awaits: None })
    }
}

/// An answer, with the descriptors that go along.
type Answered = (Reply, Vec<OwnedFd>);

/// Makes the socket on which requests arrive.
pub(super) fn listen(directory: BorrowedFd<'_>) -> Result<OwnedFd> {
    // One that a killed supervisor left; the lock is held, so nobody listens on it.
    base::file::remove(directory, files::CONTROL_SOCKET)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .context("make the control socket")?;
    // Only root connects: the mode is in force before anybody can.
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = rustix::net::bind(&socket, &control_address(directory)?);
    rustix::process::umask(before);
    bound.context("bind the control socket")?;
    rustix::net::listen(&socket, 64).context("listen on the control socket")?;
    Ok(socket)
}

impl Supervisor {
    pub(super) fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let Ok(socket) = rustix::net::accept_with(listener, SocketFlags::CLOEXEC) else { return };
        let own = rustix::process::geteuid();
        let allowed = rustix::net::sockopt::socket_peercred(&socket)
            .is_ok_and(|peer| peer.uid == own || peer.uid == rustix::process::Uid::ROOT);
        if allowed {
            let _ = self.admit(socket);
        }
    }

    fn admit(&mut self, socket: OwnedFd) -> Result<()> {
        if self.connections.len() >= CONNECTIONS {
            return Err(Error::exhausted(format!(
                "container {} has {CONNECTIONS} connections already",
                self.plan.name
            )));
        }
        let number = self.next_number();
        self.connections.push(Connection::new(number, socket)?);
        Ok(())
    }

    /// Whether one more exec or client can be served.
    ///
    /// # Errors
    /// `Exhausted` where it would take the descriptors that the container itself needs.
    pub(super) fn expect_room(&self) -> Result<()> {
        let execs: usize = self.execs.iter().map(execs::Running::descriptors).sum();
        let leftovers: usize = self.leftovers.iter().map(|(streams, _)| streams.descriptors()).sum();
        let arriving = (self.arriving.len() + self.doomed.len()) * execs::Arriving::DESCRIPTORS;
        if execs + arriving + leftovers + self.streams.descriptors() < DESCRIPTORS {
            return Ok(());
        }
        Err(Error::exhausted(format!(
            "container {} has too many execs and attached clients: end some of them first",
            self.plan.name
        )))
    }

    pub(super) fn serve_connection(&mut self, number: u64) {
        let Some(connection) = self.connections.iter().find(|connection| connection.number == number) else { return };
        let received = protocol::receive::<Request>(connection.socket.as_fd());
        let busy = connection.awaits.is_some();
        let answered = match received {
            Ok(None) => return self.disconnect(number),
            Ok(Some(_)) if busy => return self.disconnect(number),
            Ok(Some((request, descriptors))) => self.answer(number, request, descriptors),
            Err(error) if error.kind() == Kind::Invalid => {
                Err(error.with_kind(Kind::Unsupported).context("this supervisor does not know the request"))
            }
            Err(_) => return self.disconnect(number),
        };
        match answered {
            Ok(None) => {}
            Ok(Some((reply, descriptors))) => self.reply(number, &reply, &descriptors),
            Err(error) => self.reply(number, &Reply::of_error(&error), &[]),
        }
    }

    pub(super) fn reply(&mut self, number: u64, reply: &Reply, descriptors: &[OwnedFd]) {
        let Some(connection) = self.connections.iter_mut().find(|connection| connection.number == number) else {
            return;
        };
        connection.awaits = None;
        let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        if protocol::send(connection.socket.as_fd(), reply, &borrowed).is_err() {
            self.disconnect(number);
        }
    }

    fn disconnect(&mut self, number: u64) {
        self.connections.retain(|connection| connection.number != number);
        self.follow(number);
        if number == ENGINE && self.phase == Phase::Created {
            self.give_up(&Error::unavailable("the engine went away before the container ran"));
        }
    }

    fn awaits(&mut self, number: u64, awaited: Awaited) {
        if let Some(connection) = self.connections.iter_mut().find(|connection| connection.number == number) {
            connection.awaits = Some(awaited);
        }
    }

    fn answer(&mut self, number: u64, request: Request, descriptors: Vec<OwnedFd>) -> Result<Option<Answered>> {
        match request {
            Request::Begin { .. } => return Err(Error::conflict("the supervisor has its plan already")),
            Request::Release { rules } if number == ENGINE => self.release(rules, descriptors)?,
            Request::Release { .. } => {
                return Err(Error::denied("only who started the supervisor releases the container"));
            }
            Request::Connect => self.connect(descriptors)?,
            Request::State => {
                let state = Box::new(self.state.clone());
                return Ok(Some((Reply::State { version: protocol::VERSION, state }, Vec::new())));
            }
            Request::Namespaces => return self.running()?.namespaces().map(Some),
            Request::Attach(attach) => return self.attach(attach, descriptors).map(Some),
            Request::Exec(exec) => {
                self.exec(number, *exec)?;
                self.awaits(number, Awaited::Exec);
                return Ok(None);
            }
            Request::Resize { exec, height, width } => self.resize(exec.as_ref(), height, width)?,
            Request::Signal { signal, meaning } => self.signal(signal, meaning)?,
            Request::Stop(stop) => {
                return match self.stop(stop)? {
                    Answer::Now { immediate } => Ok(Some((Reply::Stopped { immediate }, Vec::new()))),
                    Answer::Later => {
                        self.awaits(number, Awaited::Stop);
                        Ok(None)
                    }
                };
            }
            Request::Pause => self.pause()?,
            Request::Resume => self.resume()?,
            Request::Wait { condition, undertakes } => {
                let answered = self.wait(number, condition);
                if undertakes && condition == Condition::Removed {
                    self.offered(number);
                }
                return Ok(answered);
            }
            Request::UpdateRestartPolicy { policy } => {
                self.plan.restart = policy;
                if policy != Policy::No {
                    self.keeper.ensure(self.plan.id.as_str(), &Callback::of_plan(&self.plan))?;
                }
            }
            Request::Rename { name } => {
                self.plan.attributes.insert("name".to_owned(), name.clone());
                self.plan.name = name;
            }
            Request::ServeNetwork { ports, relay_to, names, rules } => {
                let served = self.serve_network(&ports, relay_to, names, descriptors)?;
                self.will_withdraw(rules, None);
                return Ok(Some(served));
            }
            Request::UpdateResources { resources } => self.update_resources(*resources)?,
        }
        Ok(Some((Reply::Done, Vec::new())))
    }

    fn connect(&mut self, descriptors: Vec<OwnedFd>) -> Result<()> {
        let socket = descriptors.into_iter().next().ok_or_else(|| Error::invalid("no socket came along"))?;
        self.admit(socket)
    }

    fn wait(&mut self, number: u64, condition: Condition) -> Option<Answered> {
        // Who was asked to clear away and waits instead gives that up.
        self.follow(number);
        if self.phase == Phase::Over && (condition != Condition::Removed || !self.is_clearing_away()) {
            return Some((self.exited(), Vec::new()));
        }
        self.awaits(number, Awaited::Exit(condition));
        None
    }

    pub(super) fn exited(&self) -> Reply {
        Reply::Exited { exit_code: self.state.exit_code, error: self.state.error.clone() }
    }

    /// Answers everybody who waits for one of `conditions`.
    pub(super) fn answer_waits(&mut self, conditions: &[Condition]) {
        let reply = self.exited();
        let waiting = |connection: &&Connection| matches!(connection.awaits, Some(Awaited::Exit(condition)) if conditions.contains(&condition));
        let numbers: Vec<u64> = self.connections.iter().filter(waiting).map(|connection| connection.number).collect();
        numbers.into_iter().for_each(|number| self.reply(number, &reply, &[]));
    }

    /// Gives `reply` to everybody who waits for a stop.
    pub(super) fn answer_stops(&mut self, reply: &Reply) {
        let waiting = self.connections.iter().filter(|connection| connection.awaits == Some(Awaited::Stop));
        let numbers: Vec<u64> = waiting.map(|connection| connection.number).collect();
        numbers.into_iter().for_each(|number| self.reply(number, reply, &[]));
    }

    fn attach(&mut self, attach: protocol::Attach, descriptors: Vec<OwnedFd>) -> Result<Answered> {
        match self.phase {
            Phase::Created | Phase::Running => {}
            Phase::Waiting { .. } => return Err(state::restarting(&self.plan.id)),
            Phase::Over => return Err(state::not_running(&self.plan.id)),
        }
        if self.state.status == Status::Paused {
            return Err(Error::conflict("You cannot attach to a paused container, unpause it first"));
        }
        self.expect_room()?;
        let number = self.next_number();
        let terminal = self.streams.has_terminal();
        let stream = match descriptors.into_iter().next() {
            Some(ours) => self.streams.adopt(number, attach, ours).map(|()| None)?,
            None => Some(self.streams.attach(number, attach)?),
        };
        Ok((Reply::Attached { terminal, pid: self.state.pid }, stream.into_iter().collect()))
    }

    fn resize(&mut self, exec: Option<&base::id::Id>, height: u16, width: u16) -> Result<()> {
        let streams = match exec {
            None => &self.streams,
            Some(id) => {
                let exec = self.execs.iter().find(|exec| exec.record.id == *id);
                &exec.ok_or_else(|| Error::conflict(format!("exec {} does not run", id.short())))?.streams
            }
        };
        let terminal = streams.terminal().ok_or_else(|| Error::conflict("there is no terminal to resize"))?;
        let size = rustix::termios::Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(terminal, size).context("resize the terminal")
    }

    fn signal(&mut self, signal: i32, meaning: SignalMeaning) -> Result<()> {
        if meaning == SignalMeaning::End {
            self.state.stopped_by_user = true;
            if matches!(self.phase, Phase::Waiting { .. }) {
                self.finish();
                return Ok(());
            }
        }
        self.running()?.signal(signal)?;
        if meaning == SignalMeaning::End && self.state.status == Status::Paused {
            self.resume()?;
        }
        Ok(())
    }

    /// The container's process, where there is one that runs.
    pub(super) fn running(&self) -> Result<&super::process::Container> {
        match (&self.container, self.phase) {
            (Some(container), Phase::Running) => Ok(container),
            _ => Err(state::not_running(&self.plan.id)),
        }
    }

    /// Nobody can reach this supervisor from now on.
    pub(super) fn stop_listening(&mut self) {
        if self.listener.take().is_some() {
            let removed = rustix::fs::unlinkat(&self.directory, files::CONTROL_SOCKET, AtFlags::empty());
            debug_assert!(matches!(removed, Ok(()) | Err(Errno::NOENT)));
        }
    }
}
