//! Where an engine listens: `unix:///path`, as `--host` and `DOCKER_HOST` name it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use base::{Error, Result};
use rustix::fs::{Mode, OFlags};

/// What `unix://` without a path means.
const DEFAULT_PATH: &str = "/run/berth/berth.sock";
/// Longer paths do not fit into a socket's address (`unix(7)`: `sun_path` has 108 bytes, the last a zero).
const DIRECT_LIMIT_BYTES: usize = 107;

/// The path of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    path: PathBuf,
}

impl Address {
    /// Reads `unix:///path`.
    ///
    /// # Errors
    /// `Unsupported` for Docker's other kinds of hosts; `Invalid` for what is none.
    pub(crate) fn parse(host: &str) -> Result<Self> {
        let invalid = || Error::invalid(format!("malformed host {host:?}: use unix:///path/of/the/socket"));
        let (scheme, path) = host.split_once("://").ok_or_else(invalid)?;
        match scheme {
            "unix" => {}
            "tcp" | "http" | "https" | "ssh" | "npipe" | "fd" => {
                return Err(Error::unsupported(format!(
                    "not supported: the host {host}: use unix:///path/of/the/socket; \
                     `ssh -L /path/here:/path/there` brings a socket from elsewhere"
                )));
            }
            _ => return Err(invalid()),
        }
        let path = PathBuf::from(if path.is_empty() { DEFAULT_PATH } else { path });
        if !path.is_absolute()
            || path.file_name().is_none()
            || host.contains('\0')
            || host.ends_with('/') && host.len() > 7
        {
            return Err(invalid());
        }
        Ok(Self { path })
    }

    /// The path of the socket.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the directory of the socket, and names it there.
    pub(crate) fn open_directory(&self) -> io::Result<(OwnedFd, PathBuf)> {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        Ok((rustix::fs::open(folder, flags, Mode::empty())?, PathBuf::from(name)))
    }

    /// Connects to whoever listens there.
    pub(crate) fn connect(&self) -> io::Result<UnixStream> {
        if self.path.as_os_str().len() <= DIRECT_LIMIT_BYTES {
            return UnixStream::connect(&self.path);
        }
        let (directory, name) = self.open_directory()?;
        UnixStream::connect(short_path(&directory, &name))
    }
}

/// A path of a file in an open directory, short enough for a socket's address.
pub(crate) fn short_path(directory: &OwnedFd, name: &Path) -> PathBuf {
    Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Kind;

    #[test]
    fn only_sockets_are_hosts() {
        let path = |host: &str| Address::parse(host).unwrap().path;
        assert_eq!(path("unix:///run/x.sock"), Path::new("/run/x.sock"));
        assert_eq!(path("unix://"), Path::new(DEFAULT_PATH));
        for (host, kind) in [
            ("tcp://127.0.0.1:2375", Kind::Unsupported),
            ("ssh://root@host", Kind::Unsupported),
            ("fd://", Kind::Unsupported),
            ("unix://relative.sock", Kind::Invalid),
            ("unix:///", Kind::Invalid),
            ("unix:///run/x/", Kind::Invalid),
            ("/run/x.sock", Kind::Invalid),
            ("gopher://x", Kind::Invalid),
            ("", Kind::Invalid),
        ] {
            assert_eq!(Address::parse(host).unwrap_err().kind(), kind, "{host}");
        }
    }
}
