//! The one error type of the project.
//!
//! An error has a [`Kind`], on which programs branch, and a message, which people read. The message is never parsed.

use std::error::Error as StdError;
use std::fmt::{self, Display};

/// A result with the project's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a program may decide on it.
///
/// Each kind maps once to an HTTP status ([`Kind::http_status`]) and an exit code ([`Kind::exit_code`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request itself is wrong; repeating it cannot help.
    Invalid,
    /// The other side wants credentials, or refused those that it got.
    Unauthenticated,
    /// The request is understood and refused: a policy, a permission, a read-only place.
    Denied,
    /// The named thing does not exist.
    NotFound,
    /// The request contradicts the present state: a name in use, a container that runs.
    Conflict,
    /// The state already is what was asked for.
    Unchanged,
    /// This engine or this kernel cannot do it.
    Unsupported,
    /// Another service did not answer, or asks to come back later.
    Unavailable,
    /// A disk, a quota or another bound is full.
    Exhausted,
    /// Data on disk or from elsewhere contradicts itself.
    Corrupt,
    /// Anything else: the system refused what should have worked.
    Internal,
    /// The container's command does not exist (exit code 127).
    CommandNotFound,
    /// The container's command exists and cannot be executed (exit code 126).
    CommandNotRunnable,
}

/// Every kind and its name. Programs of other versions read the names: they never change.
const NAMES: [(Kind, &str); 13] = [
    (Kind::Invalid, "invalid"),
    (Kind::Unauthenticated, "unauthenticated"),
    (Kind::Denied, "denied"),
    (Kind::NotFound, "not-found"),
    (Kind::Conflict, "conflict"),
    (Kind::Unchanged, "unchanged"),
    (Kind::Unsupported, "unsupported"),
    (Kind::Unavailable, "unavailable"),
    (Kind::Exhausted, "exhausted"),
    (Kind::Corrupt, "corrupt"),
    (Kind::Internal, "internal"),
    (Kind::CommandNotFound, "command-not-found"),
    (Kind::CommandNotRunnable, "command-not-runnable"),
];

impl Kind {
    /// Its name between programs, as in `not-found`.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(kind, _)| *kind == self).map_or("internal", |(_, name)| name)
    }

    /// The kind with this name; a name of a later version is [`Kind::Internal`].
    #[must_use]
    pub fn named(name: &str) -> Self {
        NAMES.iter().find(|(_, known)| *known == name).map_or(Self::Internal, |(kind, _)| *kind)
    }

    /// The kind that a status stands for, where nothing tells more: the first one that is reported with it.
    #[must_use]
    pub fn of_http_status(status: u16) -> Self {
        let of_status = NAMES.iter().find(|(kind, _)| status != 500 && kind.http_status() == status);
        of_status.map_or(Self::Internal, |(kind, _)| *kind)
    }

    /// The status with which the Docker Engine API reports this kind.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Invalid | Self::CommandNotFound | Self::CommandNotRunnable => 400,
            Self::Unauthenticated => 401,
            Self::Denied => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Unchanged => 304,
            Self::Unsupported => 501,
            Self::Unavailable => 503,
            Self::Exhausted | Self::Corrupt | Self::Internal => 500,
        }
    }

    /// The exit code of `run`, `create` and `exec` when they fail before the container's own process decides it.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::CommandNotFound => 127,
            Self::CommandNotRunnable => 126,
            _ => 125,
        }
    }
}

/// An error: a kind, a message that names object and action, and the cause where there is one.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {
        impl Error {
            $(
                #[doc = concat!("An error of kind [`Kind::", stringify!($kind), "`].")]
                #[must_use]
                pub fn $name(message: impl Into<String>) -> Self {
                    Self::new(Kind::$kind, message)
                }
            )*
        }
    };
}

constructors! {
    invalid => Invalid,
    unauthenticated => Unauthenticated,
    denied => Denied,
    not_found => NotFound,
    conflict => Conflict,
    unchanged => Unchanged,
    unsupported => Unsupported,
    unavailable => Unavailable,
    exhausted => Exhausted,
    corrupt => Corrupt,
    internal => Internal,
    command_not_found => CommandNotFound,
    command_not_runnable => CommandNotRunnable,
}

