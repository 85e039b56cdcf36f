//! What a command line may say: flags and their kinds, as tables.
//!
//! The grammar is that of Docker's command line (Go's pflag): `--flag value`, `--flag=value`, `-f value`, `-fvalue`, `-f=value`,
//! combined `-it`, booleans that take `=false`, and commands whose flags end at the first other argument. clap was tried on it and
//! cannot tell an unknown flag before the image from the command after it, so the walker is our own; the tables are constants, so
//! starting costs nothing for commands that are not called.

mod help;
mod parse;

pub(crate) use help::{command_help, group_help, root_help, usage_line};
pub(crate) use parse::{Matches, parse};

/// What a flag takes, which also is the word that its help shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing, or `=true` and `=false`.
    Switch,
    /// Text; the last one counts.
    Text,
    /// A signed number.
    Integer,
    /// A number without a sign.
    Unsigned,
    /// A number with decimals.
    Decimal,
    /// A size in bytes with an optional unit; `-1` where [`Kind::BytesOrUnlimited`] says so.
    Bytes,
    /// The same, or `-1` for no limit.
    BytesOrUnlimited,
    /// A duration in Go's notation.
    Duration,
    /// Text that may be given many times; the string is the word that the help shows.
    List(&'static str),
}

/// Whether a flag does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// It does.
    Works,
    /// It is Docker's, it parses, and using it is an error that says so.
    Refused,
    /// It works and is not shown by the help.
    Hidden,
}

/// One flag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) short: Option<char>,
    /// An older name that still works and is not shown.
    pub(crate) former: Option<&'static str>,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
    /// What counts when the flag is absent, as the help shows it.
    pub(crate) default: Option<&'static str>,
    pub(crate) support: Support,
}

impl Flag {
    const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, short: None, former: None, kind, help, default: None, support: Support::Works }
    }

    pub(crate) const fn switch(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Switch, help)
    }

    pub(crate) const fn text(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Text, help)
    }

    pub(crate) const fn integer(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Integer, help)
    }

    pub(crate) const fn bytes(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Bytes, help)
    }

    pub(crate) const fn duration(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Duration, help).default("0s")
    }

    pub(crate) const fn list(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::List("list"), help)
    }

    pub(crate) const fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    pub(crate) const fn former(mut self, former: &'static str) -> Self {
        self.former = Some(former);
        self
    }

    pub(crate) const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    pub(crate) const fn refused(mut self) -> Self {
        self.support = Support::Refused;
        self
    }

    pub(crate) const fn hidden(mut self) -> Self {
        self.support = Support::Hidden;
        self
    }

    /// `-m, --memory` or `--rm`: how errors name the flag.
    pub(crate) fn spelled(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.name),
            None => format!("--{}", self.name),
        }
    }
}

/// How many arguments that are not flags a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arity {
    None,
    Exactly(usize),
    AtLeast(usize),
    AtMost(usize),
    Between(usize, usize),
}

impl Arity {
    /// What is wrong with `count` arguments, in the words of Docker; nothing when they are right.
    pub(crate) fn complaint(self, count: usize) -> Option<String> {
        let plural = |number: usize| if number == 1 { "argument" } else { "arguments" };
        match self {
            Self::None if count > 0 => Some("accepts no arguments".into()),
            Self::Exactly(wanted) if count != wanted => Some(format!("requires {wanted} {}", plural(wanted))),
            Self::AtLeast(wanted) if count < wanted => Some(format!("requires at least {wanted} {}", plural(wanted))),
            Self::AtMost(wanted) if count > wanted => Some(format!("requires at most {wanted} {}", plural(wanted))),
            Self::Between(least, most) if count < least || count > most => {
                Some(format!("requires at least {least} and at most {most} arguments"))
            }
            _ => None,
        }
    }
}

/// Where flags may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Anywhere before `--`.
    Anywhere,
    /// Only before the first other argument: what follows belongs to the container's command.
    First,
}
