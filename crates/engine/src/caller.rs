//! Who asks, through which listener, under which policy.
//!
//! A policy is decided here, where a request is executed, on the engine's own request types; never on a URL or a body.

use base::{Error, Result};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Where the request came in.
    pub listener: Listener,
    /// User id of the peer, where the kernel told it.
    pub user: Option<u32>,
    /// What it may do.
    pub policy: Policy,
}

/// Where a request came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The process that hosts the engine asks for itself: the command line.
    InProcess,
    /// A socket, named as the user named it.
    Socket(String),
    /// The engine itself: a helper that a supervisor started, the boot.
    Engine,
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Everything.
    #[default]
    Everything,
    /// Only what changes nothing.
    ReadOnly,
}

/// What an operation does to the state, which is what a policy decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Shows something.
    Read,
    /// Changes something, or lets the caller into a container.
    Change,
}

impl Caller {
    /// The process that hosts the engine.
    #[must_use]
    pub fn in_process() -> Self {
        Self { listener: Listener::InProcess, user: None, policy: Policy::Everything }
    }

    /// The engine on its own behalf.
    #[must_use]
    pub fn engine() -> Self {
        Self { listener: Listener::Engine, user: None, policy: Policy::Everything }
    }

    /// A peer of a socket, who may do everything.
    #[must_use]
    pub fn socket(name: impl Into<String>, user: Option<u32>) -> Self {
        Self { listener: Listener::Socket(name.into()), user, policy: Policy::Everything }
    }

    /// Whether this caller may do `operation`; `what` is the verb and its object, for the message.
    ///
    /// # Errors
    /// `Denied` when the policy has it not on its list.
    pub fn permit(&self, operation: Operation, what: &str) -> Result<()> {
        match (self.policy, operation) {
            (Policy::Everything, _) | (Policy::ReadOnly, Operation::Read) => Ok(()),
            (Policy::ReadOnly, Operation::Change) => {
                Err(Error::denied(format!("{what}: this listener only allows reading")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_changes_nothing() {
        let reader = Caller { policy: Policy::ReadOnly, ..Caller::in_process() };
        assert!(reader.permit(Operation::Read, "list containers").is_ok());
        assert!(reader.permit(Operation::Change, "start web").is_err());
        assert!(Caller::engine().permit(Operation::Change, "start web").is_ok());
    }
}
