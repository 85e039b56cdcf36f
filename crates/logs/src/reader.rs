//! The reading end of a log.

use crate::entry::Entry;
use crate::segments::{self, Identity, Lines, Segment};
use crate::tail::{self, Start};
use base::time::Timestamp;
use base::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A longer line is no entry of ours: 16 KiB of text, each byte written in six, and generous attributes.
const LINE_LIMIT: usize = 1 << 20;

/// What to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadRequest {
    /// Only entries from then on.
    pub since: Option<Timestamp>,
    /// Only entries up to then.
    pub until: Option<Timestamp>,
    /// Of the entries that are there, only the last so many; `None`: all. Counted before anything else is left out, as Docker does.
    pub tail: Option<u64>,
    /// Whether entries that are written from now on are read too.
    pub follow: bool,
}

/// Reads a log, through rotation and while it is written.
#[derive(Debug)]
pub struct Reader {
    directory: OwnedFd,
    name: String,
    request: ReadRequest,
    /// Files behind the current one, the oldest first.
    segments: VecDeque<Segment>,
    current: Option<Lines>,
    /// How much of the newest file is read, when nothing that comes later is wanted.
    newest_limit: Option<(Identity, u64)>,
    skip_lines: u64,
    line: Vec<u8>,
    overlong: bool,
    /// Entries up to then were read before the thread was lost.
    last_time: Option<Timestamp>,
    resumed_after: Option<Timestamp>,
    over: bool,
    notifier: Option<OwnedFd>,
}

impl Reader {
    /// Opens the log `name` in `directory`. One that is not there yet has no entries.
    ///
    /// # Errors
    /// When a file cannot be opened.
    pub fn open(directory: BorrowedFd<'_>, name: &str, request: ReadRequest) -> Result<Self> {
        let notifier = if request.follow { Some(watch(directory)?) } else { None };
        let mut segments = segments::open_all(directory, name)?;
        let start = match request.tail {
            Some(wanted) if !segments.is_empty() => tail::find(&mut segments, wanted)?,
            _ => Start { segment: 0, skip_lines: 0, offset: 0 },
        };
        if let Some(segment) = segments.get_mut(start.segment) {
            segment.seek(start.offset)?;
        }
        let newest_limit = match segments.last() {
            Some(newest) if !request.follow => {
                let from = if start.segment + 1 == segments.len() { start.offset } else { 0 };
                Some((newest.identity, newest.size.saturating_sub(from)))
            }
            _ => None,
        };
        let mut segments: VecDeque<Segment> = segments.into_iter().skip(start.segment).collect();
        let mut skip_lines = start.skip_lines;
        if let Some(since) = request.since {
            // Nothing was written to a file after its last change.
            while segments.len() > 1 && segments[0].modified_seconds < since.unix_seconds() {
                segments.pop_front();
                skip_lines = 0;
            }
        }
        Ok(Self {
            directory: directory.try_clone_to_owned().context("keep the log's directory open")?,
            name: name.to_owned(),
            request,
            segments,
            current: None,
            newest_limit,
            skip_lines,
            line: Vec::new(),
            overlong: false,
            last_time: None,
            resumed_after: None,
            over: false,
            notifier,
        })
    }

