//! Execs between their creation and their start, and what was asked of those that were started.
//!
//! `execs/<id>.prepared` waits for its start, which renames it to `execs/<id>.request`: nobody starts it twice, whatever process it comes to.
//! Ids of execs begin as that of their container does, so that an exec is found without a look into every container.

use std::os::fd::{AsFd, OwnedFd};

use base::file::{self, Durability};
use base::id::Id;
use base::{Context, Error, Result, crash_point};
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use supervisor::exec::Record;

use super::ExecRequest;
use crate::containers::record::Container;
use crate::layout;
use crate::root::Root;

const PREPARED: &str = ".prepared";
const REQUEST: &str = ".request";
/// So many digits of an exec's id are its container's.
const SHARED_DIGITS: usize = 16;
/// From this number of files on, the oldest make room.
const FILES_LIMIT: usize = 400;
/// So many are left then: more than the supervisor keeps records of.
const FILES_KEPT: usize = 200;

/// What is kept of one exec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) request: ExecRequest,
    /// The exit code of one that could not be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<i32>,
}

/// An exec that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: Id,
    pub(super) container: Container,
    pub(super) kept: Kept,
    /// What the supervisor says of it; `None`: nothing yet, or nothing any more.
    pub(super) record: Option<Record>,
    /// Whether its start began.
    pub(super) is_claimed: bool,
}

/// Keeps a request until its start, and returns the id of the exec.
pub(super) fn keep(container: &Container, request: ExecRequest) -> Result<Id> {
    let random = Id::random()?;
    let id = [&container.id.as_str()[..SHARED_DIGITS], &random.as_str()[SHARED_DIGITS..]].concat();
    let id: Id = id.parse()?;
    let folder = file::make_directory_at(container.directory.as_fd(), layout::EXECS, 0o700)?;
    make_room(&folder, container)?;
    crash_point!("exec.before-prepared");
    file::replace_json(folder.as_fd(), &name(&id, PREPARED), &Kept { request, failed: None }, Durability::Lazy)?;
    Ok(id)
}

/// The exec of this id.
///
/// # Errors
/// `NotFound` in Docker's words.
pub(super) fn find(root: &Root, text: &str) -> Result<Found> {
    let missing = || Error::not_found(format!("No such exec instance: {text}"));
    let id: Id = text.parse().map_err(|_| missing())?;
    let shared = &id.as_str()[..SHARED_DIGITS];
    for owner in root.container_ids()? {
        if !owner.as_str().starts_with(shared) {
            continue;
        }
        let Some(container) = root.load(&owner)? else { continue };
        let Some(folder) = folder(&container)? else { continue };
        // Renamed from one to the other: in this order neither is missed.
        let mut kept: Option<Kept> = file::read_json(folder.as_fd(), &name(&id, PREPARED))?;
        let is_claimed = kept.is_none();
        if is_claimed {
            kept = file::read_json(folder.as_fd(), &name(&id, REQUEST))?;
        }
        if let Some(kept) = kept {
            let record = Record::read(container.directory.as_fd(), &id)?;
            return Ok(Found { id, container, kept, record, is_claimed });
        }
    }
    Err(missing())
}

/// Takes an exec for the one start that it has.
///
/// # Errors
/// `Conflict` when it was started before.
pub(super) fn claim(found: &Found) -> Result<()> {
    let refuse = |what: &str| Err(Error::conflict(format!("exec command {} {what}", found.id)));
    let is_running = found.record.as_ref().is_some_and(|record| record.running);
    match (found.is_claimed, is_running) {
        (true, true) => return refuse("is already running"),
        (true, false) => return refuse("has already run"),
        (false, _) => {}
    }
    let folder = folder(&found.container)?.ok_or_else(|| Error::internal("the folder of execs is gone"))?;
    let (from, to) = (name(&found.id, PREPARED), name(&found.id, REQUEST));
    match rustix::fs::renameat_with(&folder, &from, &folder, &to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::NOENT | Errno::EXIST) => refuse("is already running"),
        Err(errno) => Err(errno).context("take an exec for its start"),
    }
}

/// Notes that an exec could not be started. Only for show: what cannot be noted is not.
pub(super) fn note_failure(found: &Found, exit_code: i32) {
    if let Ok(Some(folder)) = folder(&found.container) {
        let kept = Kept { failed: Some(exit_code), ..found.kept.clone() };
        let _ = file::replace_json(folder.as_fd(), &name(&found.id, REQUEST), &kept, Durability::Lazy);
    }
}

/// Ids of execs whose records say that they run.
pub(super) fn running(container: &Container) -> Result<Vec<Id>> {
    let Some(folder) = folder(container)? else { return Ok(Vec::new()) };
    let mut ids = Vec::new();
    for name in names(&folder)? {
        let Some(id) = name.strip_suffix(".json").and_then(|id| id.parse::<Id>().ok()) else { continue };
        if let Ok(Some(record)) = Record::read(container.directory.as_fd(), &id)
            && record.running
        {
            ids.push(id);
        }
    }
    ids.sort();
    Ok(ids)
}

fn folder(container: &Container) -> Result<Option<OwnedFd>> {
    match file::open_directory_at(container.directory.as_fd(), layout::EXECS) {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if error.errno() == Some(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn name(id: &Id, suffix: &str) -> String {
    format!("{id}{suffix}")
}

fn names(folder: &OwnedFd) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder).context("list the execs")? {
        let entry = entry.context("list the execs")?;
        names.extend(entry.file_name().to_str().ok().map(str::to_owned));
    }
    Ok(names)
}

/// Forgets the oldest that do not run, where there are too many.
fn make_room(folder: &OwnedFd, container: &Container) -> Result<()> {
    let ours = |name: &String| name.ends_with(PREPARED) || name.ends_with(REQUEST);
    let names: Vec<String> = names(folder)?.into_iter().filter(ours).collect();
    if names.len() < FILES_LIMIT {
        return Ok(());
    }
    let running = running(container)?;
    let mut aged = Vec::new();
    for name in names {
        if running.iter().any(|id| name.starts_with(id.as_str())) {
            continue;
        }
        if let Ok(status) = rustix::fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            aged.push((status.st_mtime, status.st_mtime_nsec, name));
        }
    }
    aged.sort();
    let surplus = aged.len().saturating_sub(FILES_KEPT);
    for (_, _, name) in aged.into_iter().take(surplus) {
        file::remove(folder.as_fd(), &name)?;
    }
    Ok(())
}
