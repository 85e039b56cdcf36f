//! Arguments against a table of flags.

use base::{Error, Result};

use super::{Flag, Kind, Order, Support};

/// The arguments are not what the command takes; the message is Docker's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsageError(pub(crate) String);

/// What a command line said.
#[derive(Debug)]
pub(crate) struct Matches {
    tables: &'static [&'static [Flag]],
    values: Vec<(&'static Flag, String)>,
    /// What is not a flag, in order.
    pub(crate) arguments: Vec<String>,
    /// `--help` was among the flags.
    pub(crate) help: bool,
}

impl Matches {
    /// Whether a switch is on, by the line or by default.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.text(name).or(self.flag(name).default) == Some("true")
    }

    /// The last value of a flag that the line gives.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        debug_assert!(self.flag(name).name == name);
        self.values.iter().rev().find(|(flag, _)| flag.name == name).map(|(_, value)| value.as_str())
    }

    /// All values of a flag, in order.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        debug_assert!(self.flag(name).name == name);
        self.values.iter().filter(|(flag, _)| flag.name == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether the line gives no flag at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The number that a flag of a numeric kind got; sizes are in bytes, durations in nanoseconds.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        // The value has been checked when it was parsed, so a failure here can only be a flag of another kind.
        self.text(name).and_then(|text| number_of(self.flag(name).kind, text).ok())
    }

    /// The flags that the line gives, each once, in the order of the tables.
    fn given(&self) -> impl Iterator<Item = &'static Flag> {
        let flags = self.tables.iter().flat_map(|table| table.iter());
        flags.filter(|flag| self.values.iter().any(|(given, _)| given.name == flag.name))
    }

    /// The first flag that is used and that berth does not have; a switch that is set to its default is not used.
    ///
    /// # Errors
    /// `Unsupported` with `not supported: --flag`.
    pub(crate) fn refuse_unsupported(&self) -> Result<()> {
        let used = |flag: &&Flag| {
            flag.support == Support::Refused
                && !(flag.kind == Kind::Switch && self.text(flag.name) == Some(flag.default.unwrap_or("false")))
        };
        match self.given().find(used) {
            Some(flag) => Err(Error::unsupported(format!("not supported: --{}", flag.name))),
            None => Ok(()),
        }
    }

    fn flag(&self, name: &str) -> &'static Flag {
        static UNKNOWN: Flag = Flag::switch("", "");
        long(self.tables, name).unwrap_or(&UNKNOWN)
    }
}

/// Splits `arguments` into flags and the rest.
///
/// # Errors
/// The first flag that is unknown, lacks its value, or has one of the wrong kind.
pub(crate) fn parse(
    tables: &'static [&'static [Flag]],
    order: Order,
    arguments: &[String],
) -> Result<Matches, UsageError> {
    let mut matches = Matches { tables, values: Vec::new(), arguments: Vec::new(), help: false };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            matches.arguments.extend(rest.cloned());
            break;
        } else if let Some(flag) = argument.strip_prefix("--") {
            take_long(&mut matches, flag, &mut rest)?;
        } else if argument.len() > 1 && argument.starts_with('-') {
            take_short(&mut matches, argument, &mut rest)?;
        } else {
            matches.arguments.push(argument.clone());
            if order == Order::First {
                matches.arguments.extend(rest.cloned());
                break;
            }
        }
        if matches.help {
            break;
        }
    }
    Ok(matches)
}

fn take_long<'a>(
    matches: &mut Matches,
    text: &str,
    rest: &mut impl Iterator<Item = &'a String>,
) -> Result<(), UsageError> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if name.is_empty() || name.starts_with('-') {
        return Err(UsageError(format!("bad flag syntax: --{text}")));
    }
    let Some(flag) = long(matches.tables, name) else {
        if name == "help" {
            matches.help = true;
            return Ok(());
        }
        return Err(UsageError(format!("unknown flag: --{name}")));
    };
    let value = match (value, flag.kind) {
        (Some(value), _) => value.to_owned(),
        (None, Kind::Switch) => "true".to_owned(),
        (None, _) => match rest.next() {
            Some(value) => value.clone(),
            None => return Err(UsageError(format!("flag needs an argument: --{name}"))),
        },
    };
    add(matches, flag, value)
}

