//! One command per file.

use crate::command::Entry;

pub(crate) const ROOT_USAGE: &str = "[OPTIONS] COMMAND";

pub(crate) static ROOT: &[(&str, &[Entry])] = &[];
