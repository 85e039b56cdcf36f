//! The user's terminal and a container's streams.

pub(crate) mod detach;
pub(crate) mod frames;
pub(crate) mod hold;
pub(crate) mod relay;
pub(crate) mod signals;
pub(crate) mod terminal;