fn take_short<'a>(
    matches: &mut Matches,
    argument: &str,
    rest: &mut impl Iterator<Item = &'a String>,
) -> Result<(), UsageError> {
    let mut letters = argument[1..].chars();
    while let Some(letter) = letters.next() {
        let Some(flag) = short(matches.tables, letter) else {
            if letter == 'h' {
                matches.help = true;
                return Ok(());
            }
            return Err(UsageError(format!("unknown shorthand flag: '{letter}' in {argument}")));
        };
        let remainder = letters.as_str();
        let value = match (remainder.strip_prefix('='), flag.kind) {
            (Some(value), _) => value.to_owned(),
            (None, Kind::Switch) => {
                add(matches, flag, "true".to_owned())?;
                continue;
            }
            (None, _) if !remainder.is_empty() => remainder.to_owned(),
            (None, _) => match rest.next() {
                Some(value) => value.clone(),
                None => return Err(UsageError(format!("flag needs an argument: '{letter}' in {argument}"))),
            },
        };
        return add(matches, flag, value);
    }
    Ok(())
}

fn add(matches: &mut Matches, flag: &'static Flag, value: String) -> Result<(), UsageError> {
    let wrong = |reason: String| {
        UsageError(format!("invalid argument {} for \"{}\" flag: {reason}", quoted(&value), flag.spelled()))
    };
    let value = match flag.kind {
        Kind::Switch => boolean_of(&value).ok_or_else(|| wrong("not a boolean: use true or false".into()))?.to_string(),
        Kind::Text | Kind::List(_) => value,
        Kind::Decimal => match value.parse::<f64>() {
            Ok(number) if number.is_finite() => value,
            _ => return Err(wrong(format!("failed to parse {value} as a rational number"))),
        },
        kind => {
            number_of(kind, &value).map_err(&wrong)?;
            value
        }
    };
    matches.values.push((flag, value));
    Ok(())
}

/// What Go's `strconv.ParseBool` takes.
fn boolean_of(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn number_of(kind: Kind, text: &str) -> Result<i64, String> {
    let message = |error: Error| error.to_string();
    match kind {
        Kind::Integer => text.parse().map_err(|_| "not a whole number".to_owned()),
        Kind::Unsigned => match text.parse::<i64>() {
            Ok(number) if number >= 0 => Ok(number),
            _ => Err("not a whole number of zero or more".to_owned()),
        },
        Kind::BytesOrUnlimited if text == "-1" => Ok(-1),
        Kind::Bytes | Kind::BytesOrUnlimited => {
            let bytes = base::size::parse_bytes(text).map_err(message)?;
            i64::try_from(bytes).map_err(|_| "too large".to_owned())
        }
        Kind::Duration => {
            let duration = base::duration::parse_go(text).map_err(message)?;
            i64::try_from(duration.as_nanos()).map_err(|_| "too large".to_owned())
        }
        Kind::Switch | Kind::Text | Kind::Decimal | Kind::List(_) => Err("not a number".to_owned()),
    }
}

fn long(tables: &'static [&'static [Flag]], name: &str) -> Option<&'static Flag> {
    tables.iter().flat_map(|table| table.iter()).find(|flag| flag.name == name || flag.former == Some(name))
}

fn short(tables: &'static [&'static [Flag]], letter: char) -> Option<&'static Flag> {
    tables.iter().flat_map(|table| table.iter()).find(|flag| flag.short == Some(letter))
}

