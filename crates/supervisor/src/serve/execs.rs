//! Further processes in the container.

use super::process::{Child, Entering};
use super::streams::Streams;
use super::{LEFTOVER_PATIENCE, Supervisor};
use crate::exec::{KEPT, Record};
use crate::plan::Stdin;
use crate::protocol::{Exec, Reply};
use crate::state::Status;
use base::time::Timestamp;
use base::{Error, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long an exec may take until its program runs.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(10);

/// An exec that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) number: u64,
    pub(super) record: Record,
    pub(super) streams: Streams,
    child: Child,
}

impl Running {
    /// Readable when it has exited.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.child.descriptor()
    }

    /// How many descriptors it has open.
    pub(super) fn descriptors(&self) -> usize {
        1 + self.streams.descriptors()
    }
}

/// An exec whose program does not run yet.
#[derive(Debug)]
pub(super) struct Arriving {
    pub(super) number: u64,
    pub(super) deadline: Instant,
    /// The connection that asked for it.
    connection: u64,
    exec: Exec,
    stdin: Stdin,
    entering: Entering,
}

impl Arriving {
    /// How many descriptors it has open, at most.
    pub(super) const DESCRIPTORS: usize = 5;

    /// Readable when there is something to hear of it.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.entering.descriptor()
    }
}

impl Supervisor {
    /// Sends an exec on its way; `connection` is answered when its program runs, or will not.
    pub(super) fn exec(&mut self, connection: u64, mut exec: Exec) -> Result<()> {
        let container = self.running()?;
        if self.state.status == Status::Paused {
            return Err(Error::conflict(format!(
                "Container {} is paused, unpause the container before exec",
                self.plan.id
            )));
        }
        self.expect_room()?;
        base::crash_point!("exec.begun");
        let stdin = if exec.attach.is_some_and(|attach| attach.stdin) { Stdin::Once } else { Stdin::Closed };
        exec.process.oom_score_adjustment.get_or_insert(self.oom_score_adjustment);
        let entering = container.exec(&exec.process, stdin)?;
        let (number, deadline) = (self.next_number(), Instant::now() + ARRIVAL_PATIENCE);
        self.arriving.push(Arriving { number, deadline, connection, exec, stdin, entering });
        Ok(())
    }

    /// Hears an exec whose program does not run yet.
    pub(super) fn serve_arriving(&mut self, number: u64) {
        let Some(index) = self.arriving.iter().position(|arriving| arriving.number == number) else { return };
        match self.arriving[index].entering.progress() {
            Ok(false) => {}
            Ok(true) => {
                let arriving = self.arriving.remove(index);
                let connection = arriving.connection;
                match self.begin_exec(arriving) {
                    Ok((reply, descriptors)) => self.reply(connection, &reply, &descriptors),
                    Err(error) => self.reply(connection, &Reply::of_error(&error), &[]),
                }
            }
            Err(error) => self.give_up_exec(index, &error),
        }
    }

    /// Gives up execs that take too long. They may have been stopped by the container's own processes.
    pub(super) fn give_up_late_execs(&mut self, now: Instant) {
        while let Some(index) = self.arriving.iter().position(|arriving| arriving.deadline <= now) {
            let error = Error::unavailable(format!(
                "exec in {}: its process hangs: something in the container has stopped it, or a file system does not answer",
                self.plan.name
            ));
            self.give_up_exec(index, &error);
        }
    }

    fn give_up_exec(&mut self, index: usize, error: &Error) {
        let arriving = self.arriving.remove(index);
        self.doomed.push(arriving.entering.give_up());
        self.reply(arriving.connection, &Reply::of_error(error), &[]);
    }

    fn begin_exec(&mut self, arriving: Arriving) -> Result<(Reply, Vec<OwnedFd>)> {
        base::crash_point!("exec.executed");
        let Arriving { exec, stdin, entering, .. } = arriving;
        let (child, ends) = entering.arrive();
        let terminal = exec.process.terminal;
        let mut streams = Streams::new(&exec.process, stdin);
        streams.connect(ends)?;
        let pid = child.pid().as_raw_nonzero().get();
        let record = Record {
            id: exec.id,
            running: true,
            pid,
            exit_code: None,
            terminal,
            started_at: Timestamp::now(),
            finished_at: Timestamp::ZERO,
        };
        // An exec whose record cannot be written runs all the same; its end is told to whoever is attached.
        let _ = record.write(self.directory.as_fd());
        base::crash_point!("exec.recorded");
        let mut descriptors = Vec::new();
        if let Some(attach) = exec.attach {
            descriptors.push(streams.attach(self.next_number(), attach)?);
        }
        let number = self.next_number();
        self.execs.push(Running { number, record, streams, child });
        Ok((Reply::Attached { terminal, pid }, descriptors))
    }

    /// Serves the streams of an exec, and takes note of its exit.
    pub(super) fn serve_exec(&mut self, number: u64) {
        let Some(index) = self.execs.iter().position(|exec| exec.number == number) else { return };
        self.execs[index].streams.serve_ends(None);
        let Some(code) = self.execs[index].child.reap() else { return };
        base::crash_point!("exec.reaped");
        let Running { mut record, mut streams, .. } = self.execs.remove(index);
        streams.drain(None);
        record.running = false;
        record.pid = 0;
        record.exit_code = Some(code);
        record.finished_at = Timestamp::now();
        // Before the streams end: whoever sees their end asks for the code.
        let _ = record.write(self.directory.as_fd());
        self.forget_oldest(record);
        streams.end();
        let leftover = streams.leftover();
        if leftover.has_clients() {
            self.leftovers.push((leftover, Instant::now() + LEFTOVER_PATIENCE));
        }
    }

    fn forget_oldest(&mut self, newest: Record) {
        self.finished_execs.push_back(newest.id);
        while self.finished_execs.len() > KEPT {
            if let Some(oldest) = self.finished_execs.pop_front() {
                let _ = Record::remove(self.directory.as_fd(), &oldest);
            }
        }
    }
}
