//! The reading end of the journal: read, follow, also through a rotation.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use base::time::Timestamp;
use base::{Context, Result, journal};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags, inotify};
use rustix::io::Errno;

/// Longest time that a follower sleeps before it looks again, should a notification be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With the oldest event that is kept.
    Oldest,
    /// With what happens from now on.
    Now,
}

/// The reading end.
#[derive(Debug)]
pub(super) struct Reader {
    root: OwnedFd,
    file: Option<File>,
    /// The file after this one is of the present.
    reads_older: bool,
    pending: Vec<u8>,
    notifier: Option<OwnedFd>,
}

impl Reader {
    pub(super) fn open(root: BorrowedFd<'_>, start: Start) -> Result<Self> {
        let root = root.try_clone_to_owned().context("keep the state root open")?;
        let older = if start == Start::Oldest { open_for_reading(root.as_fd(), journal::OLDER)? } else { None };
        let reads_older = older.is_some();
        let mut file = match older {
            Some(file) => Some(file),
            None => open_for_reading(root.as_fd(), journal::FILE)?,
        };
        if let (Start::Now, Some(file)) = (start, &mut file) {
            file.seek(SeekFrom::End(0)).context("find the journal's end")?;
        }
        Ok(Self { root, file, reads_older, pending: Vec::new(), notifier: None })
    }

    /// The next whole line; waits for one until `until`.
    pub(super) fn next_line(&mut self, until: Option<Timestamp>) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Ok(Some(line));
            }
            if self.read_more()? || self.advance()? {
                continue;
            }
            let now = Timestamp::now();
            if until.is_some_and(|until| until <= now) {
                return Ok(None);
            }
            self.await_change(until.map_or(LOOK_AGAIN, |until| until.since(now).min(LOOK_AGAIN)))?;
        }
    }

    fn read_more(&mut self) -> Result<bool> {
        let Some(file) = &mut self.file else { return Ok(false) };
        let mut chunk = [0; 8192];
        let count = file.read(&mut chunk).context("read the journal")?;
        self.pending.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }

    /// Goes to the file that follows, where this one was rotated away or did not exist yet.
    fn advance(&mut self) -> Result<bool> {
        let next = open_for_reading(self.root.as_fd(), journal::FILE)?;
        let same = match (&self.file, &next) {
            (Some(own), Some(next)) => identity(own)? == identity(next)?,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        if same && !self.reads_older {
            return Ok(false);
        }
        self.reads_older = false;
        self.notifier = None;
        self.file = next;
        self.pending.clear();
        Ok(self.file.is_some())
    }

    fn await_change(&mut self, patience: Duration) -> Result<()> {
        let notifier = match &self.notifier {
            Some(notifier) => notifier,
            None => {
                self.notifier = Some(watch(self.root.as_fd())?);
                // Something may have happened before the watch began.
                return Ok(());
            }
        };
        let timeout = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: i64::from(patience.subsec_nanos()) };
        match rustix::event::poll(&mut [PollFd::new(notifier, PollFlags::IN)], Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).context("wait for the journal"),
        }
        let mut drained = [0; 4096];
        let _ = rustix::io::read(notifier, &mut drained);
        Ok(())
    }
}

fn watch(root: BorrowedFd<'_>) -> Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
    let notifier = inotify::init(flags).context("watch the journal")?;
    let path = format!("/proc/self/fd/{}/{}", root.as_raw_fd(), journal::FILE);
    let events = inotify::WatchFlags::MODIFY | inotify::WatchFlags::MOVE_SELF;
    match inotify::add_watch(&notifier, &*path, events) {
        Ok(_) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno).context("watch the journal"),
    }
    let folder = format!("/proc/self/fd/{}", root.as_raw_fd());
    inotify::add_watch(&notifier, &*folder, inotify::WatchFlags::CREATE).context("watch the state root")?;
    Ok(notifier)
}

fn open_for_reading(root: BorrowedFd<'_>, name: &str) -> Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match rustix::fs::openat(root, name, flags, Mode::empty()) {
        Ok(file) => Ok(Some(File::from(file))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno).context("open the journal"),
    }
}

fn identity(file: &File) -> Result<(u64, u64)> {
    let status = rustix::fs::fstat(file.as_fd()).context("stat the journal")?;
    Ok((status.st_dev, status.st_ino))
}