/// `text` in double quotes, with quotes, backslashes and control characters escaped.
pub(crate) fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: &[Flag] = &[
        Flag::switch("interactive", "").short('i'),
        Flag::switch("tty", "").short('t'),
        Flag::switch("sig-proxy", "").default("true"),
        Flag::list("env", "").short('e'),
        Flag::text("network", "").former("net"),
        Flag::bytes("memory", "").short('m'),
        Flag::integer("last", "").short('n').default("-1"),
        Flag::switch("gpus", "").refused(),
        Flag::text("runtime", "").refused(),
        Flag::text("hostname", "").short('h'),
    ];
    static TABLES: &[&[Flag]] = &[TABLE];

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn ok(order: Order, line: &str) -> Matches {
        parse(TABLES, order, &words(line)).unwrap()
    }

    #[test]
    fn every_spelling_of_a_flag() {
        for line in ["-e A=1", "-eA=1", "-e=A=1", "--env A=1", "--env=A=1"] {
            assert_eq!(ok(Order::First, line).list("env"), ["A=1"], "{line}");
        }
        for line in ["-it", "-ti", "-i -t", "--interactive=true --tty=1", "-i=true -t=T"] {
            let matches = ok(Order::First, line);
            assert!(matches.is("interactive") && matches.is("tty"), "{line}");
        }
        let matches = ok(Order::First, "-itm 1g -e X --net none --sig-proxy=false -e Y image -it --env Z");
        assert!(matches.is("interactive") && matches.is("tty") && !matches.is("sig-proxy"));
        assert_eq!(matches.number("memory"), Some(1 << 30));
        assert_eq!(matches.list("env"), ["X", "Y"]);
        assert_eq!(matches.text("network"), Some("none"));
        assert_eq!(matches.arguments, ["image", "-it", "--env", "Z"]);
    }

    #[test]
    fn order_decides_where_flags_end() {
        assert_eq!(ok(Order::Anywhere, "a -i b --tty c").arguments, ["a", "b", "c"]);
        assert_eq!(ok(Order::Anywhere, "a -- -i b").arguments, ["a", "-i", "b"]);
        assert_eq!(ok(Order::First, "-i -- -x").arguments, ["-x"]);
        assert_eq!(ok(Order::First, "-").arguments, ["-"]);
    }

    #[test]
    fn a_value_may_look_like_a_flag() {
        assert_eq!(ok(Order::First, "-e -i x").list("env"), ["-i"]);
        assert_eq!(ok(Order::First, "-n -1").number("last"), Some(-1));
    }

    #[test]
    fn errors_are_dockers() {
        for (line, message) in [
            ("--bogus", "unknown flag: --bogus"),
            ("--bogus=1", "unknown flag: --bogus"),
            ("-Z", "unknown shorthand flag: 'Z' in -Z"),
            ("-iZ", "unknown shorthand flag: 'Z' in -iZ"),
            ("--env", "flag needs an argument: --env"),
            ("-ie", "flag needs an argument: 'e' in -ie"),
            ("---x", "bad flag syntax: ---x"),
            ("-n x", "invalid argument \"x\" for \"-n, --last\" flag: not a whole number"),
            ("--tty=2", "invalid argument \"2\" for \"-t, --tty\" flag: not a boolean: use true or false"),
        ] {
            assert_eq!(parse(TABLES, Order::First, &words(line)).unwrap_err().0, message);
        }
    }

    #[test]
    fn help_stops_everything() {
        assert!(ok(Order::First, "-i --help --bogus").help);
        assert!(!ok(Order::First, "-h name").help, "-h is the host's name where the table says so");
    }

    #[test]
    fn what_berth_lacks_is_said() {
        for (line, message) in [
            ("--gpus", "not supported: --gpus"),
            ("--runtime x --gpus", "not supported: --gpus"),
            ("--runtime=x", "not supported: --runtime"),
        ] {
            assert_eq!(ok(Order::First, line).refuse_unsupported().unwrap_err().to_string(), message);
        }
        assert!(ok(Order::First, "--gpus=false -i").refuse_unsupported().is_ok());
    }
}
