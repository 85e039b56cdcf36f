//! Help texts, in the layout that users of Docker know.

use super::{Flag, Kind, Support};
use crate::command::{Action, Command, Entry};

/// Texts are wrapped here, whatever the terminal: what scripts and people compare is the same everywhere.
const WIDTH: usize = 80;

/// `Usage:  berth run [OPTIONS] IMAGE [COMMAND] [ARG...]`
pub(crate) fn usage_line(path: &str, usage: &str) -> String {
    format!("Usage:  {path} {usage}").trim_end().to_owned()
}

/// The help of a command.
pub(crate) fn command_help(path: &str, command: &Command) -> String {
    let mut text = format!("{}\n\n{}\n", usage_line(path, command.usage), command.about);
    if !command.paths.is_empty() {
        text.push_str(&format!("\nAliases:\n  {}\n", command.paths.join(", ")));
    }
    let flags: Vec<&Flag> = command.flags.iter().flat_map(|table| table.iter()).collect();
    push_flags(&mut text, "Options:", flags);
    text
}

/// The help of a group of commands.
pub(crate) fn group_help(path: &str, command: &Command) -> String {
    let mut text = format!("{}\n\n{}\n", usage_line(path, command.usage), command.about);
    if let Action::Group(entries) = command.action {
        push_entries(&mut text, "Commands:", entries);
    }
    text.push_str(&format!("\nRun '{path} COMMAND --help' for more information on a command.\n"));
    text
}

/// The help of the program.
pub(crate) fn root_help(sections: &[(&str, &[Entry])], flags: &[Flag]) -> String {
    let mut text = format!("{}\n\nA container engine without a daemon\n", usage_line("berth", "[OPTIONS] COMMAND"));
    for (title, entries) in sections {
        push_entries(&mut text, title, entries);
    }
    push_flags(&mut text, "Global Options:", flags.iter().collect());
    text.push_str("\nRun 'berth COMMAND --help' for more information on a command.\n");
    text
}

fn push_entries(text: &mut String, title: &str, entries: &[Entry]) {
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0).max(10);
    text.push_str(&format!("\n{title}\n"));
    for entry in entries {
        text.push_str(&format!("  {:width$}  {}\n", entry.name, entry.command.about));
    }
}

fn push_flags(text: &mut String, title: &str, mut flags: Vec<&Flag>) {
    flags.retain(|flag| flag.support != Support::Hidden);
    if flags.is_empty() {
        return;
    }
    flags.sort_by_key(|flag| flag.name);
    let heads: Vec<String> = flags.iter().map(|flag| head(flag)).collect();
    let indent = heads.iter().map(String::len).max().unwrap_or(0) + 3;
    text.push_str(&format!("\n{title}\n"));
    for (flag, head) in flags.iter().zip(heads) {
        let mut line = format!("{head:indent$}");
        for (number, part) in wrap(&description(flag), WIDTH - indent).into_iter().enumerate() {
            if number > 0 {
                line.push_str(&format!("\n{:indent$}", ""));
            }
            line.push_str(&part);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// `  -e, --env list`
fn head(flag: &Flag) -> String {
    let short = flag.short.map_or("   ".to_owned(), |short| format!("-{short},"));
    let value = match flag.kind {
        Kind::Switch => "",
        Kind::Text => " string",
        Kind::Integer => " int",
        Kind::Unsigned => " uint",
        Kind::Decimal => " decimal",
        Kind::Bytes | Kind::BytesOrUnlimited => " bytes",
        Kind::Duration => " duration",
        Kind::List(word) => return format!("  {short} --{} {word}", flag.name),
    };
    format!("  {short} --{}{value}", flag.name)
}

fn description(flag: &Flag) -> String {
    let mut text = flag.help.to_owned();
    match (flag.default, flag.kind) {
        (Some(default), Kind::Text) => text.push_str(&format!(" (default \"{default}\")")),
        (Some(default), _) => text.push_str(&format!(" (default {default})")),
        (None, _) => {}
    }
    if flag.support == Support::Refused {
        text.push_str(" (not supported)");
    }
    text
}

/// Lines of at most `width` columns, broken at blanks and at the line breaks that the text has.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(24);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            if !line.is_empty() || (word.is_empty() && lines.is_empty()) {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Arity, Order};

    static FLAGS: &[Flag] = &[
        Flag::switch("tty", "Allocate a pseudo-TTY").short('t'),
        Flag::list("env", "Set environment variables").short('e'),
        Flag::text("pull", "Pull image before running (\"always\", \"missing\", \"never\")").default("missing"),
        Flag::switch("sig-proxy", "Proxy received signals to the process").default("true"),
        Flag::text("gpus", "GPU devices to add").kind(Kind::List("gpu-request")).refused(),
        Flag::text("secret", "").hidden(),
    ];

    static COMMAND: Command = Command {
        usage: "[OPTIONS] IMAGE",
        about: "Create and run a new container from an image",
        paths: &["berth container run", "berth run"],
        flags: &[FLAGS],
        arity: Arity::AtLeast(1),
        order: Order::First,
        codes: crate::command::Codes::Container,
        action: Action::Group(&[]),
    };

    #[test]
    fn a_commands_help_reads_like_dockers() {
        let expected = "\
Usage:  berth run [OPTIONS] IMAGE

Create and run a new container from an image

Aliases:
  berth container run, berth run

Options:
  -e, --env list           Set environment variables
      --gpus gpu-request   GPU devices to add (not supported)
      --pull string        Pull image before running (\"always\", \"missing\",
                           \"never\") (default \"missing\")
      --sig-proxy          Proxy received signals to the process (default true)
  -t, --tty                Allocate a pseudo-TTY
";
        assert_eq!(command_help("berth run", &COMMAND), expected);
    }
}
