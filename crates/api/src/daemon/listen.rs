//! The sockets of a daemon: made for root and one group, taken over from a daemon that died, refused where one lives, and removed at the end.

use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base::{Context, Error, Result, file};
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode};
use rustix::process::Gid;

use crate::address::{Address, short_path};

/// How long another daemon may take to make its socket in the same directory.
const TURN_PATIENCE: Duration = Duration::from_secs(5);

/// A socket that is listened on. When it is dropped its file goes, unless another has taken its place.
#[derive(Debug)]
pub(super) struct Listener {
    host: String,
    socket: UnixListener,
    directory: OwnedFd,
    name: PathBuf,
    identity: (u64, u64),
}

impl Listener {
    /// Listens on `host`, for root and the members of `group`.
    ///
    /// # Errors
    /// `Conflict` where another daemon listens or something else has that name; otherwise as the system refuses it.
    pub(super) fn bind(host: &str, group: Option<u32>) -> Result<Self> {
        let address = Address::parse(host)?;
        let what = || format!("listen on {host}");
        if let Some(folder) = address.path().parent().filter(|folder| !folder.is_dir()) {
            // Members of the group must be able to get through.
            file::make_directories(folder, 0o711).with_context(what)?;
        }
        let (directory, name) = address.open_directory().with_context(what)?;
        take_turn(&directory);
        clear(host, &directory, &name)?;
        // From its first moment on nobody else may connect. There is one thread yet: the mask is the process's.
        let mask = rustix::process::umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(short_path(&directory, &name));
        rustix::process::umask(mask);
        let socket = bound.with_context(what)?;
        let stat = rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW).with_context(what)?;
        let listener = Self { host: host.to_owned(), socket, directory, name, identity: (stat.st_dev, stat.st_ino) };
        listener.open_to(group).with_context(what)?;
        // The turn ends here for others that bind in this directory.
        let _ = rustix::fs::flock(&listener.directory, FlockOperation::Unlock);
        Ok(listener)
    }

    fn open_to(&self, group: Option<u32>) -> rustix::io::Result<()> {
        if let Some(group) = group {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::chownat(&self.directory, &self.name, None, Some(Gid::from_raw(group)), flags)?;
        }
        rustix::fs::chmodat(&self.directory, &self.name, Mode::from_raw_mode(0o660), AtFlags::empty())
    }

    /// As the user named it.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The socket, for a runtime that never blocks.
    ///
    /// # Errors
    /// As dup(2).
    pub(super) fn socket(&self) -> Result<UnixListener> {
        let socket = self.socket.try_clone().context("share a socket")?;
        socket.set_nonblocking(true).context("share a socket")?;
        Ok(socket)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let found = rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        if found.is_ok_and(|stat| (stat.st_dev, stat.st_ino) == self.identity) {
            let _ = rustix::fs::unlinkat(&self.directory, &self.name, AtFlags::empty());
        }
    }
}

/// Waits until no other daemon is between its look at the socket's file and its own; the lock ends with the descriptor. It is given up after a while: in a
/// directory that everybody may open, everybody may hold it.
fn take_turn(directory: &OwnedFd) {
    let started = Instant::now();
    while rustix::fs::flock(directory.as_fd(), FlockOperation::NonBlockingLockExclusive).is_err()
        && started.elapsed() < TURN_PATIENCE
    {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Removes the file of a daemon that is gone.
fn clear(host: &str, directory: &OwnedFd, name: &PathBuf) -> Result<()> {
    let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        stat => stat.with_context(|| format!("listen on {host}"))?,
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(Error::conflict(format!(
            "listen on {host}: the file exists and is no socket: remove it or name another"
        )));
    }
    match UnixStream::connect(short_path(directory, name)) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            rustix::fs::unlinkat(directory, name, AtFlags::empty())
                .with_context(|| format!("remove the old socket of {host}"))
        }
        Err(error) => Err(error).with_context(|| format!("listen on {host}: see who listens there")),
        Ok(_) => Err(Error::conflict(format!("another daemon listens on {host}: end it, or name another socket"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Kind;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn sockets_are_made_taken_over_and_removed() {
        let folder = std::env::temp_dir().join(format!("berth-listen-{}", std::process::id())).join("d".repeat(120));
        let path = folder.join("x.sock");
        let host = format!("unix://{}", path.display());
        let listener = Listener::bind(&host, Some(0)).unwrap();
        assert_eq!(std::fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(Address::parse(&host).unwrap().connect().is_ok());
        let error = Listener::bind(&host, None).unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert!(error.to_string().starts_with("another daemon listens on "), "{error}");
        // A daemon that was killed leaves its file.
        let kept = listener.directory.try_clone().unwrap();
        rustix::fs::renameat(&kept, "x.sock", &kept, "old").unwrap();
        drop(listener);
        rustix::fs::renameat(&kept, "old", &kept, "x.sock").unwrap();
        drop(Listener::bind(&host, None).unwrap());
        assert!(!path.exists());
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(Listener::bind(&host, None).unwrap_err().kind(), Kind::Conflict);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        std::fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }
}
