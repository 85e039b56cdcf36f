//! Waits, answered by a supervisor that the test plays.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use base::file::{self, Durability};
use base::lock::{Lock, Sharing};
use base::time::Timestamp;
use engine::containers::{Exit, Wait, WaitCondition};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use supervisor::protocol::{self, Condition, Reply, Request};
use supervisor::state::{State, Status};

use crate::Host;
use crate::archive::archive;

const MOMENT: Duration = Duration::from_millis(120);
const LONG: Duration = Duration::from_secs(5);

/// Holds a container's `alive` and listens.
struct Played {
    directory: OwnedFd,
    listener: OwnedFd,
    _alive: Lock,
}

impl Played {
    fn begin(container: &Path) -> Self {
        let directory = file::open_directory(container).unwrap();
        let alive = Lock::acquire(directory.as_fd(), "alive", Sharing::Exclusive).unwrap();
        State { status: Status::Running, started_at: Timestamp::now(), ..State::starting() }
            .write(directory.as_fd(), Durability::Lazy)
            .unwrap();
        file::remove(directory.as_fd(), "control.sock").unwrap();
        let listener =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let path = format!("/proc/self/fd/{}/control.sock", directory.as_raw_fd());
        rustix::net::bind(&listener, &SocketAddrUnix::new(path).unwrap()).unwrap();
        rustix::net::listen(&listener, 8).unwrap();
        Self { directory, listener, _alive: alive }
    }

    /// Accepts a client that waits, and returns its socket and its condition.
    fn waiting(&self) -> (OwnedFd, Condition) {
        let socket = rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC).unwrap();
        match protocol::receive::<Request>(socket.as_fd()).unwrap().unwrap().0 {
            Request::Wait { condition, undertakes } if undertakes == (condition == Condition::Removed) => {
                (socket, condition)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Writes the last state and lets go.
    fn exit(self, exit_code: i32) {
        let state = State {
            status: Status::Exited,
            exit_code,
            finished_at: Timestamp::now(),
            torn_down: true,
            ..State::starting()
        };
        state.write(self.directory.as_fd(), Durability::Lazy).unwrap();
    }
}

fn host() -> (Host, String) {
    let host = Host::make();
    host.import("app", &archive(&[("a", "1")]));
    let id = host.create("app", "web");
    (host, id)
}

fn wait(host: &Host, condition: WaitCondition) -> Wait {
    host.engine.wait_container(&host.caller, "web", condition).unwrap()
}

fn exit(code: i32) -> Option<Exit> {
    Some(Exit { code, error: None })
}

#[test]
fn a_container_that_never_ran_does_not_run() {
    let (host, id) = host();
    assert_eq!(wait(&host, WaitCondition::NotRunning).poll(LONG).unwrap(), exit(0));
    let mut next = wait(&host, WaitCondition::NextExit);
    let mut removed = wait(&host, WaitCondition::Removed);
    assert_eq!((next.poll(MOMENT).unwrap(), removed.poll(MOMENT).unwrap()), (None, None));
    std::fs::remove_dir_all(host.container(&id)).unwrap();
    assert_eq!((next.poll(LONG).unwrap(), removed.poll(LONG).unwrap()), (exit(0), exit(0)));
    assert!(host.engine.wait_container(&host.caller, "web", WaitCondition::NextExit).is_err());
}

#[test]
fn the_supervisor_tells_the_exit() {
    let (host, id) = host();
    let played = Played::begin(&host.container(&id));
    for condition in [WaitCondition::NotRunning, WaitCondition::NextExit] {
        let mut wait = wait(&host, condition);
        let (socket, asked) = played.waiting();
        assert_eq!(asked, condition.into());
        assert_eq!(wait.poll(MOMENT).unwrap(), None);
        protocol::send(socket.as_fd(), &Reply::Exited { exit_code: 3, error: String::new() }, &[]).unwrap();
        assert_eq!(wait.poll(LONG).unwrap(), exit(3));
    }
}

#[test]
fn why_it_could_not_be_started_is_told_of_the_present_only() {
    for condition in [WaitCondition::NotRunning, WaitCondition::NextExit] {
        let (host, id) = host();
        let played = Played::begin(&host.container(&id));
        let mut wait = wait(&host, condition);
        let (socket, _) = played.waiting();
        protocol::send(socket.as_fd(), &Reply::Exited { exit_code: 127, error: "why".to_owned() }, &[]).unwrap();
        let error = (condition == WaitCondition::NotRunning).then(|| "why".to_owned());
        assert_eq!(wait.poll(LONG).unwrap(), Some(Exit { code: 127, error }));
    }
}

#[test]
fn who_is_killed_says_nothing() {
    for condition in [WaitCondition::NotRunning, WaitCondition::NextExit] {
        let (host, id) = host();
        let played = Played::begin(&host.container(&id));
        let mut wait = wait(&host, condition);
        let waiting = played.waiting();
        assert_eq!(wait.poll(MOMENT).unwrap(), None);
        drop((waiting, played));
        assert_eq!(wait.poll(LONG).unwrap(), exit(137));
    }
}

#[test]
fn an_exit_without_an_answer_is_found_in_the_state() {
    let (host, id) = host();
    let mut early = wait(&host, WaitCondition::NextExit);
    let played = Played::begin(&host.container(&id));
    let mut wait = wait(&host, WaitCondition::NextExit);
    drop(played.waiting());
    played.exit(7);
    assert_eq!(wait.poll(LONG).unwrap(), exit(7));
    // The other one looks only now: a start and an exit came in between, by another process.
    assert_eq!(early.poll(LONG).unwrap(), exit(7));
    let mut late = self::wait(&host, WaitCondition::NextExit);
    assert_eq!(late.poll(MOMENT).unwrap(), None);
    assert_eq!(self::wait(&host, WaitCondition::NotRunning).poll(LONG).unwrap(), exit(7));
}

#[test]
fn a_start_elsewhere_is_found() {
    let (host, id) = host();
    let mut next = wait(&host, WaitCondition::NextExit);
    let mut removed = wait(&host, WaitCondition::Removed);
    assert_eq!(next.poll(MOMENT).unwrap(), None);
    let played = Played::begin(&host.container(&id));
    assert_eq!(next.poll(MOMENT).unwrap(), None);
    assert_eq!(removed.poll(MOMENT).unwrap(), None);
    for _ in 0..2 {
        let (socket, _) = played.waiting();
        protocol::send(socket.as_fd(), &Reply::Exited { exit_code: 4, error: "why".to_owned() }, &[]).unwrap();
    }
    assert_eq!(next.poll(LONG).unwrap(), exit(4));
    played.exit(4);
    // It has exited, and is still there.
    assert_eq!(removed.poll(MOMENT).unwrap(), None);
    std::fs::remove_dir_all(host.container(&id)).unwrap();
    assert_eq!(removed.poll(LONG).unwrap(), exit(4));
}
