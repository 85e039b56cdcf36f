//! The commands, one per file, in folders by what they act on.
//!
//! The tables say under which names a command is found; their order is that of the help.

mod container;
mod image;
mod inspect;
mod network;
mod system;
mod volume;

use crate::command::Entry;

pub(crate) const ROOT_USAGE: &str = "[OPTIONS] COMMAND";

/// What stands right after the program's name, in the sections of its help.
pub(crate) static ROOT: &[(&str, &[Entry])] =
    &[("Common Commands:", COMMON), ("Management Commands:", MANAGEMENT), ("Commands:", OTHERS)];

static COMMON: &[Entry] = &[
    Entry::new("run", &container::RUN),
    Entry::new("exec", &container::EXEC),
    Entry::new("ps", &container::LIST),
    Entry::new("images", &image::LIST),
    Entry::new("pull", &image::PULL),
    Entry::new("push", &image::PUSH),
    Entry::new("version", &system::VERSION),
    Entry::new("info", &system::INFO),
];

static MANAGEMENT: &[Entry] = &[
    Entry::new("container", &container::GROUP),
    Entry::new("image", &image::GROUP),
    Entry::new("network", &network::GROUP),
    Entry::new("system", &system::GROUP),
    Entry::new("volume", &volume::GROUP),
];

static OTHERS: &[Entry] = &[
    Entry::new("attach", &container::ATTACH),
    Entry::new("create", &container::CREATE),
    Entry::new("daemon", &system::DAEMON),
    Entry::new("events", &system::EVENTS),
    Entry::new("history", &image::HISTORY),
    Entry::new("import", &image::IMPORT),
    Entry::new("inspect", &inspect::INSPECT),
    Entry::new("kill", &container::KILL),
    Entry::new("logs", &container::LOGS),
    Entry::new("pause", &container::PAUSE),
    Entry::new("port", &container::PORT),
    Entry::new("rename", &container::RENAME),
    Entry::new("restart", &container::RESTART),
    Entry::new("rm", &container::REMOVE),
    Entry::new("rmi", &image::REMOVE),
    Entry::new("start", &container::START),
    Entry::new("stop", &container::STOP),
    Entry::new("tag", &image::TAG),
    Entry::new("unpause", &container::UNPAUSE),
    Entry::new("update", &container::UPDATE),
    Entry::new("wait", &container::WAIT),
];