    /// The next entry; `None` when there is none now. When following, there may be one later.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        while !self.over {
            if !self.next_line()? {
                return Ok(None);
            }
            let entry = Entry::decode(&self.line);
            self.line.clear();
            if self.skip_lines > 0 {
                self.skip_lines -= 1;
                continue;
            }
            let Some(entry) = entry else { continue };
            if self.resumed_after.is_some_and(|time| entry.time <= time) {
                continue;
            }
            self.last_time = Some(entry.time);
            if self.request.until.is_some_and(|until| entry.time > until) {
                self.over = true;
            } else if self.request.since.is_none_or(|since| entry.time >= since) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Waits until there may be a new entry, at most for `patience`.
    ///
    /// # Errors
    /// When the kernel cannot wait.
    pub fn wait(&self, patience: Duration) -> Result<()> {
        let Some(notifier) = &self.notifier else {
            std::thread::sleep(patience);
            return Ok(());
        };
        let timeout = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(patience.subsec_nanos()),
        };
        let mut polled = [PollFd::new(notifier, PollFlags::IN)];
        match rustix::event::poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).context("wait for the log"),
        }
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(notifier, &mut buffer);
        while events.next().is_ok() {}
        Ok(())
    }

    /// Puts the next whole line into `line`; `false` when there is none now.
    fn next_line(&mut self) -> Result<bool> {
        loop {
            if self.current.is_none() && !self.open_next()? {
                return Ok(false);
            }
            match self.read_line()? {
                Found::Line => return Ok(true),
                Found::Overlong => {}
                Found::End if !self.pass_end()? => return Ok(false),
                Found::End => {}
            }
        }
    }

    fn read_line(&mut self) -> Result<Found> {
        let Some(lines) = &mut self.current else { return Ok(Found::End) };
        let limit = self.newest_limit.as_mut().filter(|(identity, _)| *identity == lines.identity);
        let mut bound = limit.as_ref().map_or(u64::MAX, |(_, left)| *left);
        let found = loop {
            let available = lines.fill()?;
            let available = &available[..available.len().min(usize::try_from(bound).unwrap_or(usize::MAX))];
            if available.is_empty() {
                break Found::End;
            }
            let line_break = available.iter().position(|byte| *byte == b'\n');
            let length = line_break.unwrap_or(available.len());
            if self.line.len() + length > LINE_LIMIT {
                self.overlong = true;
            }
            if !self.overlong {
                self.line.extend_from_slice(&available[..length]);
            }
            let consumed = length + usize::from(line_break.is_some());
            lines.consume(consumed);
            bound -= consumed as u64;
            if line_break.is_some() {
                break if std::mem::take(&mut self.overlong) { Found::Overlong } else { Found::Line };
            }
        };
        if let Some((_, left)) = limit {
            *left = bound;
        }
        if matches!(found, Found::Overlong) {
            self.line.clear();
        }
        Ok(found)
    }

    /// Goes on behind the end of a file: `true` when there may be more to read at once.
    fn pass_end(&mut self) -> Result<bool> {
        let Some(lines) = &mut self.current else { return Ok(false) };
        let old = lines.identity;
        if self.segments.is_empty() {
            if !self.request.follow {
                self.over = true;
                return Ok(false);
            }
            // While there is no current file, the writer is about to make one.
            if segments::identity(self.directory.as_fd(), &self.name, 0)?.is_none_or(|newest| newest == old) {
                return Ok(false);
            }
            // It was rotated: what was written in between comes first.
            if !lines.fill()?.is_empty() {
                return Ok(true);
            }
            match segments::open_successor(self.directory.as_fd(), &self.name, old)? {
                Some(successor) => self.segments.push_back(successor),
                None => self.resume()?,
            }
        }
        // What a crash left without an end.
        self.line.clear();
        self.overlong = false;
        self.current = None;
        Ok(true)
    }

    /// Begins anew behind the last entry: rotation was faster than reading.
    fn resume(&mut self) -> Result<()> {
        self.resumed_after = self.last_time;
        self.segments = segments::open_all(self.directory.as_fd(), &self.name)?.into();
        Ok(())
    }

    fn open_next(&mut self) -> Result<bool> {
        if self.segments.is_empty() && self.request.follow {
            self.segments.extend(segments::open(self.directory.as_fd(), &self.name, 0)?);
        }
        let Some(segment) = self.segments.pop_front() else { return Ok(false) };
        self.current = Some(segment.lines()?);
        Ok(true)
    }
}

/// What reading came upon.
enum Found {
    Line,
    Overlong,
    End,
}

fn watch(directory: BorrowedFd<'_>) -> Result<OwnedFd> {
    let notifier = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).context("watch the log")?;
    let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
    inotify::add_watch(&notifier, path, WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO)
        .context("watch the log")?;
    Ok(notifier)
}
