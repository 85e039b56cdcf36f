//! The handlers, by what they are about.

pub(crate) mod containers;
pub(crate) mod elsewhere;
pub(crate) mod execs;
pub(crate) mod images;
pub(crate) mod networks;
pub(crate) mod streams;
pub(crate) mod system;
pub(crate) mod transfer;
pub(crate) mod volumes;
