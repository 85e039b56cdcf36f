//! Further processes in the container.

use super::process::Child;
use super::streams::Streams;
use super::{LEFTOVER_PATIENCE, Supervisor};
use crate::exec::{KEPT, Record};
use crate::plan::Stdin;
use crate::protocol::{Exec, Reply};
use crate::state::Status;
use base::time::Timestamp;
use base::{Error, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

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
}

impl Supervisor {
    pub(super) fn exec(&mut self, exec: Exec) -> Result<(Reply, Vec<OwnedFd>)> {
        let container = self.running()?;
        if self.state.status == Status::Paused {
            return Err(Error::conflict(format!(
                "Container {} is paused, unpause the container before exec",
                self.plan.id
            )));
        }
        base::crash_point!("exec.begun");
        let terminal = exec.process.terminal;
        let stdin = if exec.attach.is_some_and(|attach| attach.stdin) { Stdin::Once } else { Stdin::Closed };
        let mut process = exec.process;
        process.oom_score_adjustment.get_or_insert(self.oom_score_adjustment);
        let (child, ends) = container.exec(&process, stdin)?;
        base::crash_point!("exec.executed");
        let mut streams = Streams::new(&process, stdin);
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