impl Error {
    /// An error of `kind` that says `message`.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    /// The kind, which no later context changes.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The same error under another kind, for a caller that knows better what it means.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Puts `what:` before the message.
    #[must_use]
    pub fn context(mut self, what: impl Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// The same as [`Kind::http_status`] of its kind.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        self.0.kind.http_status()
    }

    /// The same as [`Kind::exit_code`] of its kind.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.0.kind.exit_code()
    }

    /// The errno behind this error, where a system call was the cause.
    #[must_use]
    pub fn errno(&self) -> Option<rustix::io::Errno> {
        let source = self.0.source.as_deref()?;
        if let Some(errno) = source.downcast_ref::<rustix::io::Errno>() {
            return Some(*errno);
        }
        rustix::io::Errno::from_io_error(source.downcast_ref::<std::io::Error>()?)
    }
}

impl Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.0.kind, self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Turns any failure into an [`Error`] that says what was attempted.
///
/// Errors of the system get their kind from the errno: a full disk or quota is [`Kind::Exhausted`], a refused
/// permission is [`Kind::Denied`], all others are [`Kind::Internal`]; who knows better uses [`Error::with_kind`].
pub trait Context<T> {
    /// Puts `what:` before the failure's own message.
    fn context(self, what: impl Display) -> Result<T>;
    /// The same, with a message that is only made on failure.
    fn with_context<D: Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E: Failure> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl Display) -> Result<T> {
        self.map_err(|failure| failure.into_error().context(what))
    }

    fn with_context<D: Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|failure| failure.into_error().context(what()))
    }
}

/// What [`Context`] can be asked of.
pub trait Failure {
    /// The failure as the project's error, without context.
    fn into_error(self) -> Error;
}

impl Failure for Error {
    fn into_error(self) -> Error {
        self
    }
}

impl Failure for rustix::io::Errno {
    fn into_error(self) -> Error {
        let message = std::io::Error::from(self).to_string();
        // std appends the number: it tells a person nothing that the words do not.
        let message = message.split(" (os error").next().unwrap_or_default().to_lowercase();
        Error(Box::new(Inner { kind: kind_of(self), message, source: Some(Box::new(self)) }))
    }
}

impl Failure for std::io::Error {
    fn into_error(self) -> Error {
        match rustix::io::Errno::from_io_error(&self) {
            Some(errno) => errno.into_error(),
            None => {
                Error(Box::new(Inner { kind: Kind::Internal, message: self.to_string(), source: Some(Box::new(self)) }))
            }
        }
    }
}

impl Failure for serde_json::Error {
    fn into_error(self) -> Error {
        Error(Box::new(Inner { kind: Kind::Corrupt, message: self.to_string(), source: Some(Box::new(self)) }))
    }
}

fn kind_of(errno: rustix::io::Errno) -> Kind {
    use rustix::io::Errno;
    match errno {
        Errno::NOSPC | Errno::DQUOT => Kind::Exhausted,
        Errno::PERM | Errno::ACCESS => Kind::Denied,
        _ => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn context_keeps_kind_and_reads_outside_in() {
        let failed: Result<(), _> = Err(Errno::NOSPC);
        let error = failed.context("write state.json").context("start web").unwrap_err();
        assert_eq!(error.to_string(), "start web: write state.json: no space left on device");
        assert_eq!(error.kind(), Kind::Exhausted);
        assert_eq!(error.errno(), Some(Errno::NOSPC));
    }

    #[test]
    fn names_and_statuses_are_read_back() {
        for (kind, name) in NAMES {
            assert_eq!((kind.name(), Kind::named(name)), (name, kind));
            assert_eq!(Kind::of_http_status(kind.http_status()).http_status(), kind.http_status());
        }
        assert_eq!(Kind::named("of a later version"), Kind::Internal);
        assert_eq!((Kind::of_http_status(500), Kind::of_http_status(418)), (Kind::Internal, Kind::Internal));
        assert_eq!((Kind::of_http_status(400), Kind::of_http_status(404)), (Kind::Invalid, Kind::NotFound));
    }

    #[test]
    fn exit_codes_are_dockers() {
        assert_eq!(Error::command_not_found("x").exit_code(), 127);
        assert_eq!(Error::command_not_runnable("x").exit_code(), 126);
        assert_eq!(Error::conflict("x").exit_code(), 125);
    }
}
